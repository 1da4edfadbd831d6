"""PARC: do samples that the features tell apart have different labels?"""

import numpy as np

from scorers._contract import Abstain, need_two_classes, scorer
from scorers._embeddings import Embeddings, Floats
from scorers._sampling import sampled, sampled_rows

MAX_ROWS = 500


def _standardised(x: Floats) -> Floats:
    return np.asarray((x - x.mean(0)) / (x.std(0) + 1e-8))


def _dissimilarity(x: Floats) -> Floats:
    """1 − Pearson's correlation of every two rows, as the lower triangle in a row."""
    x = x - x.mean(1, keepdims=True)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(1 - (x @ x.T)[np.tril_indices(len(x), -1)])


@scorer(
    needs={"image", "labels"},
    predicts={"accuracy": +1},
    cite="bolya2021parc",
    components=sampled(MAX_ROWS),
    cost="pairs",
)
def parc(e: Embeddings, *, dimensions: int | None = 32, max_rows: int = MAX_ROWS, label_ties: str = "exact") -> float:
    """Rank correlation, times 100, of how unlike two samples are in features and in labels.

    Spearman between 1 − Pearson (over samples) of the features and of the one-hot labels; the features reduced to 32 principal
    components (each turned so that its third moment is positive, since 1 − Pearson depends on their signs) and then standardised;
    in -100..100. Above 500 rows a seeded class-balanced sample, its size in component `rows`.
    O(rows²·D).

    dimensions=None takes no principal components and standardises each feature, as published code does by default: another
    number (39 where 26 stands on the digits of scikit-learn).

    label_ties="published" correlates the one-hot rows in floating point as published code does. All pairs of different classes are
    tied there, and rounding breaks those ties by which two classes they are: another number, by up to 4 % on the golden inputs, that
    changes with the order of the classes.
    Abstains on one class, or a sample without variance over its dimensions.

    Source: Bolya, Mittapalli, Hoffman, NeurIPS 2021.
    """
    from scipy.stats import rankdata

    if label_ties not in ("exact", "published"):
        raise ValueError(f"label_ties is '{label_ties}'; give 'exact' or 'published'")
    need_two_classes(e)
    rows = sampled_rows(e, max_rows)
    x, y = e.image[rows].astype(np.float64), e.y[rows]
    if dimensions is not None:
        x = x - x.mean(0)
        left, values, _ = np.linalg.svd(x, full_matrices=False)
        x = (left * values)[:, : min(dimensions, len(x) - 1)]
        x = x * np.where((x**3).sum(0) < 0, -1, 1)
    unlike = _dissimilarity(_standardised(x))
    lower = np.tril_indices(len(y), -1)
    if label_ties == "published":
        labels = 1 - np.asarray(np.corrcoef(np.eye(len(e.classes))[y]))[lower]
    else:  # of one-hot rows, 1 − Pearson takes two values alone
        labels = (y[:, None] != y)[lower].astype(np.float64)
    known = np.isfinite(unlike)
    if not known.all():
        raise Abstain("a sample has no variance over its dimensions, hence no correlation with others")
    a, b = rankdata(unlike), rankdata(labels)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        raise Abstain("all samples are equally unlike each other")
    return 100 * float(np.corrcoef(a, b)[0, 1])
