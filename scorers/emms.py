"""EMMS: how well the features explain the labels as other models' text towers embed them."""

from collections import Counter

import numpy as np

from scorers._contract import Abstain, need_two_classes, scorer
from scorers._embeddings import Embeddings, Floats


def sparsemax(z: Floats) -> Floats:
    """The nearest point of the simplex to z (K,)."""
    high = np.sort(z)[::-1]
    reach = np.arange(1, len(z) + 1)
    support = 1 + reach * high > np.cumsum(high)
    k = int(reach[support][-1])
    return np.asarray(np.maximum(z - (high[:k].sum() - 1) / k, 0))


def _standardised(view: Floats, counts: Floats) -> Floats:
    """Each column of the view brought to mean 0 and deviation 1 over the samples, class c counting `counts[c]` times."""
    share = counts / counts.sum()
    centred = view - share @ view
    spread = np.sqrt(share @ centred**2)
    return np.asarray(centred / np.where(spread > 1e-12 * np.abs(view).max(), spread, np.inf))


@scorer(needs={"image", "labels", "label_views"}, predicts={"accuracy": +1}, cite="meng2023emms", cost="sums")
def emms(e: Embeddings) -> float:
    """Negated residual of regressing the labels' embeddings, under several text towers, on the features.

    Label views F_k (N×E), row i the embedding of class y_i's name under tower k; X and each F_k standardised column by column.
    λ = 1/K; W = lstsq(X, Σλ_kF_k); λ' = sparsemax(lstsq(stacked F, vec(XW))); −‖XW − Σλ'_kF_k‖²/(N·E), at most 0. Views must be
    equally wide: those of another width than the most frequent are left out. Published code multiplies by E where it should divide,
    and overwrites the caller's views. All from class sums: O(D³ + D·C·E·K).
    Abstains on one class, or a pool of one model.

    Source: Meng et al., NeurIPS 2023.
    """
    assert e.label_views is not None
    need_two_classes(e)
    widths = Counter(view.shape[1] for view in e.label_views)
    if not widths:
        raise Abstain("needs the class texts of at least one other model, and there is none")
    width = max(widths, key=lambda w: (widths[w], w))
    s = e.statistics
    views = [
        _standardised(view.astype(np.float64)[e.classes], s.counts) for view in e.label_views if view.shape[1] == width
    ]
    variance = np.diag(s.scatter) / s.n
    scale = np.where(variance > 1e-12 * np.diag(s.gram) / s.n, np.sqrt(np.maximum(variance, 0)), np.inf)
    gram = s.scatter / np.outer(scale, scale)
    sums = (s.sums - s.counts[:, None] * s.mean) / scale  # (C, D): X'Y of the standardised rows
    weights = np.linalg.lstsq(gram, sums.T @ np.mean(views, 0), rcond=None)[0]
    explained = float((weights * (gram @ weights)).sum())
    along = np.array([float(((sums @ weights) * view).sum()) for view in views])
    overlap = np.array([[float(s.counts @ (a * b).sum(1)) for b in views] for a in views])
    share = sparsemax(np.linalg.lstsq(overlap, along, rcond=None)[0])
    residual = explained - 2 * float(share @ along) + float(share @ overlap @ share)
    return -max(float(residual), 0.0) / (e.n * float(width))
