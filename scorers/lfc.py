"""Label-feature correlation."""

import numpy as np

from scorers._contract import scorer
from scorers._embeddings import Abstain, Embeddings


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="deshpande2021lfc", cost="sums")
def lfc(e: Embeddings) -> float:
    """Cosine between the centred similarity matrix of the samples and the matrix of "same class".

    Formula: `⟨K, L⟩ / (‖K‖·‖L‖)` with `K = XX'` and L_ij = +1 where `y_i = y_j` and −1 elsewhere, both (N, N) less their grand mean.
    Neither is formed: `‖XX'‖ = ‖X'X‖`, and `⟨XX', L⟩` is a function of the class sums.

    Values: in −1..1.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class, or equal rows.

    Cost: `O(D²)` after the shared pass.

    Source: Deshpande et al., 2021.
    """
    s = e.statistics
    n2 = s.n**2
    total = float((s.sums.sum(0) ** 2).sum())  # Σ_ij ⟨x_i, x_j⟩
    same = float((s.counts**2).sum())  # number of ordered pairs of one class
    # mean of L: `same` entries of +1, N² − same of −1
    label_mean = (2 * same - n2) / n2
    # ⟨K, L⟩ = 2·Σ_c ‖s_c‖² − ‖s‖² − N²·mean(XX')·mean(L), s_c the class sums and s their sum
    product = 2 * float((s.sums**2).sum()) - total - n2 * (total / n2) * label_mean
    features = float((s.gram**2).sum()) - total * total / n2  # ‖K‖²
    labels = n2 - n2 * label_mean**2  # ‖L‖²
    if features <= 0 or labels <= 0:
        raise Abstain("needs at least 2 classes and samples that differ")
    return product / float(np.sqrt(features * labels))
