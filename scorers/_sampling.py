"""Fewer rows for scores whose cost is quadratic, and an order of rows that does not depend on the one they come in."""

from collections.abc import Callable

import numpy as np

from scorers._embeddings import Embeddings, Floats, Ints


def sampled_rows(e: Embeddings, limit: int) -> Ints:
    """All rows, or a seeded sample of `limit` in which every class has its share, at least two where it has two."""
    if e.n <= limit:
        return np.arange(e.n)
    rng = np.random.default_rng(e.seed)
    order = rng.permutation(e.n)
    order = order[np.argsort(e.y[order], kind="stable")]
    sizes = np.bincount(e.y)
    share = np.minimum(sizes, np.maximum(2, np.floor(sizes * (limit / e.n)))).astype(int)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return np.sort(np.concatenate([order[s : s + k] for s, k in zip(starts, share, strict=True)]))


def sampled(limit: int) -> Callable[[Embeddings], dict[str, float]]:
    """The component `rows`, by which a score says on how many rows it was computed."""
    return lambda e: {"rows": float(len(sampled_rows(e, limit)))}


def canonical_order(along: Floats, y: Ints) -> Ints:
    """An order of the rows that is the same for any order and rotation they come in and any names of the classes: class by class,
    by `along` (N,), the rows' inner products with their mean."""
    middle = np.bincount(y, along) / np.bincount(y)
    return np.lexsort((along, middle[y]))
