"""The silhouette of the classes."""

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Abstain, Embeddings


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="rousseeuw1987silhouettes")
def silhouette(e: Embeddings) -> float:
    """Mean silhouette of the samples in their classes, by cosine distance.

    Formula: `mean_i (b_i − a_i)/max(a_i, b_i)`, a_i the mean distance to the others of its class, b_i the smallest mean distance to
    another class; 0 for the only sample of a class. The mean cosine distance to a class is one minus the inner product with the mean
    of the class's unit rows, so that no pairs are formed and no rows are sampled.

    Values: in −1..1.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class, or a row of zeros.

    Cost: `O(N·C·D)`.

    Source: Rousseeuw, 1987.
    """
    need_two_classes(e)
    counts = e.statistics.counts
    sums = np.zeros((len(counts), e.d))  # of unit rows, by class
    for x, y in e.blocks():
        norms = np.linalg.norm(x, axis=1)
        if not norms.all():
            raise Abstain("a row is zero and has no direction")
        np.add.at(sums, y, x / norms[:, None])
    total = 0.0
    for x, y in e.blocks():
        unit, rows = x / np.linalg.norm(x, axis=1)[:, None], np.arange(len(y))
        distance = 1 - unit @ (sums / counts[:, None]).T  # (n, C)
        n = counts[y]
        a = distance[rows, y] * n / np.maximum(n - 1, 1)  # the distance to itself is 0, and leaves the mean
        distance[rows, y] = np.inf
        b = distance.min(1)
        widest = np.maximum(a, b)
        # 0 for the only sample of a class, and where a = b = 0
        total += float(np.where((n > 1) & (widest > 0), (b - a) / np.where(widest > 0, widest, 1), 0).sum())
    return total / e.n
