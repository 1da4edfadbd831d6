"""SFDA: linear discriminants after a step of self-challenge."""

from collections.abc import Iterator

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Abstain, Embeddings
from scorers._statistics import Floats, Ints, Statistics, eigen, statistics


def shrunk(covariance: Floats, shrink: float) -> Floats:
    """`(1 − shrink)·S + shrink·tr(S)/D·I` of a covariance S (D, D)."""
    mean_variance = float(np.trace(covariance)) / len(covariance)
    return (1 - shrink) * covariance + shrink * mean_variance * np.eye(len(covariance))


def discriminants(s: Statistics, shrink: float) -> tuple[Floats, Floats]:
    """Weights `S⁻¹μ_c` (D, C) and offsets `ln π_c − ½·μ_c'S⁻¹μ_c` (C,) of linear discriminants.

    S is the within-class covariance, shrunk by `shrink` in 0..1. With shrink 0 it is inverted where it has variance.
    """
    from scipy.linalg import cho_factor, cho_solve

    within = s.within / s.n
    # a multiple of I makes S positive definite
    if shrink > 0:
        weights: Floats = cho_solve(cho_factor(shrunk(within, shrink)), s.means.T)
    else:
        values, vectors = eigen(within)
        nonzero = values > values.max() * len(values) * np.finfo(np.float64).eps
        weights = vectors[:, nonzero] @ ((vectors[:, nonzero].T @ s.means.T) / values[nonzero, None])
    return weights, np.log(s.counts / s.n) - 0.5 * (s.means.T * weights).sum(0)


def require_within_spread(s: Statistics) -> Floats:
    """The within-class covariance (D, D). Abstains where it consists of rounding errors."""
    within = s.within / s.n
    if not float(np.trace(within)) > 1e-12 * float(np.trace(s.gram)) / s.n:
        raise Abstain("the samples of each class are equal, hence there is no spread within classes")
    return within


def _power_steps(matrix: Floats) -> float:
    """The largest eigenvalue as published code estimates it: a Rayleigh quotient after three double power steps from the row sums."""
    x = y = matrix.sum(1)
    for _ in range(3):
        y = matrix @ x
        y = y / max(float(np.linalg.norm(y)), 1e-300)  # 1e-300: not 0/0
        x = matrix @ y
        x = x / max(float(np.linalg.norm(x)), 1e-300)
    return float(x @ matrix @ y)


def softmax(logits: Floats) -> Floats:
    """Softmax over the columns of (n, C) logits."""
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(weights / weights.sum(1, keepdims=True))


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="shao2022sfda")
def sfda(e: Embeddings, *, eigenvalue: str = "published") -> float:
    """Mean posterior of the own class under regularised linear discriminants, after hard samples are moved towards other classes.

    Formula: with S the within-class covariance, `λ = max(exp(−5·eig_max(S)), 1e-10)` and `S' = (1−λ)·S + λ·tr(S)/D·I`, the posterior
    is `p = softmax_c(μ_c'S'⁻¹x − ½·μ_c'S'⁻¹μ_c + ln π_c)`. With `p' = softmax(p)`, each x becomes
    `p'_y·x + (1 − p'_y)·(mean of the other class means)`; the discriminants are fitted again with the same λ, and the score is the mean
    of `p(y_i)`. The rows are not changed, where published code overwrites them.

    Values: in 0..1. Saturates at 1 on separable features; close to the nearest class mean on unit rows.

    Options: eigenvalue, "published" for three double power steps from the row sums of S, which can be 10 % too low where the spectrum
    is flat, or "exact".

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class, or classes without spread.

    Cost: `O(N·D·C + D³)`.

    Source: Shao et al., ECCV 2022.
    """
    need_two_classes(e)
    s = e.statistics
    if eigenvalue not in ("published", "exact"):
        raise ValueError(f"eigenvalue is '{eigenvalue}'; give 'published' or 'exact'")
    within = require_within_spread(s)
    largest = _power_steps(within) if eigenvalue == "published" else float(np.linalg.eigvalsh(within)[-1])
    # above 0 also where exp underflows
    shrink = max(float(np.exp(-5 * largest)), 1e-10)
    weights, offsets = discriminants(s, shrink)
    others = (s.means.sum(0) - s.means) / (len(s.means) - 1)  # (C, D): mean of the other class means

    # not stored: each pass moves the rows again
    def challenged() -> Iterator[tuple[Floats, Ints]]:
        for x, y in e.blocks():
            own = softmax(softmax(x @ weights + offsets))[np.arange(len(y)), y][:, None]  # p'_y (n, 1)
            yield own * x + (1 - own) * others[y], y

    weights2, offsets2 = discriminants(statistics(challenged(), len(e.classes)), shrink)
    total = sum(float(softmax(x @ weights2 + offsets2)[np.arange(len(y)), y].sum()) for x, y in challenged())
    return total / e.n
