"""Leave-one-out accuracy of the nearest neighbour."""

import numpy as np

from scorers._contract import Abstain, scorer
from scorers._embeddings import Embeddings

MAX_ROWS = 10_000


def sampled_rows(e: Embeddings, limit: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
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


@scorer(
    needs={"image", "labels"},
    predicts={"accuracy": +1},
    cite="renggli2022which",
    components=lambda e: {"rows": float(len(sampled_rows(e, MAX_ROWS)))},
)
def knn(e: Embeddings) -> float:
    """Share of samples whose nearest other sample is of their class.

    Euclidean distance on the rows as given (on unit rows the same order as cosine); in 0..1; ties go to the earlier row. Above
    10,000 rows a seeded class-balanced sample, its size in component `rows`. O(rows²·D), in blocks.

    Source: Renggli et al., CVPR 2022.
    """
    if len(e.classes) < 2:
        raise Abstain("needs at least 2 classes, found 1")
    rows = sampled_rows(e, MAX_ROWS)
    x, y = e.image[rows].astype(np.float64), e.y[rows]
    norms = (x**2).sum(1)
    right = 0
    for start in range(0, len(x), 1024):
        part = x[start : start + 1024]
        distance = norms - 2 * (part @ x.T)
        distance[np.arange(len(part)), np.arange(start, start + len(part))] = np.inf
        right += int((y[distance.argmin(1)] == y[start : start + 1024]).sum())
    return right / len(x)
