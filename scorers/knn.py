"""Leave-one-out accuracy of the nearest neighbour."""

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Embeddings
from scorers._sampling import sampled, sampled_rows

MAX_ROWS = 10_000
BLOCK = 1024  # rows whose distances to all others are in memory at a time


@scorer(
    needs={"image", "labels"},
    predicts={"accuracy": +1},
    cite="renggli2022which",
    components=sampled(MAX_ROWS),
    cost="pairs",
)
def knn(e: Embeddings) -> float:
    """Share of samples whose nearest other sample has their label.

    Formula: `mean_i 1[y_j = y_i]` with `j = argmin_{j≠i} ‖x_i − x_j‖` on the rows as given; on unit rows the order is that of cosine
    similarity. Ties go to the earlier row.

    Values: in 0..1.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class.

    Cost: `O(rows²·D)`, in blocks. Above 10,000 rows a seeded sample, stratified by class, its size in component `rows`.

    Source: Renggli et al., CVPR 2022.
    """
    need_two_classes(e)
    rows = sampled_rows(e, MAX_ROWS)
    x, y = e.image[rows].astype(np.float64), e.y[rows]
    norms2 = (x**2).sum(1)
    correct = 0
    for start in range(0, len(x), BLOCK):
        block = x[start : start + BLOCK]
        distance = norms2 - 2 * (block @ x.T)  # squared, less ‖x_i‖², which does not change the order
        distance[np.arange(len(block)), np.arange(start, start + len(block))] = np.inf  # no sample is its own neighbour
        # argmin gives the first of equal distances, the earlier row
        correct += int((y[distance.argmin(1)] == y[start : start + BLOCK]).sum())
    return correct / len(x)
