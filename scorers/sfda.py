"""SFDA: linear discriminants after a step of self-challenge."""

from collections.abc import Iterator

import numpy as np

from scorers._contract import Abstain, need_two_classes, scorer
from scorers._embeddings import Embeddings, Floats, Ints, Statistics, eigen, statistics


def shrunk(covariance: Floats, shrink: float) -> Floats:
    """(1 − shrink)·covariance + shrink·(mean variance)·I."""
    mean_variance = float(np.trace(covariance)) / len(covariance)
    return (1 - shrink) * covariance + shrink * mean_variance * np.eye(len(covariance))


def discriminants(s: Statistics, shrink: float) -> tuple[Floats, Floats]:
    """Weights (D, C) and offsets (C,) of the linear discriminants under the within-class covariance, shrunk towards a multiple of
    the identity by `shrink` in 0..1. Unshrunk, directions without variance have no weight."""
    from scipy.linalg import cho_factor, cho_solve

    within = s.within / s.n
    if shrink > 0:
        weights: Floats = cho_solve(cho_factor(shrunk(within, shrink)), s.means.T)
    else:
        values, vectors = eigen(within)
        seen = values > values.max() * len(values) * np.finfo(np.float64).eps
        weights = vectors[:, seen] @ ((vectors[:, seen].T @ s.means.T) / values[seen, None])
    return weights, np.log(s.counts / s.n) - 0.5 * (s.means.T * weights).sum(0)


def spread_within(s: Statistics) -> Floats:
    """(D, D) the within-class covariance; abstains where it is nothing but rounding."""
    within = s.within / s.n
    if not float(np.trace(within)) > 1e-12 * float(np.trace(s.gram)) / s.n:
        raise Abstain("the samples of each class are all alike, hence no spread within classes")
    return within


def _power_steps(matrix: Floats) -> float:
    x = y = matrix.sum(1)
    for _ in range(3):
        y = matrix @ x
        y = y / max(float(np.linalg.norm(y)), 1e-300)
        x = matrix @ y
        x = x / max(float(np.linalg.norm(x)), 1e-300)
    return float(x @ matrix @ y)


def softmax(logits: Floats) -> Floats:
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(weights / weights.sum(1, keepdims=True))


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="shao2022sfda")
def sfda(e: Embeddings, *, eigenvalue: str = "published") -> float:
    """Mean posterior of the own class under regularised linear discriminants, after hard samples are moved towards other classes.

    Within-class covariance S; λ = max(exp(−5·eig_max(S)), 1e-10); S' = (1−λ)S + λ·tr(S)/D·I; p = softmax of μ_c'S'⁻¹x −
    ½μ_c'S'⁻¹μ_c + ln π_c; p' = softmax(p); x ← p'_y·x + (1−p'_y)·(mean of the other class means); refit with the same λ; mean p(y).
    In 0..1. Saturates at 1 on easy features; close to nearest class mean on unit rows. O(N·D·C + D³). The rows are not
    changed, where every published copy overwrites them.

    eigenvalue="published" takes for eig_max what published code takes: the Rayleigh quotient after three double power steps from
    the row sums of S, which can fall 10 % short where the spectrum is flat; "exact" takes the eigenvalue.
    Abstains on one class, or classes without spread.

    Source: Shao et al., ECCV 2022.
    """
    need_two_classes(e)
    s = e.statistics
    if eigenvalue not in ("published", "exact"):
        raise ValueError(f"eigenvalue is '{eigenvalue}'; give 'published' or 'exact'")
    within = spread_within(s)
    spread = _power_steps(within) if eigenvalue == "published" else float(np.linalg.eigvalsh(within)[-1])
    shrink = max(float(np.exp(-5 * spread)), 1e-10)
    weights, offsets = discriminants(s, shrink)
    others = (s.means.sum(0) - s.means) / (len(s.means) - 1)

    def challenged() -> Iterator[tuple[Floats, Ints]]:
        for x, y in e.blocks():
            own = softmax(softmax(x @ weights + offsets))[np.arange(len(y)), y][:, None]
            yield own * x + (1 - own) * others[y], y

    weights2, offsets2 = discriminants(statistics(challenged(), len(e.classes)), shrink)
    total = sum(float(softmax(x @ weights2 + offsets2)[np.arange(len(y)), y].sum()) for x, y in challenged())
    return total / e.n
