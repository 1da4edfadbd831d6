"""TransRate: the mutual information of features and labels by coding rates."""

import numpy as np

from scorers._contract import Abstain, scorer
from scorers._embeddings import Embeddings

EPSILON = 1e-4


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="huang2022transrate")
def transrate(e: Embeddings, *, weights: str = "uniform") -> float:
    """Coding rate of all features minus the mean coding rate of one class's.

    R(Z) − mean_c R(Z_c) with R(Z) = ½ logdet(I + Z'Z/(nε)), ε = 1e-4, Z centred by the global mean (the classes too). In nats;
    grows with D. weights="uniform" takes the mean over classes as published code does, "prior" weighs them by size as the
    paper does; they differ under imbalance. O(N·D·min(D, n_c)).

    Source: Huang et al., ICML 2022.
    """
    if weights not in ("uniform", "prior"):
        raise ValueError(f"weights is '{weights}'; give 'uniform' or 'prior'")
    if len(e.classes) < 2:
        raise Abstain("needs at least 2 classes, found 1")
    s = e.statistics
    values, _ = e.scatter_eigen
    whole = 0.5 * float(np.log1p(values / (e.n * EPSILON)).sum())
    rates = []
    for rows in e.class_rows():
        z = rows - s.mean
        small = z @ z.T if len(z) < e.d else z.T @ z
        small /= len(z) * EPSILON
        small[np.diag_indices_from(small)] += 1
        rates.append(0.5 * float(np.linalg.slogdet(small)[1]))
    share = s.counts / s.n if weights == "prior" else None
    return whole - float(np.average(rates, weights=share))
