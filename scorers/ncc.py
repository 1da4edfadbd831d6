"""Leave-one-out accuracy of the nearest class mean."""

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Embeddings


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="mensink2013ncm")
def ncc(e: Embeddings) -> float:
    """Share of samples whose nearest class mean is that of their class, each sample left out of its own class mean.

    Formula: `mean_i 1[y_i = argmin_c ‖x_i − μ_c‖]`, Euclidean, μ_{y_i} without x_i. The only sample of a class counts as wrong.

    Values: in 0..1.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class.

    Cost: `O(N·C·D)`.

    Source: Mensink et al., TPAMI 2013.
    """
    need_two_classes(e)
    s = e.statistics
    norms2 = (s.means**2).sum(1)
    # without x its class mean is (n·μ − x)/(n − 1), at distance ‖x − μ‖·n/(n − 1) from x
    # a class of one sample gives 1/0, which no row reads: its distance is set below
    with np.errstate(divide="ignore"):
        stretch = (s.counts / (s.counts - 1)) ** 2
    correct = 0
    for x, y in e.blocks():
        rows = np.arange(len(y))
        distance = (x**2).sum(1)[:, None] - 2 * x @ s.means.T + norms2  # (n, C), squared
        distance[rows, y] *= stretch[y]
        distance[rows[s.counts[y] < 2], y[s.counts[y] < 2]] = np.inf  # the only sample of a class counts as wrong
        correct += int((distance.argmin(1) == y).sum())
    return correct / e.n
