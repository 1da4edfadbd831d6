"""EMMS: how well the features explain the labels as other models' text towers embed them."""

from collections import Counter

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Abstain, Embeddings
from scorers._statistics import Floats


def sparsemax(z: Floats) -> Floats:
    """The Euclidean projection of z (K,) onto the probability simplex."""
    descending = np.sort(z)[::-1]
    ranks = np.arange(1, len(z) + 1)
    # the support is the ranks k with 1 + k·z₍ₖ₎ > Σ_{j≤k} z₍ⱼ₎
    support = 1 + ranks * descending > np.cumsum(descending)
    support[0] = True  # true of any z, but lost to rounding where 1 + z = z
    k = int(ranks[support][-1])
    # max(z − τ, 0) with the threshold τ = (Σ_{j≤k} z₍ⱼ₎ − 1)/k
    return np.asarray(np.maximum(z - (descending[:k].sum() - 1) / k, 0))


def _standardised(view: Floats, counts: Floats) -> Floats:
    """The view (C, E) with each column at mean 0 and deviation 1 over the samples, class c counting `counts[c]` times."""
    share = counts / counts.sum()
    centred = view - share @ view
    deviation = np.sqrt(share @ centred**2)  # (E,)
    # a constant column becomes 0
    return np.asarray(centred / np.where(deviation > 1e-12 * np.abs(view).max(), deviation, np.inf))


@scorer(needs={"image", "labels", "label_views"}, predicts={"accuracy": +1}, cite="meng2023emms", cost="sums")
def emms(e: Embeddings) -> float:
    """Negated residual of the regression of label embeddings, from several text towers, on the features.

    Formula: `−‖XW − Σ_k λ_k·F_k‖² / (N·E)`, with X (N, D) and the K label views F_k (N, E) standardised column by column, row i of
    F_k the embedding of the name of class y_i under text tower k; `W = lstsq(X, Σ_k F_k / K)`; `λ = sparsemax(lstsq(F, vec(XW)))`.
    Views must have the same width: those of another width than the most frequent are left out. Published code multiplies by E
    instead of dividing, and overwrites the caller's views.

    Values: at most 0; 0 where a mixture of the views is a linear function of the features.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class, or without another model's class texts.

    Cost: `O(D³ + D·C·E·K)` after the shared pass.

    Source: Meng et al., NeurIPS 2023.
    """
    need_two_classes(e)
    widths = Counter(view.shape[1] for view in e.label_views)
    if not widths:
        raise Abstain("needs the class texts of at least one other model, found none")
    # of equally frequent widths the larger, whatever the order of the views
    width = max(widths, key=lambda value: (widths[value], value))
    s = e.statistics
    views = [
        _standardised(view.astype(np.float64)[e.classes], s.counts) for view in e.label_views if view.shape[1] == width
    ]
    variance = np.diag(s.scatter) / s.n
    # (D,); inf turns a constant feature into 0
    scale = np.where(variance > 1e-12 * np.diag(s.gram) / s.n, np.sqrt(np.maximum(variance, 0)), np.inf)
    gram = s.scatter / np.outer(scale, scale)  # (D, D): X'X of the standardised rows
    sums = (s.sums - s.counts[:, None] * s.mean) / scale  # (C, D): class sums of the standardised rows
    # normal equations X'X·W = X'F̄, F̄ the mean view, from sums alone; lstsq also where X'X is singular
    weights = np.linalg.lstsq(gram, sums.T @ np.mean(views, 0), rcond=None)[0]  # W (D, E)
    # ‖XW‖² (scalar), ⟨XW, F_k⟩ (K,) and ⟨F_k, F_l⟩ (K, K), each from class sums
    explained = float((weights * (gram @ weights)).sum())
    projections = np.array([float(((sums @ weights) * view).sum()) for view in views])
    overlap = np.array([[float(s.counts @ (a * b).sum(1)) for b in views] for a in views])
    mixture = sparsemax(np.linalg.lstsq(overlap, projections, rcond=None)[0])  # λ (K,)
    # ‖XW − Σ_k λ_k·F_k‖² = ‖XW‖² − 2·λ'p + λ'Oλ, p the projections and O the overlap; rounding can make it negative
    residual = explained - 2 * float(mixture @ projections) + float(mixture @ overlap @ mixture)
    return -max(float(residual), 0.0) / (e.n * float(width))
