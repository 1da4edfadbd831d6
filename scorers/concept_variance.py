"""Concept variance: how much the labels vary among neighbours."""

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Abstain, Embeddings
from scorers._sampling import sampled, sampled_rows

MAX_ROWS = 3_000
BLOCK = 1024  # rows whose distances to all others are in memory at a time


@scorer(
    needs={"image", "labels"},
    predicts={"accuracy": +1},
    cite="singh2025occam",
    components=sampled(MAX_ROWS),
    cost="pairs",
)
def concept_variance(e: Embeddings, *, alpha: float = 2.0) -> float:
    """Negated share of other labels among a sample's neighbours, weighted towards the nearer ones.

    Formula: `−mean_i Σ_j w_ij·1[y_j ≠ y_i] / Σ_j w_ij` with `w_ij = 2^(−α·d_ij / max(√D − d_ij, 1e-10))`, `w_ii = 0` and d_ij the
    Euclidean distance of features scaled to 0..1. A sample whose weights all vanish is left out.

    Values: in −1..0; 0 where all neighbours have the sample's label.

    Options: alpha, how fast weights fall with distance.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class, equal rows, or where all weights vanish.

    Cost: `O(rows²·D)`, in blocks. Above 3,000 rows a seeded sample, stratified by class, its size in component `rows`.

    Source: Singh et al., 2025.
    """
    need_two_classes(e)
    rows = sampled_rows(e, MAX_ROWS)
    x, y = e.image[rows].astype(np.float64), e.y[rows]
    width = np.ptp(x, axis=0)
    if not width.any():
        raise Abstain("all rows are equal")
    # features in 0..1; a constant one becomes 0
    x = (x - x.min(0)) / np.where(width > 0, width, 1)
    # √D is the diagonal of the unit cube, the largest distance that is possible
    norms2, diameter = (x**2).sum(1), np.sqrt(e.d)
    shares = []
    for start in range(0, len(x), BLOCK):
        block = x[start : start + BLOCK]
        # d_ij² = ‖x_i‖² + ‖x_j‖² − 2⟨x_i, x_j⟩, (BLOCK, rows)
        distance = np.sqrt(np.maximum(norms2[start : start + BLOCK, None] + norms2 - 2 * (block @ x.T), 0))
        weights = np.exp2(-alpha * distance / np.maximum(diameter - distance, 1e-10))
        weights[np.arange(len(block)), np.arange(start, start + len(block))] = 0  # w_ii
        other = y[start : start + BLOCK, None] != y
        total = weights.sum(1)
        # 2^−… underflows to 0 for samples far from all others
        shares.append((weights * other).sum(1)[total > 0] / total[total > 0])
    share = np.concatenate(shares)
    if not len(share):
        raise Abstain("no sample has a neighbour near enough to have a weight")
    return -float(share.mean())
