"""The sums over rows that most scores are functions of, and the eigen-decomposition of a symmetric matrix.

Notation: N samples, D dimensions, C classes that occur; X (N, D) the rows in float64.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
T = TypeVar("T")


class EmbeddingsError(ValueError):
    """Inconsistent embeddings: a wrong shape or type, a value that is not finite, a label outside the classes."""

    def __init__(self, message: str) -> None:
        # a name from a file may contain a line end
        super().__init__("\\n".join(message.splitlines()))


@dataclass(frozen=True)
class Statistics:
    """Sums over rows. The statistics of two parts add up to those of the whole.

    counts (C,), sums (C, D) and squares (C, D): size, sum and sum of squares of each class.  gram (D, D): `X'X`.
    norms4: `Σ_i ‖x_i‖⁴`.  weighted (D,): `Σ_i ‖x_i‖²·x_i`.  The last two serve the Ledoit-Wolf shrinkage.
    """

    counts: Floats
    sums: Floats
    squares: Floats
    gram: Floats
    norms4: float
    weighted: Floats

    def __add__(self, other: "Statistics") -> "Statistics":
        return Statistics(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    @property
    def n(self) -> float:
        """Number of rows."""
        return float(self.counts.sum())

    @property
    def mean(self) -> Floats:
        """(D,) mean of all rows."""
        return np.asarray(self.sums.sum(0) / self.n)

    @property
    def means(self) -> Floats:
        """(C, D) class means."""
        return self.sums / self.counts[:, None]

    @property
    def scatter(self) -> Floats:
        """(D, D) total scatter `Σ_i (x_i − mean)(x_i − mean)'`."""
        return self.gram - self.n * np.outer(self.mean, self.mean)

    @property
    def within(self) -> Floats:
        """(D, D) within-class scatter: the sum over classes of the scatter about the class mean."""
        # X'X − Σ_c n_c·μ_c·μ_c'
        return self.gram - (self.sums / self.counts[:, None]).T @ self.sums


def statistics(blocks: Iterable[tuple[Floats, Ints]], classes: int) -> Statistics:
    """Sum the statistics of blocks, each (rows (n, D) in float64, class position (n,) in 0..classes-1).

    Raises EmbeddingsError where there are no blocks.
    """
    from scipy.sparse import csr_matrix

    total: Statistics | None = None
    for x, y in blocks:
        # sparse, so that a product with it costs O(n·D) rather than O(n·C·D)
        membership = csr_matrix((np.ones(len(y)), (y, np.arange(len(y)))), shape=(classes, len(y)))  # (C, n), one-hot
        square = x * x
        norms2 = square.sum(1)
        part = Statistics(
            counts=np.bincount(y, minlength=classes).astype(np.float64),
            sums=membership @ x,  # Σ_{i∈c} x_i
            squares=membership @ square,  # Σ_{i∈c} x_id²
            gram=x.T @ x,
            norms4=float(norms2 @ norms2),
            weighted=norms2 @ x,
        )
        total = part if total is None else total + part
    if total is None:
        raise EmbeddingsError("image: has no rows")
    return total


def freeze(value: T) -> T:
    """The value, with its arrays made read-only, also those in a tuple, list, dict or `Statistics`.

    Scorers share these results: one that changed them in place would change the scores of others.
    """
    if isinstance(value, np.ndarray):
        value.flags.writeable = False
    elif isinstance(value, Statistics):
        freeze(list(vars(value).values()))
    elif isinstance(value, dict):
        freeze(list(value.values()))
    elif isinstance(value, tuple | list):
        for part in value:
            freeze(part)
    return value


def eigen(matrix: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues (D,), clipped at 0 and ascending, and eigenvectors (D, D) of a symmetric matrix."""
    # numpy's driver, divide and conquer, is the faster one for all eigenvectors
    values, vectors = np.linalg.eigh(matrix)
    # rounding makes eigenvalues of 0 slightly negative
    return np.maximum(values, 0), vectors
