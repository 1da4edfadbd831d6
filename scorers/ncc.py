"""Leave-one-out accuracy of the nearest class mean."""

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Embeddings


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="mensink2013ncm")
def ncc(e: Embeddings) -> float:
    """Share of samples whose nearest class mean is that of their class, each sample left out of its own.

    Euclidean distance, in 0..1; the only sample of a class counts as wrong. O(N·C·D).
    Abstains on one class.

    Source: Mensink et al., TPAMI 2013.
    """
    need_two_classes(e)
    s = e.statistics
    size = (s.means**2).sum(1)
    # without x its class mean is (n·μ − x)/(n − 1), so that |x − it| = |x − μ|·n/(n − 1)
    with np.errstate(divide="ignore"):
        stretch = (s.counts / (s.counts - 1)) ** 2
    right = 0
    for x, y in e.blocks():
        rows = np.arange(len(y))
        distance = (x**2).sum(1)[:, None] - 2 * x @ s.means.T + size
        distance[rows, y] *= stretch[y]
        distance[rows[s.counts[y] < 2], y[s.counts[y] < 2]] = np.inf
        right += int((distance.argmin(1) == y).sum())
    return right / e.n
