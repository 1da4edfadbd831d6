"""The log marginal evidence of a Bayesian linear model."""

import math

import numpy as np

from scorers._contract import Abstain, need_two_classes, scorer
from scorers._embeddings import Embeddings

STEPS, TOLERANCE, TINY = 11, 1e-3, 1e-5


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="you2021logme", cost="sums")
def logme(e: Embeddings, *, lost_terms: bool = False) -> float:
    """Mean over classes of the maximised log evidence per sample of a Bayesian linear model for "is of this class".

    With σ the D eigenvalues of X'X, start at α = β = 1 and repeat at most 11 times: γ = Σ σ/(σ + α/β),
    α = γ/(‖m‖² + 1e-5), β = (N − γ)/(‖res‖² + 1e-5), until α/β changes by at most 1e-3 relative; then
    evidence = D/2·ln α + N/2·ln β − ½Σ ln(α + βσ) − β/2·‖res‖² − α/2·‖m‖² − N/2·ln 2π.

    All D terms of the determinant are summed, also where N < D; code in wide use drops those of zero eigenvalues and then
    reports values around 30 (lost_terms=True does so). No centring, no bias. O(D³ + C·D²) after the shared pass.
    Abstains on one class, or rows that are all zero.

    Source: You et al., ICML 2021.
    """
    need_two_classes(e)
    s, (sigma, vectors) = e.statistics, e.gram_eigen
    n, d = e.n, e.d
    if not sigma.max() > 0:
        raise Abstain("all rows are zero")
    seen = sigma > sigma.max() * max(n, d) * np.finfo(np.float64).eps
    sigma = np.where(seen, sigma, 0.0)
    z = vectors.T @ s.sums.T  # (D, C): V'X'Y
    inside = np.where(
        seen[:, None], z**2 / np.where(seen, sigma, 1.0)[:, None], 0.0
    )  # |y| along each left singular vector, squared
    total = 0.0
    for k, count in enumerate(s.counts):
        outside = max(count - inside[:, k].sum(), 0.0)
        alpha = beta = 1.0
        m2 = res2 = 0.0
        for _ in range(STEPS):
            before = alpha / beta
            gamma = float((sigma / (sigma + before)).sum())
            left = n - int(seen.sum()) + float((before / (sigma[seen] + before)).sum())  # n − gamma, without cancelling
            m2 = float(((z[:, k] / (sigma + before)) ** 2).sum())
            res2 = outside + float((inside[:, k] * (before / (sigma + before)) ** 2).sum())
            alpha, beta = gamma / (m2 + TINY), left / (res2 + TINY)
            if abs(alpha / beta - before) / before <= TOLERANCE:
                break
        log_determinant = float(np.log(alpha + beta * sigma[seen] if lost_terms else alpha + beta * sigma).sum())
        evidence = d / 2 * math.log(alpha) + n / 2 * math.log(beta) - 0.5 * log_determinant
        total += (evidence - beta / 2 * res2 - alpha / 2 * m2 - n / 2 * math.log(2 * math.pi)) / n
    return total / len(s.counts)
