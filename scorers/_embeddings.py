"""Embeddings of one (model, task) and the sufficient statistics that most scores are functions of."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BLOCK_BYTES = 32 * 2**20  # a block of rows in float64


class EmbeddingsError(ValueError):
    """Embeddings that contradict themselves: a wrong shape, a number that is none, a label without a class."""


@dataclass(frozen=True)
class Statistics:
    """Sums over rows; those of two parts add up to those of the whole.

    counts (C,), sums (C, D) and squares (C, D): size, sum and sum of squares of each class.  gram (D, D) = X'X.
    norms4 = sum of |x|^4 and weighted (D,) = sum of |x|^2 x, which Ledoit and Wolf's shrinkage wants.
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
        return float(self.counts.sum())

    @property
    def mean(self) -> Floats:
        return np.asarray(self.sums.sum(0) / self.n)

    @property
    def means(self) -> Floats:
        """(C, D) class means."""
        return self.sums / self.counts[:, None]

    @property
    def scatter(self) -> Floats:
        """(D, D) sum of (x - mean)(x - mean)'."""
        return self.gram - self.n * np.outer(self.mean, self.mean)

    @property
    def within(self) -> Floats:
        """(D, D) sum over classes of the scatter about the class's own mean."""
        return self.gram - (self.sums / self.counts[:, None]).T @ self.sums


def statistics(blocks: Iterable[tuple[Floats, Ints]], classes: int) -> Statistics:
    """Sum the statistics of row blocks, each (rows (n, D) float64, class of each row)."""
    from scipy.sparse import csr_matrix

    total: Statistics | None = None
    for x, y in blocks:
        member = csr_matrix((np.ones(len(y)), (y, np.arange(len(y)))), shape=(classes, len(y)))
        square = x * x
        norms2 = square.sum(1)
        part = Statistics(
            np.bincount(y, minlength=classes).astype(np.float64),
            member @ x,
            member @ square,
            x.T @ x,
            float(norms2 @ norms2),
            norms2 @ x,
        )
        total = part if total is None else total + part
    if total is None:
        raise EmbeddingsError("image: has no rows")
    return total


@dataclass(frozen=True)
class ZeroShot:
    """The zero-shot classifier on the rows. accuracy: share of rows whose label's text is the nearest.  margin: mean similarity to
    the own text less that to the nearest other one.  entropy: mean entropy of the posterior, in nats; None without a logit scale."""

    accuracy: float
    margin: float
    entropy: float | None


T = TypeVar("T")


def timed(compute: Callable[["Embeddings"], T]) -> "cached_property[T]":
    """A property computed once, its time booked under statistics and not under the scorer that asked first."""

    def measure(self: "Embeddings") -> T:
        started, inner = time.perf_counter(), self.statistics_seconds
        value = compute(self)
        self.statistics_seconds = inner + time.perf_counter() - started
        return value

    measure.__doc__ = compute.__doc__
    return cached_property(measure)


class Embeddings:
    """What a scorer may read about one (model, task). Arrays are kept as given and handed out read-only.

    image: (N, D) image embeddings, any float type, memory-mapped if one likes.  labels: (N,) classes in 0..C-1.
    text: (C, D) class text embeddings, row c for class c.  source_probs: (N, Z), each row a distribution over source classes.
    logit_scale, logit_bias: of the model's similarities.  label_views: class texts under other models' text towers, each (C, E_k).
    energy: (N,) logsumexp of a source classifier's logits; without it, that of the similarities with the class texts.
    general: mean and deviation (D,) each of the model's features in general, over many tasks.  ledger: the model's measured ranks on other tasks, 0..1, 1 the best.
    seed: for stochastic scorers.  block_rows: rows read at a time; changes memory, not results.
    Nothing is normalised: unit rows are the caller's business.

    Raises EmbeddingsError in one line that names the array.
    """

    def __init__(
        self,
        image: ArrayLike,
        labels: ArrayLike,
        *,
        text: ArrayLike | None = None,
        source_probs: ArrayLike | None = None,
        logit_scale: float | None = None,
        logit_bias: float = 0.0,
        energy: ArrayLike | None = None,
        class_names: Sequence[str] | None = None,
        n_parameters: float | None = None,
        label_views: Sequence[ArrayLike] | None = None,
        general: tuple[ArrayLike, ArrayLike] | None = None,
        ledger: ArrayLike | None = None,
        seed: int = 0,
        block_rows: int | None = None,
    ) -> None:
        self.image = _read_only(image, "image", 2)
        self.labels = _labels(labels, len(self.image))
        self.text = None if text is None else _read_only(text, "text", 2)
        self.source_probs = None if source_probs is None else _read_only(source_probs, "source_probs", 2)
        self._energy = None if energy is None else _read_only(energy, "energy", 1)
        self.ledger = None if ledger is None else _read_only(ledger, "ledger", 1)
        self.label_views = (
            None if label_views is None else [_read_only(v, f"label_views[{k}]", 2) for k, v in enumerate(label_views)]
        )
        self.general = (
            None
            if general is None
            else (_read_only(general[0], "general_mean", 1), _read_only(general[1], "general_deviation", 1))
        )
        self.class_names = None if class_names is None else [str(name) for name in class_names]
        self.logit_scale = None if logit_scale is None else float(logit_scale)
        self.logit_bias, self.n_parameters, self.seed = float(logit_bias), n_parameters, int(seed)
        self.block_rows = block_rows or max(256, BLOCK_BYTES // (8 * max(1, self.image.shape[1])))
        self.statistics_seconds = 0.0
        self.memo: dict[str, Any] = {}  # what a scorer works out once for its score and its components
        self._check()

    def _check(self) -> None:
        n, d = self.image.shape
        if not n or not d:
            raise EmbeddingsError(f"image: shape {self.image.shape} is empty")
        for name, array in (("text", self.text), ("source_probs", self.source_probs)):
            if array is not None:
                _finite(array, name, self.block_rows)
        _finite(self.image, "image", self.block_rows)
        if self.text is not None and self.text.shape[1] != d:
            raise EmbeddingsError(f"text: has {self.text.shape[1]} dimensions where image has {d}")
        if self.text is not None and self.class_names is not None and len(self.class_names) != len(self.text):
            raise EmbeddingsError(f"class_names: {len(self.class_names)} names for the {len(self.text)} rows of text")
        for k, view in enumerate(self.label_views or ()):
            _finite(view, f"label_views[{k}]", self.block_rows)
            if len(view) <= self.labels.max() or (self.text is not None and len(view) != len(self.text)):
                raise EmbeddingsError(f"label_views[{k}]: has {len(view)} rows, which are not the classes")
        for name, part in zip(("general_mean", "general_deviation"), self.general or (), strict=False):
            if part.shape != (d,) or not np.isfinite(part).all():
                raise EmbeddingsError(f"{name}: should be {d} finite numbers, found shape {part.shape}")
        known = (
            len(self.text) if self.text is not None else len(self.class_names) if self.class_names is not None else None
        )
        if known is not None and self.labels.max() >= known:
            raise EmbeddingsError(
                f"labels: class {int(self.labels.max())} is outside the {known} classes (0..{known - 1})"
            )
        if self.logit_scale is not None and not (np.isfinite(self.logit_scale) and self.logit_scale > 0):
            raise EmbeddingsError(f"logit_scale: {self.logit_scale} is not above 0")
        if self._energy is not None and (len(self._energy) != n or not np.isfinite(self._energy).all()):
            raise EmbeddingsError(
                f"energy: should be {n} finite numbers, one for each row of image, found shape {self._energy.shape}"
            )
        if self.source_probs is not None:
            if len(self.source_probs) != n:
                raise EmbeddingsError(f"source_probs: {len(self.source_probs)} rows where image has {n}")
            for p in _blocks(self.source_probs, self.block_rows):
                if p.min() < 0 or np.abs(p.sum(1) - 1).max() > 1e-3:
                    raise EmbeddingsError("source_probs: its rows are not distributions (non-negative, summing to 1)")

    # Shapes and classes

    @property
    def n(self) -> int:
        return int(self.image.shape[0])

    @property
    def d(self) -> int:
        return int(self.image.shape[1])

    @cached_property
    def _occurring(self) -> tuple[Ints, Ints]:
        return np.unique(self.labels, return_inverse=True)

    @property
    def classes(self) -> Ints:
        """The labels that occur, ascending. Feature scores know no other classes."""
        return self._occurring[0]

    @property
    def y(self) -> Ints:
        """(N,) position of each label in `classes`."""
        return self._occurring[1]

    def blocks(self) -> Iterator[tuple[Floats, Ints]]:
        """The rows in order, some at a time, in float64, each with its class position."""
        for start in range(0, self.n, self.block_rows):
            rows = slice(start, start + self.block_rows)
            yield self.image[rows].astype(np.float64), self.y[rows]

    def class_blocks(self) -> Iterator[tuple[int, Floats]]:
        """The rows in float64, some of one class at a time, each with the class's position."""
        return self._by_class(self.image)

    def class_probs(self) -> Iterator[tuple[int, Floats]]:
        """The source posterior in the same way."""
        assert self.source_probs is not None
        return self._by_class(self.source_probs)

    def _by_class(self, array: NDArray[Any]) -> Iterator[tuple[int, Floats]]:
        order = np.argsort(self.y, kind="stable")
        for c, rows in enumerate(np.split(order, np.cumsum(np.bincount(self.y))[:-1])):
            for start in range(0, len(rows), self.block_rows):
                yield c, array[rows[start : start + self.block_rows]].astype(np.float64)

    # Shared statistics

    @timed
    def statistics(self) -> Statistics:
        """One pass over the rows."""
        return statistics(self.blocks(), len(self.classes))

    @timed
    def gram_eigen(self) -> tuple[Floats, Floats]:
        """Eigenvalues (D,), never negative, and eigenvectors (D, D) of X'X."""
        return eigen(self.statistics.gram)

    @timed
    def scatter_eigen(self) -> tuple[Floats, Floats]:
        """The same of the centred X'X."""
        return eigen(self.statistics.scatter)

    @timed
    def energy(self) -> Floats | None:
        """(N,) logsumexp of the logits; None without a source classifier, or class texts and the logit scale."""
        if self._energy is not None:
            return self._energy.astype(np.float64)
        if self.text is None or self.logit_scale is None:
            return None
        text, parts = self.text.astype(np.float64), []
        for x, _ in self.blocks():
            logits = self.logit_scale * (x @ text.T) + self.logit_bias
            highest = logits.max(1)
            parts.append(highest + np.log(np.exp(logits - highest[:, None]).sum(1)))
        return np.concatenate(parts)

    @timed
    def zero_shot(self) -> ZeroShot:
        """One pass over the similarities of rows and class texts."""
        assert self.text is not None
        text = self.text.astype(np.float64)
        right, margin, entropy = 0, 0.0, 0.0
        for start in range(0, self.n, self.block_rows):
            rows = slice(start, start + self.block_rows)
            similar, y = self.image[rows].astype(np.float64) @ text.T, self.labels[rows]
            right += int((similar.argmax(1) == y).sum())
            if self.logit_scale is not None:
                logits = self.logit_scale * similar
                logits -= logits.max(1, keepdims=True)
                weights = np.exp(logits)
                total = weights.sum(1)
                entropy += float((np.log(total) - np.einsum("ij,ij->i", weights, logits) / total).sum())
            own = similar[np.arange(len(y)), y]
            similar[np.arange(len(y)), y] = -np.inf
            margin += float((own - similar.max(1)).sum())
        return ZeroShot(right / self.n, margin / self.n, None if self.logit_scale is None else entropy / self.n)


def eigen(matrix: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues, never negative, ascending, and eigenvectors of a symmetric matrix."""
    from scipy.linalg import eigh

    values, vectors = eigh(matrix, check_finite=False)
    return np.maximum(values, 0), vectors


def _read_only(values: ArrayLike, name: str, ndim: int) -> NDArray[Any]:
    array = np.asanyarray(values)
    if array.dtype.kind not in "fiu" or (ndim == 2 and array.dtype.kind != "f" and name == "image"):
        if array.dtype.kind not in "fiu":
            raise EmbeddingsError(f"{name}: holds {array.dtype}, not numbers")
        array = array.astype(np.float64)
    if array.ndim != ndim:
        raise EmbeddingsError(f"{name}: should have {ndim} dimensions, found shape {array.shape}")
    view = array.view()
    view.flags.writeable = False
    return view


def _labels(values: ArrayLike, n: int) -> Ints:
    array = np.asarray(values)
    if array.ndim != 1 or len(array) != n:
        raise EmbeddingsError(f"labels: shape {array.shape} where image has {n} rows")
    if array.dtype.kind not in "iu":
        raise EmbeddingsError(f"labels: should be whole numbers, found {array.dtype}")
    if len(array) and array.min() < 0:
        raise EmbeddingsError(f"labels: {int(array.min())} at row {int(array.argmin())} is negative")
    out = array.astype(np.int64)
    out.flags.writeable = False
    return out


def _blocks(array: NDArray[Any], rows: int) -> Iterator[Floats]:
    for start in range(0, len(array), rows):
        yield array[start : start + rows].astype(np.float64)


def _finite(array: NDArray[Any], name: str, rows: int) -> None:
    for k, block in enumerate(_blocks(array, rows)):
        if not np.isfinite(block.sum()) and not np.isfinite(block).all():
            row = k * rows + int(np.flatnonzero(~np.isfinite(block).all(1))[0])
            raise EmbeddingsError(f"{name}: row {row} holds NaN or Inf")
