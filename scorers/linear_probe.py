"""Cross-validated accuracy of a linear classifier."""

import numpy as np

from scorers._contract import Abstain, need_two_classes, scorer
from scorers._embeddings import Embeddings, Ints
from scorers._sampling import canonical_order

FOLDS = 5


def folds_of(e: Embeddings) -> Ints:
    """(N,) the fold of each row, class after class dealt out in turn."""
    fold = np.empty(e.n, np.int64)
    along = np.concatenate([x @ e.statistics.mean for x, _ in e.blocks()])
    fold[canonical_order(along, e.y)] = (np.arange(e.n) + e.seed) % FOLDS
    return fold


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="hoerl1970ridge")
def linear_probe(e: Embeddings, *, ridge: float = 1.0) -> float:
    """Accuracy of ridge regression on the labels in stratified five-fold cross-validation.

    One-hot targets ±1, an intercept, penalty ridge·‖W‖²; the class of the largest output; in 0..1. The sums of a fold taken from
    those of all rows are those of the rest, so that every row is read twice: O(N·D² + D³).
    Abstains on one class, or fewer than 10 samples.

    Source: ridge regression, Hoerl and Kennard, 1970; linear probes as measured on CLIP: Radford et al., ICML 2021.
    """
    from scipy.linalg import cho_factor, cho_solve

    need_two_classes(e)
    if e.n < 2 * FOLDS:
        raise Abstain(f"needs at least {2 * FOLDS} samples, found {e.n}")
    s, fold = e.statistics, folds_of(e)
    right = 0
    for k in range(FOLDS):
        held = np.flatnonzero(fold == k)
        x = e.image[held].astype(np.float64)
        n = s.n - len(held)
        sums = s.sums.copy()
        np.subtract.at(sums, e.y[held], x)
        counts = s.counts - np.bincount(e.y[held], minlength=len(s.counts))
        mean, target = sums.sum(0) / n, 2 * counts / n - 1
        gram = s.gram - x.T @ x - n * np.outer(mean, mean)
        gram[np.diag_indices_from(gram)] += ridge
        # X'Y with Y = 2·onehot − 1, both centred
        try:
            factor = cho_factor(gram)
        except np.linalg.LinAlgError:
            raise Abstain("the numbers are so large that the penalty is lost in rounding") from None
        weights = cho_solve(factor, 2 * sums.T - sums.sum(0)[:, None] - n * np.outer(mean, target))
        right += int((((x - mean) @ weights + target).argmax(1) == e.y[held]).sum())
    return right / e.n
