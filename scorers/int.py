"""INT: the mean distance between samples of different classes."""

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Abstain, Embeddings
from scorers._sampling import sampled, sampled_rows

MAX_ROWS = 5_000
BLOCK = 1024  # rows whose distances to all others are in memory at a time


@scorer(
    name="int",
    needs={"image", "labels"},
    predicts={"accuracy": +1},
    cite="singh2025occam",
    components=sampled(MAX_ROWS),
    cost="pairs",
)
def int_(e: Embeddings) -> float:
    """Mean over pairs of classes of the mean distance between their samples.

    Formula: `mean_{c<c'} mean_{i∈c, j∈c'} ‖x_i − x_j‖`, the rows scaled to unit length.

    Values: in 0..2.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class, or a row of zeros.

    Cost: `O(rows²·D)`, in blocks. Above 5,000 rows a seeded sample, stratified by class, its size in component `rows`.

    Source: Singh et al., 2025.
    """
    need_two_classes(e)
    rows = sampled_rows(e, MAX_ROWS)
    x, y = e.image[rows].astype(np.float64), e.y[rows]
    norms = np.linalg.norm(x, axis=1)
    if not norms.all():
        raise Abstain("a row is zero and has no direction")
    x /= norms[:, None]
    # a sample keeps every class, hence C counts and none of them 0
    membership = np.eye(len(e.classes))[y] / np.bincount(y)[y][:, None]  # (rows, C), columns that average over a class
    between = np.zeros((len(e.classes), len(e.classes)))
    for start in range(0, len(x), BLOCK):
        block = slice(start, start + BLOCK)
        # of unit rows ‖x_i − x_j‖² = 2 − 2⟨x_i, x_j⟩
        between += membership[block].T @ np.sqrt(np.maximum(2 - 2 * (x[block] @ x.T), 0)) @ membership
    # above the diagonal, which averages over a class's own pairs
    return float(between[np.triu_indices(len(between), 1)].mean())
