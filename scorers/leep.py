"""The log expected empirical prediction."""

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Embeddings


@scorer(needs={"image", "labels", "source_probs"}, predicts={"accuracy": +1}, cite="nguyen2020leep")
def leep(e: Embeddings) -> float:
    """Mean log likelihood of the labels under the source posterior followed by the empirical label given the source class.

    Formula: `mean_i ln Σ_z q(y_i|z)·P_iz` with P (N, Z) the source posterior and `q(y|z) = Σ_{i: y_i=y} P_iz / Σ_i P_iz`. Some
    published copies omit the logarithm, others negate it.

    Values: in nats, in −H(Y)..0.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class.

    Cost: `O(N·Z)`.

    Source: Nguyen et al., ICML 2020.
    """
    need_two_classes(e)
    joint = np.zeros((len(e.classes), e.source_probs.shape[1]))  # (C, Z): Σ_{i: y_i=c} P_iz
    for c, p in e.class_probs():
        joint[c] += p.sum(0)
    mass = joint.sum(0)
    # a source class without mass gets q = 0, not 0/0
    conditional = joint / np.where(mass > 0, mass, 1.0)  # q(y|z)
    # never ln 0: the mass of a sample is part of the joint of its own class
    return sum(float(np.log(p @ conditional[c]).sum()) for c, p in e.class_probs()) / e.n
