"""The H-score, plain and with a shrunk covariance."""

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Embeddings
from scorers._statistics import Floats

FAR = 100  # squared distance of the mean from the origin, in total variances


def _between(e: Embeddings) -> Floats:
    """B (D, C) with `BB' = cov(E[X|y])`, the covariance over N−1 of the class mean of each sample."""
    s = e.statistics
    return ((s.means - s.mean) * np.sqrt(s.counts / (s.n - 1))[:, None]).T


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="bao2019hscore", cost="sums")
def h_score(e: Embeddings) -> float:
    """Trace of the between-class covariance relative to the total covariance.

    Formula: `tr(pinv(cov X)·cov(E[X|y]))`, both over N−1. Invariant under invertible linear maps of X.

    Values: in 0..min(D, C−1). It reaches the upper end wherever N ≤ D, and then carries no information.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class.

    Cost: `O(D³)` after the shared pass.

    Source: Bao et al., ICIP 2019.
    """
    need_two_classes(e)
    values, vectors = e.scatter_eigen
    # the numerical rank: what is below max(N, D)·ε of the largest eigenvalue is rounding
    nonzero = values > values.max() * max(e.n, e.d) * np.finfo(np.float64).eps
    projected = vectors[:, nonzero].T @ _between(e)
    # tr(pinv(cov X)·BB') = Σ_d ‖v_d'B‖²/λ_d, over eigenpairs of cov X
    return float((projected**2 / (values[nonzero] / (e.n - 1))[:, None]).sum())


def shrinkage(e: Embeddings) -> tuple[float, float]:
    """The Ledoit-Wolf shrinkage in 0..1, and the mean variance that it shrinks to, from sums alone."""
    s = e.statistics
    n, d, mean = s.n, e.d, s.mean
    mean_norm2 = float(mean @ mean)  # ‖m‖²
    norms2 = float(np.trace(s.gram))  # Σ_i ‖x_i‖²
    # Σ_i ‖x_i − m‖⁴ = Σ‖x‖⁴ + 4·m'X'Xm + N‖m‖⁴ − 4·m'Σ‖x‖²x + 2‖m‖²Σ‖x‖² − 4‖m‖²·m'Σx
    fourth = (
        s.norms4
        + 4 * float(mean @ s.gram @ mean)
        + n * mean_norm2 * mean_norm2
        - 4 * float(mean @ s.weighted)
        + 2 * mean_norm2 * norms2
        - 4 * mean_norm2 * float(mean @ s.sums.sum(0))
    )
    covariance = s.scatter / n
    if mean_norm2 > FAR * float(np.trace(covariance)):  # the sums would cancel: read the rows again
        fourth = sum(float((((x - mean) ** 2).sum(1) ** 2).sum()) for x, _ in e.blocks())
    mean_variance = float(np.trace(covariance)) / d
    squared = float((covariance**2).sum())  # ‖S‖²
    # S = cov X over N, μ = tr(S)/D
    # spread = ‖S − μI‖²/D; noise = (Σ_i ‖x_i − m‖⁴/N − ‖S‖²)/(N·D), the error of S, at most the spread
    spread = (squared - d * mean_variance * mean_variance) / d
    noise = min((fourth / n - squared) / (n * d), spread)
    return (noise / spread if noise > 0 and spread > 0 else 0.0), mean_variance


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="ibrahim2021newer", cost="sums")
def h_score_shrunk(e: Embeddings) -> float:
    """The H-score with the Ledoit-Wolf covariance, which is informative also where N ≤ D.

    Formula: `tr(pinv(Σ_a)·(1−a)·cov(E[X|y]))` with `Σ_a = (1−a)·cov X + a·tr(cov X)/D·I` and a the shrinkage; cov X over N and
    cov(E[X|y]) over N−1.

    Values: at least 0.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class.

    Cost: `O(D³)` after the shared pass.

    Source: Ibrahim, Ponomareva, Mazumder, 2021.
    """
    need_two_classes(e)
    a, mean_variance = shrinkage(e)
    values, vectors = e.scatter_eigen
    shrunk = (1 - a) * values / e.n + a * mean_variance  # eigenvalues of Σ_a, with the eigenvectors of cov X
    # the pseudo-inverse's tolerance in published code
    nonzero = shrunk > shrunk.max() * 1e-15
    projected = vectors[:, nonzero].T @ _between(e)
    return float((1 - a) * (projected**2 / shrunk[nonzero][:, None]).sum())
