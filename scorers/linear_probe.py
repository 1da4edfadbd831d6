"""Cross-validated accuracy of a linear classifier."""

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Abstain, Embeddings
from scorers._sampling import canonical_order
from scorers._statistics import Ints

FOLDS = 5


def folds(e: Embeddings) -> Ints:
    """(N,) the fold of each row: the rows in canonical order, dealt out in turn, so that folds are stratified by class."""
    fold = np.empty(e.n, np.int64)
    projections = np.concatenate([x @ e.statistics.mean for x, _ in e.blocks()])
    # the seed turns the deal: it changes the fold of a row, not which rows share one
    fold[canonical_order(projections, e.y)] = (np.arange(e.n) + e.seed) % FOLDS
    return fold


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="hoerl1970ridge")
def linear_probe(e: Embeddings, *, ridge: float = 1.0) -> float:
    """Accuracy of ridge regression on the labels in stratified five-fold cross-validation.

    Formula: in each fold `W = (X'X + ridge·I)⁻¹X'Y`, X centred and Y one-hot in ±1, centred; the predicted class is that of the
    largest output. The sums of the training folds are those of all rows minus those of the test fold.

    Values: in 0..1.

    Options: ridge, the penalty of `‖W‖²`.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class, fewer than 10 samples, or values too large for the penalty.

    Cost: `O(N·D² + D³)`; every row is read twice.

    Source: ridge regression, Hoerl and Kennard, 1970; linear probes as measured on CLIP: Radford et al., ICML 2021.
    """
    from scipy.linalg import cho_factor, cho_solve

    need_two_classes(e)
    # two test samples in each fold
    if e.n < 2 * FOLDS:
        raise Abstain(f"needs at least {2 * FOLDS} samples, found {e.n}")
    s, fold = e.statistics, folds(e)
    correct = 0
    for k in range(FOLDS):
        test = np.flatnonzero(fold == k)
        x = e.image[test].astype(np.float64)
        n = s.n - len(test)
        sums = s.sums.copy()
        # unbuffered: several test rows can have the same class
        np.subtract.at(sums, e.y[test], x)
        counts = s.counts - np.bincount(e.y[test], minlength=len(s.counts))
        mean, target = sums.sum(0) / n, 2 * counts / n - 1  # means of X (D,) and Y (C,) over the training folds
        # centred X'X of the training folds
        gram = s.gram - x.T @ x - n * np.outer(mean, mean)
        gram[np.diag_indices_from(gram)] += ridge
        try:
            factor = cho_factor(gram)
        except np.linalg.LinAlgError:
            raise Abstain("the values are so large that the penalty is lost in rounding") from None
        # X'Y with Y = 2·onehot − 1, both centred
        # X'(2O − 1) − n·m_X·m_Y', O the one-hot labels: 2·(class sums)' less the sum of all rows in each column
        weights = cho_solve(factor, 2 * sums.T - sums.sum(0)[:, None] - n * np.outer(mean, target))
        # the intercept is the mean of Y, since both sides are centred
        correct += int((((x - mean) @ weights + target).argmax(1) == e.y[test]).sum())
    return correct / e.n
