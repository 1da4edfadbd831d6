"""The H-score, plain and with a shrunk covariance."""

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Embeddings, Floats

NEEDS = {"image", "labels"}
FAR = 100  # squared distance of the mean from the origin, in total variances


def _between(e: Embeddings) -> Floats:
    """(D, C) whose product with its transpose is the covariance, over N−1, of the class mean of each sample."""
    s = e.statistics
    return ((s.means - s.mean) * np.sqrt(s.counts / (s.n - 1))[:, None]).T


@scorer(needs=NEEDS, predicts={"accuracy": +1}, cite="bao2019hscore", cost="sums")
def h_score(e: Embeddings) -> float:
    """Trace of the between-class covariance in units of the total covariance.

    tr(pinv(cov X)·cov(E[X|y])), both with N−1; at most min(D, C−1), which it reaches, and so says nothing, when N ≤ D.
    The same after any invertible linear map of X. O(D³).
    Abstains on one class.

    Source: Bao et al., ICIP 2019.
    """
    need_two_classes(e)
    values, vectors = e.scatter_eigen
    keep = values > values.max() * max(e.n, e.d) * np.finfo(np.float64).eps
    along = vectors[:, keep].T @ _between(e)
    return float((along**2 / (values[keep] / (e.n - 1))[:, None]).sum())


def shrinkage(e: Embeddings) -> tuple[float, float]:
    """Ledoit and Wolf's shrinkage in 0..1 and the mean variance it shrinks to, from sums alone."""
    s = e.statistics
    n, d, mean = s.n, e.d, s.mean
    size = float(mean @ mean)
    # sum of |x - mean|^4, spelled out in the sums over rows
    norms2 = float(np.trace(s.gram))
    fourth = (
        s.norms4
        + 4 * float(mean @ s.gram @ mean)
        + n * size * size
        - 4 * float(mean @ s.weighted)
        + 2 * size * norms2
        - 4 * size * float(mean @ s.sums.sum(0))
    )
    covariance = s.scatter / n
    if size > FAR * float(np.trace(covariance)):  # the sums would cancel: read the rows again
        fourth = sum(float((((x - mean) ** 2).sum(1) ** 2).sum()) for x, _ in e.blocks())
    mu = float(np.trace(covariance)) / d
    squared = float((covariance**2).sum())
    spread = (squared - d * mu * mu) / d
    noise = min((fourth / n - squared) / (n * d), spread)
    return (noise / spread if noise > 0 and spread > 0 else 0.0), mu


@scorer(needs=NEEDS, predicts={"accuracy": +1}, cite="ibrahim2021newer", cost="sums")
def h_score_shrunk(e: Embeddings) -> float:
    """The H-score with Ledoit and Wolf's covariance, defined and useful also where N ≤ D.

    tr(pinv(Σ_a)·(1−a)·cov(E[X|y])) with Σ_a = (1−a)·cov X + a·tr(cov X)/D·I, a the shrinkage, cov X over N and cov(E[X|y])
    over N−1. O(D³).
    Abstains on one class.

    Source: Ibrahim, Ponomareva, Mazumder, 2021.
    """
    need_two_classes(e)
    a, mu = shrinkage(e)
    values, vectors = e.scatter_eigen
    shrunk = (1 - a) * values / e.n + a * mu
    keep = shrunk > shrunk.max() * 1e-15
    along = vectors[:, keep].T @ _between(e)
    return float((1 - a) * (along**2 / shrunk[keep][:, None]).sum())
