"""The log marginal evidence of a Bayesian linear model."""

import math

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Abstain, Embeddings

STEPS, TOLERANCE, TINY = 11, 1e-3, 1e-5  # limit of steps; change of α/β that ends them; added to denominators


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="you2021logme", cost="sums")
def logme(e: Embeddings, *, lost_terms: bool = False) -> float:
    """Mean over classes of the maximised log evidence per sample of a Bayesian linear model for "is of this class".

    Formula: with σ the D eigenvalues of `X'X`, start at `α = β = 1` and repeat at most 11 times `γ = Σ σ/(σ + α/β)`,
    `α = γ/(‖m‖² + 1e-5)`, `β = (N − γ)/(‖res‖² + 1e-5)`, until α/β changes by at most 1e-3 relative; then
    `D/2·ln α + N/2·ln β − ½·Σ ln(α + βσ) − β/2·‖res‖² − α/2·‖m‖² − N/2·ln 2π`, over N. m (D,) is the posterior mean and res (N,) its
    residual. No centring, no bias.

    Values: in nats per sample, unbounded.

    Options: lost_terms drops the terms of zero eigenvalues from the determinant, as code in wide use does. Where N < D that code
    then reports values around 30; the definition sums all D terms.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class, or rows that are all zero.

    Cost: `O(D³ + C·D²)` after the shared pass.

    Source: You et al., ICML 2021.
    """
    need_two_classes(e)
    s, (sigma, vectors) = e.statistics, e.gram_eigen
    n, d = e.n, e.d
    if not sigma.max() > 0:
        raise Abstain("all rows are zero")
    # numerical rank of X'X
    nonzero = sigma > sigma.max() * max(n, d) * np.finfo(np.float64).eps
    sigma = np.where(nonzero, sigma, 0.0)
    z = vectors.T @ s.sums.T  # (D, C): V'X'Y
    # (D, C): squared length of y along each left singular vector, z²/σ
    inside = np.where(nonzero[:, None], z**2 / np.where(nonzero, sigma, 1.0)[:, None], 0.0)
    total = 0.0
    for k, count in enumerate(s.counts):
        outside = max(count - inside[:, k].sum(), 0.0)  # squared length of y outside the column space, ‖y‖² = count
        alpha = beta = 1.0
        m2 = res2 = 0.0
        for _ in range(STEPS):
            ratio = alpha / beta
            gamma = float((sigma / (sigma + ratio)).sum())
            # N − γ, without cancellation
            residual_dimensions = n - int(nonzero.sum()) + float((ratio / (sigma[nonzero] + ratio)).sum())
            m2 = float(((z[:, k] / (sigma + ratio)) ** 2).sum())  # ‖m‖²
            # ‖res‖² = outside + Σ (z²/σ)·((α/β)/(σ + α/β))²
            res2 = outside + float((inside[:, k] * (ratio / (sigma + ratio)) ** 2).sum())
            alpha, beta = gamma / (m2 + TINY), residual_dimensions / (res2 + TINY)
            if abs(alpha / beta - ratio) / ratio <= TOLERANCE:
                break
        # ln det(αI + βX'X)
        log_determinant = float(np.log(alpha + beta * sigma[nonzero] if lost_terms else alpha + beta * sigma).sum())
        evidence = d / 2 * math.log(alpha) + n / 2 * math.log(beta) - 0.5 * log_determinant
        total += (evidence - beta / 2 * res2 - alpha / 2 * m2 - n / 2 * math.log(2 * math.pi)) / n
    return total / len(s.counts)
