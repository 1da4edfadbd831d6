"""The negative conditional entropy of the labels given the source classes."""

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Embeddings


@scorer(needs={"image", "labels", "source_probs"}, predicts={"accuracy": +1}, cite="tran2019nce")
def nce(e: Embeddings) -> float:
    """Negative conditional entropy of the label given the most likely source class.

    Formula: `−H(Y|Z) = Σ_{y,z} p(y, z)·ln p(y|z)` from the counts of `(y_i, argmax_z P_iz)`, P (N, Z) the source posterior. Several
    published tables swap the arguments; `−H(Z|Y)` is another number.

    Values: in nats, in −H(Y)..0.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class.

    Cost: `O(N·Z)`.

    Source: Tran et al., ICCV 2019.
    """
    need_two_classes(e)
    shape = len(e.classes), e.source_probs.shape[1]
    counts = np.zeros(shape)  # (C, Z)
    for start in range(0, e.n, e.block_rows):
        rows = slice(start, start + e.block_rows)
        # a pair (c, z) as the one number c·Z + z, which bincount counts fastest
        pairs = e.y[rows] * shape[1] + e.source_probs[rows].argmax(1)
        counts += np.bincount(pairs, minlength=counts.size).reshape(shape)
    joint = counts / e.n
    conditional = counts / np.maximum(counts.sum(0), 1)  # p(y|z)
    positive = counts > 0  # 0·ln 0 = 0
    return float((joint[positive] * np.log(conditional[positive])).sum())
