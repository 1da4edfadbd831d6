"""INT: how far apart the classes are, pair by pair of samples."""

import numpy as np

from scorers._contract import Abstain, need_two_classes, scorer
from scorers._embeddings import Embeddings
from scorers._sampling import sampled, sampled_rows

MAX_ROWS = 5_000


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

    Euclidean distance of rows brought to unit length. Above 5,000 rows a seeded class-balanced sample, its size in component
    `rows`. O(rows²·D), in blocks.
    Abstains on one class, or a row of zeros.

    Source: Singh et al., 2025.
    """
    need_two_classes(e)
    rows = sampled_rows(e, MAX_ROWS)
    x, y = e.image[rows].astype(np.float64), e.y[rows]
    norms = np.linalg.norm(x, axis=1)
    if not norms.all():
        raise Abstain("a row is zero and has no direction")
    x /= norms[:, None]
    member = np.eye(len(e.classes))[y] / np.bincount(y)[y][:, None]
    between = np.zeros((len(e.classes), len(e.classes)))
    for start in range(0, len(x), 1024):
        part = slice(start, start + 1024)
        between += member[part].T @ np.sqrt(np.maximum(2 - 2 * (x[part] @ x.T), 0)) @ member
    return float(between[np.triu_indices(len(between), 1)].mean())
