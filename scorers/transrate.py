"""TransRate: the mutual information of features and labels by coding rates."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Embeddings, Floats

EPSILON = 1e-4


def _rate(blocks: Iterator[Floats], n: int, d: int) -> float:
    """R of n rows that come in blocks: by their inner products where they are fewer than dimensions."""
    if n < d:
        z = np.concatenate(list(blocks))
        small = z @ z.T
    else:
        small = np.zeros((d, d))
        for z in blocks:
            small += z.T @ z
    small /= n * EPSILON
    small[np.diag_indices_from(small)] += 1
    return 0.5 * float(np.linalg.slogdet(small)[1])


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="huang2022transrate")
def transrate(e: Embeddings, *, weights: str = "uniform") -> float:
    """Coding rate of all features minus the mean coding rate of one class's.

    R(Z) − mean_c R(Z_c) with R(Z) = ½ logdet(I + Z'Z/(nε)), ε = 1e-4, Z centred by the global mean (the classes too). In nats;
    grows with D. weights="uniform" takes the mean over classes as published code does, "prior" weighs them by size as the
    paper does; they differ under imbalance. O(N·D·min(D, n_c)).
    Abstains on one class.

    Source: Huang et al., ICML 2022.
    """
    if weights not in ("uniform", "prior"):
        raise ValueError(f"weights is '{weights}'; give 'uniform' or 'prior'")
    need_two_classes(e)
    s = e.statistics
    values, _ = e.scatter_eigen
    whole = 0.5 * float(np.log1p(values / (e.n * EPSILON)).sum())
    rates = []
    for c, blocks in groupby(e.class_blocks(), key=lambda block: block[0]):
        rates.append(_rate((z - s.mean for _, z in blocks), int(s.counts[c]), e.d))
    share = s.counts / s.n if weights == "prior" else None
    return whole - float(np.average(rates, weights=share))
