"""Leave-one-out accuracy of the nearest neighbour."""

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Embeddings
from scorers._sampling import sampled, sampled_rows

MAX_ROWS = 10_000


@scorer(
    needs={"image", "labels"},
    predicts={"accuracy": +1},
    cite="renggli2022which",
    components=sampled(MAX_ROWS),
    cost="pairs",
)
def knn(e: Embeddings) -> float:
    """Share of samples whose nearest other sample is of their class.

    Euclidean distance on the rows as given (on unit rows the same order as cosine); in 0..1; ties go to the earlier row. Above
    10,000 rows a seeded class-balanced sample, its size in component `rows`. O(rows²·D), in blocks.
    Abstains on one class.

    Source: Renggli et al., CVPR 2022.
    """
    need_two_classes(e)
    rows = sampled_rows(e, MAX_ROWS)
    x, y = e.image[rows].astype(np.float64), e.y[rows]
    norms = (x**2).sum(1)
    right = 0
    for start in range(0, len(x), 1024):
        part = x[start : start + 1024]
        distance = norms - 2 * (part @ x.T)
        distance[np.arange(len(part)), np.arange(start, start + len(part))] = np.inf
        right += int((y[distance.argmin(1)] == y[start : start + 1024]).sum())
    return right / len(x)
