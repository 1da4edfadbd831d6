"""Embeddings of one (model, task): the inputs of the scorers, checked, read-only, and with their shared statistics.

Notation, here and in the scorers: N samples, D dimensions, C classes that occur, Z source classes; X (N, D) the rows in float64.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike

from scorers._statistics import Array, EmbeddingsError, Floats, Ints, Statistics, eigen, freeze, statistics

BLOCK_BYTES = 32 * 2**20  # size of a block of rows in float64

# Inputs that a scorer can declare, with the words of the message where one is missing.
NEEDS = {
    "image": "image embeddings",
    "labels": "labels",
    "text": "class text embeddings",
    "source_probs": "a posterior over a source vocabulary",
    "logit_scale": "the model's logit scale",
    "energy": "logits (class texts and the logit scale, or a source classifier's energy)",
    "label_views": "class texts under the text towers of other models",
    "general": "the mean and deviation of the model's features over many tasks",
    "n_parameters": "the model's number of parameters",
    "ledger": "the model's measured ranks on other tasks",
    "seed": "a seed",
}


class Abstain(Exception):
    """The score is not defined on these embeddings; the message is the reason, in one line."""


def _missing(needs: Iterable[str]) -> Abstain:
    return Abstain(f"needs {' and '.join(NEEDS[need] for need in needs)}")


@dataclass(frozen=True)
class ZeroShot:
    """The zero-shot classifier on the rows.

    accuracy: share of rows whose label's text is the nearest.  margin: mean similarity to the own text minus that to the nearest
    other one.  entropy: mean entropy of the posterior, in nats; NaN without a logit scale.
    """

    accuracy: float
    margin: float
    entropy: float


T = TypeVar("T")


def timed(compute: Callable[["Embeddings"], T]) -> "cached_property[T]":
    """A property that is computed once; its time counts as time of the statistics, not of the scorer that reads it first."""

    def measure(self: "Embeddings") -> T:
        started, earlier = time.perf_counter(), self.statistics_seconds
        value = compute(self)
        # assigned, not added: a timed property read inside `compute` is part of this one's time
        vars(self)["statistics_seconds"] = earlier + time.perf_counter() - started
        return freeze(value)

    measure.__doc__ = compute.__doc__
    return cached_property(measure)


class Embeddings:
    """Inputs of the scorers for one (model, task). Arrays are stored as given and returned read-only; attributes cannot be replaced.

    image: (N, D) image embeddings of any float type; may be memory-mapped.  labels: (N,) classes in 0..C-1.
    text: (C, D) class text embeddings, row c for class c.  source_probs: (N, Z), each row a distribution over source classes.
    logit_scale, logit_bias: of the model's similarities.  energy: (N,) logsumexp of a source classifier's logits; without it, that
    of the scaled similarities with the class texts.  label_views: class texts under other models' text towers, each (C, E_k).
    general: mean and deviation, (D,) each, of the model's features over many tasks.  n_parameters: of the model.
    ledger: the model's measured ranks on other tasks, in 0..1, 1 the best.  seed: for stochastic scorers.
    block_rows: number of rows read at a time; changes memory, not results.
    Nothing is normalised: pass unit rows where a score expects them.

    Reading an optional input that was not given raises Abstain. Raises EmbeddingsError, in one line that names the array, where
    the inputs contradict each other.
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
        self._text = None if text is None else _read_only(text, "text", 2)
        self._source_probs = None if source_probs is None else _read_only(source_probs, "source_probs", 2)
        self._energy = None if energy is None else _read_only(energy, "energy", 1)
        self._ledger = None if ledger is None else _read_only(ledger, "ledger", 1)
        self._label_views = (
            None if label_views is None else [_read_only(v, f"label_views[{k}]", 2) for k, v in enumerate(label_views)]
        )
        self._general = (
            None
            if general is None
            else (_read_only(general[0], "general_mean", 1), _read_only(general[1], "general_deviation", 1))
        )
        self.class_names = None if class_names is None else tuple(str(name) for name in class_names)
        self._logit_scale = None if logit_scale is None else float(logit_scale)
        self._n_parameters = n_parameters
        self.logit_bias, self.seed = float(logit_bias), int(seed)
        # 8 bytes a float64; at least 256 rows, however wide they are
        self.block_rows = block_rows or max(256, BLOCK_BYTES // (8 * max(1, self.image.shape[1])))
        self.statistics_seconds = 0.0
        self._memo: dict[str, Any] = {}
        self._check()
        self._sealed = True

    def __setattr__(self, name: str, value: Any) -> None:
        # properties that are computed once are stored past this method, in __dict__
        if "_sealed" in vars(self):
            raise AttributeError(f"Embeddings are read-only, and scorers share them: '{name}' cannot be set")
        super().__setattr__(name, value)

    def remember(self, key: str, compute: Callable[[], T]) -> T:
        """The value of `compute`, computed once for each key and read-only: what a score shares with its components."""
        if key not in self._memo:
            self._memo[key] = freeze(compute())
        return cast("T", self._memo[key])

    def _check(self) -> None:
        n, d = self.image.shape
        if not n or not d:
            raise EmbeddingsError(f"image: shape {self.image.shape} is empty")
        for name, array in (("text", self._text), ("source_probs", self._source_probs)):
            if array is not None:
                _require_finite(array, name, self.block_rows)
        _require_finite(self.image, "image", self.block_rows)
        self._check_classes()
        # without general there is nothing to zip with, hence not strict
        for name, part in zip(("general_mean", "general_deviation"), self._general or (), strict=False):
            if part.shape != (d,) or not np.isfinite(part).all():
                raise EmbeddingsError(f"{name}: should be {d} finite numbers, found shape {part.shape}")
        if self._n_parameters is not None and not (np.isfinite(self._n_parameters) and self._n_parameters > 0):
            raise EmbeddingsError(f"n_parameters: {self._n_parameters} is not above 0")
        if self._logit_scale is not None and not (np.isfinite(self._logit_scale) and self._logit_scale > 0):
            raise EmbeddingsError(f"logit_scale: {self._logit_scale} is not above 0")
        if self._energy is not None and (len(self._energy) != n or not np.isfinite(self._energy).all()):
            raise EmbeddingsError(
                f"energy: should be {n} finite numbers, one for each row of image, found shape {self._energy.shape}"
            )
        if self._source_probs is not None:
            if len(self._source_probs) != n:
                raise EmbeddingsError(f"source_probs: {len(self._source_probs)} rows where image has {n}")
            if not self._source_probs.shape[1]:
                raise EmbeddingsError("source_probs: has no columns; give a posterior over at least one source class")
            for p in _blocks(self._source_probs, self.block_rows):
                # the sum of a row rounded to float16 is off by up to 5e-4
                if p.min() < 0 or np.abs(p.sum(1) - 1).max() > 1e-3:
                    raise EmbeddingsError("source_probs: its rows are not distributions (non-negative, summing to 1)")

    def _check_classes(self) -> None:
        """The number of classes agrees between text, class_names, label_views and labels."""
        text, d = self._text, self.d
        if text is not None and text.shape[1] != d:
            raise EmbeddingsError(f"text: has {text.shape[1]} dimensions where image has {d}")
        if text is not None and self.class_names is not None and len(self.class_names) != len(text):
            raise EmbeddingsError(f"class_names: {len(self.class_names)} names for the {len(text)} rows of text")
        for k, view in enumerate(self._label_views or ()):
            _require_finite(view, f"label_views[{k}]", self.block_rows)
            # without text only a lower bound of the number of classes is known
            if len(view) <= self.labels.max() or (text is not None and len(view) != len(text)):
                raise EmbeddingsError(f"label_views[{k}]: has {len(view)} rows, which is not the number of classes")
        n_classes = len(text) if text is not None else len(self.class_names) if self.class_names is not None else None
        if n_classes is not None and self.labels.max() >= n_classes:
            raise EmbeddingsError(
                f"labels: class {int(self.labels.max())} is outside the {n_classes} classes (0..{n_classes - 1})"
            )

    # Optional inputs

    def has(self, need: str) -> bool:
        """Whether an input of `NEEDS` was given, or follows from those given."""
        if need == "energy":
            return self._energy is not None or (self.has("text") and self.has("logit_scale"))
        # image, labels and seed are always there, and have no attribute of this name
        return getattr(self, f"_{need}", True) is not None

    def require(self, needs: Iterable[str]) -> None:
        """Raise Abstain, naming every one of the inputs that is missing."""
        # in the order of NEEDS, not that of a set, so that the message is always the same
        if missing := [need for need in NEEDS if need in needs and not self.has(need)]:
            raise _missing(missing)

    @property
    def text(self) -> Array:
        """(C, D) class text embeddings."""
        return _given(self._text, "text")

    @property
    def source_probs(self) -> Array:
        """(N, Z) posterior over source classes."""
        return _given(self._source_probs, "source_probs")

    @property
    def logit_scale(self) -> float:
        """Factor of the similarities in the logits."""
        return _given(self._logit_scale, "logit_scale")

    @property
    def label_views(self) -> list[Array]:
        """Class texts under other models' text towers, each (C, E_k)."""
        return list(_given(self._label_views, "label_views"))

    @property
    def general(self) -> tuple[Array, Array]:
        """Mean and deviation, (D,) each, of the model's features over many tasks."""
        return _given(self._general, "general")

    @property
    def n_parameters(self) -> float:
        """Number of parameters of the model."""
        return _given(self._n_parameters, "n_parameters")

    @property
    def ledger(self) -> Array:
        """The model's measured ranks on other tasks, in 0..1, 1 the best."""
        return _given(self._ledger, "ledger")

    def inputs(self) -> dict[str, Any]:
        """The inputs that were given, by the names of the parameters of this class."""
        given = {
            "image": self.image,
            "labels": self.labels,
            "text": self._text,
            "source_probs": self._source_probs,
            "logit_scale": self._logit_scale,
            "logit_bias": self.logit_bias,
            "energy": self._energy,
            "class_names": self.class_names,
            "n_parameters": self._n_parameters,
            "label_views": self._label_views,
            "general": self._general,
            "ledger": self._ledger,
            "seed": self.seed,
            "block_rows": self.block_rows,
        }
        return {name: value for name, value in given.items() if value is not None}

    # Shapes and classes

    @property
    def n(self) -> int:
        """Number of samples, N."""
        return int(self.image.shape[0])

    @property
    def d(self) -> int:
        """Number of dimensions, D."""
        return int(self.image.shape[1])

    @cached_property
    def _occurring(self) -> tuple[Ints, Ints]:
        return freeze(np.unique(self.labels, return_inverse=True))

    @property
    def classes(self) -> Ints:
        """(C,) the labels that occur, ascending. Scores of the features ignore other classes."""
        return self._occurring[0]

    @property
    def y(self) -> Ints:
        """(N,) position of each label in `classes`."""
        return self._occurring[1]

    def blocks(self) -> Iterator[tuple[Floats, Ints]]:
        """The rows in order, in blocks: (rows (n, D) in float64, class positions (n,))."""
        for start in range(0, self.n, self.block_rows):
            rows = slice(start, start + self.block_rows)
            yield self.image[rows].astype(np.float64), self.y[rows]

    def class_blocks(self) -> Iterator[tuple[int, Floats]]:
        """The rows class by class, in blocks: (class position, rows (n, D) in float64)."""
        return self._by_class(self.image)

    def class_probs(self) -> Iterator[tuple[int, Floats]]:
        """The source posterior class by class, in blocks: (class position, rows (n, Z) in float64)."""
        return self._by_class(self.source_probs)

    def _by_class(self, array: Array) -> Iterator[tuple[int, Floats]]:
        # stable: the rows of a class keep their order
        order = np.argsort(self.y, kind="stable")
        for c, rows in enumerate(np.split(order, np.cumsum(np.bincount(self.y))[:-1])):
            for start in range(0, len(rows), self.block_rows):
                yield c, array[rows[start : start + self.block_rows]].astype(np.float64)

    # Shared statistics

    @timed
    def statistics(self) -> Statistics:
        """The sums over all rows, from one pass."""
        return statistics(self.blocks(), len(self.classes))

    @timed
    def gram_eigen(self) -> tuple[Floats, Floats]:
        """Eigenvalues (D,), non-negative and ascending, and eigenvectors (D, D) of `X'X`."""
        return eigen(self.statistics.gram)

    @timed
    def scatter_eigen(self) -> tuple[Floats, Floats]:
        """Eigenvalues and eigenvectors of the total scatter, as `gram_eigen`."""
        return eigen(self.statistics.scatter)

    @timed
    def energy(self) -> Floats:
        """(N,) logsumexp of the logits: those given, or `ln Σ_c exp(scale·⟨x_i, t_c⟩ + bias)`."""
        if self._energy is not None:
            return self._energy.astype(np.float64)
        self.require(("energy",))
        text, parts = self.text.astype(np.float64), []
        for x, _ in self.blocks():
            logits = self.logit_scale * (x @ text.T) + self.logit_bias  # (n, C)
            highest = logits.max(1)
            # ln Σ exp(l) = max + ln Σ exp(l − max), which does not overflow
            parts.append(highest + np.log(np.exp(logits - highest[:, None]).sum(1)))
        return np.concatenate(parts)

    @timed
    def zero_shot(self) -> ZeroShot:
        """The zero-shot classifier, from one pass over the similarities of rows and class texts."""
        text = self.text.astype(np.float64)
        correct, margin, entropy = 0, 0.0, 0.0 if self.has("logit_scale") else float("nan")
        for start in range(0, self.n, self.block_rows):
            rows = slice(start, start + self.block_rows)
            # labels, not positions in `classes`: text has a row for every class, also for one that does not occur
            similarity, y = self.image[rows].astype(np.float64) @ text.T, self.labels[rows]  # (n, C), (n,)
            correct += int((similarity.argmax(1) == y).sum())
            if self.has("logit_scale"):
                # the bias cancels in the softmax
                logits = self.logit_scale * similarity
                logits -= logits.max(1, keepdims=True)
                weights = np.exp(logits)
                total = weights.sum(1)
                # H(p) = ln Σ w − Σ w·logit / Σ w
                entropy += float((np.log(total) - np.einsum("ij,ij->i", weights, logits) / total).sum())
            own = similarity[np.arange(len(y)), y]
            # the largest of the rest is the nearest other text; with a single text it is −inf, and the margin +inf
            similarity[np.arange(len(y)), y] = -np.inf
            margin += float((own - similarity.max(1)).sum())
        return ZeroShot(correct / self.n, margin / self.n, entropy / self.n)


def _given(value: T | None, need: str) -> T:
    """The value of an optional input; raises Abstain where it is missing."""
    if value is None:
        raise _missing((need,))
    return value


def _read_only(values: ArrayLike, name: str, ndim: int) -> Array:
    array = np.asanyarray(values)
    if array.dtype.kind not in "fiu":
        raise EmbeddingsError(f"{name}: dtype {array.dtype} is not numeric")
    if name == "image" and array.dtype.kind != "f":
        array = array.astype(np.float64)
    if array.ndim != ndim:
        raise EmbeddingsError(f"{name}: should have {ndim} dimensions, found shape {array.shape}")
    # a view, so that the caller's own array stays writeable
    view = array.view()
    view.flags.writeable = False
    return view


def _labels(values: ArrayLike, n: int) -> Ints:
    array = np.asarray(values)
    if array.ndim != 1 or len(array) != n:
        raise EmbeddingsError(f"labels: shape {array.shape} where image has {n} rows")
    if array.dtype.kind not in "iu":
        raise EmbeddingsError(f"labels: should be whole numbers, found {array.dtype}")
    labels = array.astype(np.int64)
    # after the cast, in which unsigned labels from 2^63 on become negative
    if len(labels) and labels.min() < 0:
        row = int(labels.argmin())
        raise EmbeddingsError(f"labels: {int(array[row])} at row {row} is not in 0..2^63-1")
    labels.flags.writeable = False
    return labels


def _blocks(array: Array, rows: int) -> Iterator[Floats]:
    for start in range(0, len(array), rows):
        yield array[start : start + rows].astype(np.float64)


def _require_finite(array: Array, name: str, rows: int) -> None:
    for k, block in enumerate(_blocks(array, rows)):
        # a finite sum proves finite values, without a Boolean array of the block's size
        if not np.isfinite(block.sum()) and not np.isfinite(block).all():
            row = k * rows + int(np.flatnonzero(~np.isfinite(block).all(1))[0])
            raise EmbeddingsError(f"{name}: row {row} contains NaN or Inf")
