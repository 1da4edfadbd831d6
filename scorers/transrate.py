"""TransRate: the mutual information of features and labels by coding rates."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Embeddings
from scorers._statistics import Floats

EPSILON = 1e-4


def _rate(blocks: Iterator[Floats], n: int, d: int) -> float:
    """`R(Z)` of n rows that come in blocks; from ZZ' (n, n) instead of Z'Z (D, D) where that is smaller."""
    # logdet(I + Z'Z/(n·ε)) = logdet(I + ZZ'/(n·ε))
    if n < d:
        z = np.concatenate(list(blocks))
        gram = z @ z.T
    else:
        gram = np.zeros((d, d))
        for z in blocks:
            gram += z.T @ z
    gram /= n * EPSILON
    gram[np.diag_indices_from(gram)] += 1
    # positive definite, so logdet = 2 Σ ln of the diagonal of its Cholesky factor
    return float(np.log(np.diagonal(np.linalg.cholesky(gram))).sum())


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="huang2022transrate")
def transrate(e: Embeddings, *, weights: str = "uniform") -> float:
    """Coding rate of all features minus the mean coding rate of the features of one class.

    Formula: `R(Z) − mean_c R(Z_c)` with `R(Z) = ½·logdet(I + Z'Z/(n·ε))`, n the number of rows of Z, `ε = 1e-4`; Z (N, D) is centred by
    the global mean, the classes too.

    Values: in nats, unbounded; grows with D.

    Options: weights of the mean over classes, "uniform" as in published code, or "prior" by class size as in the paper; the two differ
    where classes are imbalanced.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class.

    Cost: `O(Σ_c n_c·D·min(D, n_c) + D³)`.

    Source: Huang et al., ICML 2022.
    """
    if weights not in ("uniform", "prior"):
        raise ValueError(f"weights is '{weights}'; give 'uniform' or 'prior'")
    need_two_classes(e)
    s = e.statistics
    values, _ = e.scatter_eigen
    whole = 0.5 * float(np.log1p(values / (e.n * EPSILON)).sum())  # logdet from the eigenvalues of Z'Z
    rates = []
    for c, blocks in groupby(e.class_blocks(), key=lambda block: block[0]):
        rates.append(_rate((z - s.mean for _, z in blocks), int(s.counts[c]), e.d))
    share = s.counts / s.n if weights == "prior" else None
    return whole - float(np.average(rates, weights=share))
