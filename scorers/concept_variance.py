"""Concept variance: how much the labels vary among neighbours."""

import numpy as np

from scorers._contract import Abstain, need_two_classes, scorer
from scorers._embeddings import Embeddings
from scorers._sampling import sampled, sampled_rows

MAX_ROWS = 3_000


@scorer(
    needs={"image", "labels"},
    predicts={"accuracy": +1},
    cite="singh2025occam",
    components=sampled(MAX_ROWS),
    cost="pairs",
)
def concept_variance(e: Embeddings, *, alpha: float = 2.0) -> float:
    """Share of other labels among a sample's neighbours, nearer ones weighing more, negated.

    Features min-max scaled; d_ij Euclidean; w_ij = 2^(−α·d_ij/max(√D − d_ij, 1e-10)), w_ii = 0; −mean_i Σ_j w_ij·1[y_j ≠ y_i]/Σ_j w_ij,
    in -1..0; a sample whose weights all vanish is left out. Above 3,000 rows a seeded class-balanced sample, its size in component
    `rows`. O(rows²·D), in blocks.
    Abstains on one class, or rows that are all alike.

    Source: Singh et al., 2025.
    """
    need_two_classes(e)
    rows = sampled_rows(e, MAX_ROWS)
    x, y = e.image[rows].astype(np.float64), e.y[rows]
    width = np.ptp(x, axis=0)
    if not width.any():
        raise Abstain("all rows are alike")
    x = (x - x.min(0)) / np.where(width > 0, width, 1)
    size, diameter = (x**2).sum(1), np.sqrt(e.d)
    shares = []
    for start in range(0, len(x), 1024):
        part = x[start : start + 1024]
        distance = np.sqrt(np.maximum(size[start : start + 1024, None] + size - 2 * (part @ x.T), 0))
        weights = np.exp2(-alpha * distance / np.maximum(diameter - distance, 1e-10))
        weights[np.arange(len(part)), np.arange(start, start + len(part))] = 0
        other = y[start : start + 1024, None] != y
        total = weights.sum(1)
        shares.append((weights * other).sum(1)[total > 0] / total[total > 0])
    found = np.concatenate(shares)
    if not len(found):
        raise Abstain("no sample has a neighbour near enough to weigh anything")
    return -float(found.mean())
