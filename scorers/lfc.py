"""Label-feature correlation."""

import numpy as np

from scorers._contract import Abstain, scorer
from scorers._embeddings import Embeddings


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="deshpande2021lfc", cost="sums")
def lfc(e: Embeddings) -> float:
    """Cosine between the centred similarity matrix of the samples and the matrix of "same class".

    K = XX' less its grand mean, L_ij = +1 where y_i = y_j and −1 elsewhere, less its grand mean: ⟨K, L⟩/(‖K‖‖L‖), in -1..1.
    Neither is formed: ‖XX'‖ = ‖X'X‖, and ⟨XX', L⟩ needs only the class sums. O(D²) after the shared pass.
    Abstains on one class, or rows that are all alike.

    Source: Deshpande et al., 2021.
    """
    s = e.statistics
    n2 = s.n**2
    total = float((s.sums.sum(0) ** 2).sum())
    same = float((s.counts**2).sum())
    label_mean = (2 * same - n2) / n2
    product = 2 * float((s.sums**2).sum()) - total - n2 * (total / n2) * label_mean
    features = float((s.gram**2).sum()) - total * total / n2
    labels = n2 - n2 * label_mean**2
    if features <= 0 or labels <= 0:
        raise Abstain("needs at least 2 classes and samples that differ")
    return product / float(np.sqrt(features * labels))
