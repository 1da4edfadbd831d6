"""The negative conditional entropy of the labels given the source classes."""

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Embeddings


@scorer(needs={"image", "labels", "source_probs"}, predicts={"accuracy": +1}, cite="tran2019nce")
def nce(e: Embeddings) -> float:
    """Negative conditional entropy of the label given the most likely source class.

    −H(Y|Z) in nats from the counts of (y_i, z_i = argmax_z P_iz); at most 0. Several published tables swap the arguments, and
    −H(Z|Y) is another number.
    Abstains on one class.

    Source: Tran et al., ICCV 2019.
    """
    assert e.source_probs is not None
    need_two_classes(e)
    counts = np.zeros((len(e.classes), e.source_probs.shape[1]))
    for start in range(0, e.n, e.block_rows):
        rows = slice(start, start + e.block_rows)
        np.add.at(counts, (e.y[rows], e.source_probs[rows].argmax(1)), 1)
    joint = counts / e.n
    given = counts / np.maximum(counts.sum(0), 1)
    some = counts > 0
    return float((joint[some] * np.log(given[some])).sum())
