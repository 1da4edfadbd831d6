"""Samples of rows for scores of quadratic cost, and an order of rows that does not depend on the order of the input."""

from collections.abc import Callable

import numpy as np

from scorers._embeddings import Embeddings
from scorers._statistics import Floats, Ints


def sampled_rows(e: Embeddings, limit: int) -> Ints:
    """Indices of all rows, or of a seeded sample of at most about `limit` rows, ascending.

    In the sample every class keeps its share of the rows, at least two rows where it has two.
    """
    if e.n <= limit:
        return np.arange(e.n)
    rng = np.random.default_rng(e.seed)
    order = rng.permutation(e.n)
    order = order[np.argsort(e.y[order], kind="stable")]  # shuffled within each class
    sizes = np.bincount(e.y)
    # min(n_c, max(2, ⌊n_c·limit/N⌋)): rounded down, so that only the minimum of two can exceed the limit
    share = np.minimum(sizes, np.maximum(2, np.floor(sizes * (limit / e.n)))).astype(int)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    # ascending, since rows of a memory-mapped array are read fastest in order
    return np.sort(np.concatenate([order[start : start + k] for start, k in zip(starts, share, strict=True)]))


def sampled(limit: int) -> Callable[[Embeddings], dict[str, float]]:
    """The component `rows`: the number of rows that the score was computed on."""
    return lambda e: {"rows": float(len(sampled_rows(e, limit)))}


def canonical_order(projections: Floats, y: Ints) -> Ints:
    """An order of the rows that does not depend on their given order, on a rotation of them or on the numbers of the classes.

    Class by class, sorted by `projections` (N,), the rows' inner products with their mean.
    """
    class_means = np.bincount(y, projections) / np.bincount(y)  # (C,)
    # the last key is the primary one: classes by the projection of their mean, then rows by their own
    return np.lexsort((projections, class_means[y]))
