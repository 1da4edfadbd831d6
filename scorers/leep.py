"""The log expected empirical prediction."""

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Embeddings


@scorer(needs={"image", "labels", "source_probs"}, predicts={"accuracy": +1}, cite="nguyen2020leep")
def leep(e: Embeddings) -> float:
    """Mean log likelihood of the labels under the classifier "source posterior, then empirical label given source class".

    With P_iz the posterior and q(y|z) = Σ_{i: y_i=y} P_iz / Σ_i P_iz: mean_i ln Σ_z q(y_i|z)·P_iz. In nats, between −H(Y) and 0.
    Some published copies leave the logarithm out, some turn the sign. O(N·Z).
    Abstains on one class.

    Source: Nguyen et al., ICML 2020.
    """
    assert e.source_probs is not None
    need_two_classes(e)
    joint = np.zeros((len(e.classes), e.source_probs.shape[1]))
    for c, p in e.class_probs():
        joint[c] += p.sum(0)
    mass = joint.sum(0)
    given = joint / np.where(mass > 0, mass, 1.0)
    return sum(float(np.log(p @ given[c]).sum()) for c, p in e.class_probs()) / e.n
