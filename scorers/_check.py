"""The contract of a scorer as small named checks, each with the requirement it tests and the remedy for a failure."""

import contextlib
import inspect
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from scorers._contract import AnyScorer, is_scorer
from scorers._embeddings import NEEDS, Abstain, Embeddings

OPTIONAL = ("text", "source_probs", "logit_scale", "n_parameters", "label_views", "general", "ledger")
ROWS = 80  # with 70 dimensions, more than the 64 that NCTI needs of both


@dataclass(frozen=True)
class Outcome:
    """The outcome of one check. requirement: what it tests.  failure: the observation, blank where it passes.  remedy: the fix."""

    name: str
    requirement: str
    remedy: str
    failure: str = ""


def sample(n: int = ROWS, d: int = 70, classes: int = 4, seed: int = 0, **change: Any) -> Embeddings:
    """Random embeddings with every input that a scorer can need: unit rows around class centres; `change` replaces inputs."""
    rng = np.random.default_rng(seed)
    labels = change.pop("labels", None)
    if labels is None:
        labels = np.sort(np.arange(n) % classes)
    text = rng.normal(size=(max(classes, int(labels.max()) + 1), d))
    image = change.pop("image", None)
    if image is None:
        # off the origin, so that a missing centring shows
        image = 0.4 * text[labels] + rng.normal(size=(n, d)) + 0.3
        image /= np.linalg.norm(image, axis=1, keepdims=True)
    inputs: dict[str, Any] = {
        "text": text / np.linalg.norm(text, axis=1, keepdims=True),
        "source_probs": rng.dirichlet(np.full(9, 0.5), n),
        "logit_scale": 20.0,
        "n_parameters": 1e6,
        "label_views": [rng.normal(size=(len(text), 6)) for _ in range(3)],
        "general": (np.full(d, 0.05), np.full(d, 0.4)),
        "ledger": np.array([0.2, 0.6]),
        "seed": 7,
    }
    return Embeddings(image, labels, **inputs | change)


def _inputs(e: Embeddings) -> dict[str, Any]:
    return {name: getattr(e, name) for name in (*OPTIONAL, "seed")}


def _terms(function: AnyScorer, e: Embeddings) -> dict[str, float]:
    """The score, or the components of a pool-relative one, by the name that messages give them."""
    value = function(e)
    return dict(value) if isinstance(value, dict) else {"the score": value}


def _runs(function: AnyScorer, e: Embeddings) -> str:
    """No failure where the scorer gives a number or abstains; any other exception is reported by the caller."""
    with contextlib.suppress(Abstain):
        function(e)
    return ""


def _difference(function: AnyScorer, e: Embeddings, other: Embeddings, rel: float = 1e-6) -> str:
    first, second = _terms(function, e), _terms(function, other)
    for term, value in first.items():
        if not np.isclose(value, second[term], rtol=rel, atol=rel * 1e-3):
            return f"{term} is {value:.8g} before and {second[term]:.8g} after"
    return ""


def _declared(function: AnyScorer) -> str:
    return "" if is_scorer(function) else "it has no declaration"


def _docstring(function: AnyScorer) -> str:
    return "" if function.spec.summary.strip() else "it has no docstring"


def _citation(function: AnyScorer) -> str:
    return "" if function.spec.cite or function.spec.baseline else "cite is blank"


def _orientation(function: AnyScorer) -> str:
    return "" if function.spec.predicts or function.spec.undirected else "predicts is blank"


def _keywords(function: AnyScorer) -> str:
    _, *rest = inspect.signature(function.spec.function).parameters.values()
    for parameter in rest:
        if parameter.kind is not parameter.KEYWORD_ONLY or parameter.default is parameter.empty:
            return f"parameter '{parameter.name}' is not keyword-only with a default"
    return ""


def _number(function: AnyScorer) -> str:
    _terms(function, sample())
    return ""


def _needs(function: AnyScorer) -> str:
    needs = set(function.spec.needs)
    if "energy" in needs:  # the sample's energy follows from these two
        needs |= {"text", "logit_scale"}
    undeclared: dict[str, Any] = {name: None for name in OPTIONAL if name not in needs}
    _terms(function, sample(**undeclared))
    for name in needs & set(OPTIONAL):
        missing: dict[str, Any] = {name: None}
        try:
            function(sample(**missing))
        except Abstain:
            continue
        return f"it gives a number without {NEEDS[name]}"
    return ""


def _mutation(function: AnyScorer) -> str:
    e, copy = sample(), sample()
    _terms(function, e)
    for name in ("image", "labels", "text", "source_probs", "ledger"):
        if not np.array_equal(getattr(e, name), getattr(copy, name)):
            return f"{name} has changed"
    # a scorer that writes to shared statistics fails above, unless it makes them writable first
    for name in ("statistics", "gram_eigen", "scatter_eigen", "energy"):
        mine, others = getattr(e, name), getattr(copy, name)
        parts = (
            zip(vars(mine).values(), vars(others).values(), strict=True)
            if name == "statistics"
            else zip(mine, others, strict=True)
        )
        if not all(np.array_equal(a, b) for a, b in parts):
            return f"{name} has changed"
    return ""


def _repeatable(function: AnyScorer) -> str:
    # tolerance 0: the same bits
    return _difference(function, sample(), sample(), 0)


def _random_state(function: AnyScorer) -> str:
    before = str(np.random.get_state())
    _terms(function, sample())
    return "" if str(np.random.get_state()) == before else "numpy's global random state has changed"


def _order(function: AnyScorer) -> str:
    e = sample()
    order = np.random.default_rng(1).permutation(e.n)
    inputs = _inputs(e) | {"source_probs": e.source_probs[order]}
    return _difference(function, e, Embeddings(e.image[order], e.labels[order], **inputs))


def _renaming(function: AnyScorer) -> str:
    e = sample()
    new = np.array([2, 0, 3, 1])  # class c becomes class new[c]
    old = np.argsort(new)
    texts = {"text": e.text[old], "label_views": [view[old] for view in e.label_views]}
    return _difference(function, e, Embeddings(e.image, new[e.labels], **_inputs(e) | texts))


def _dtype(dtype: str, rel: float) -> Callable[[AnyScorer], str]:
    def check(function: AnyScorer) -> str:
        e = sample()
        return _difference(function, e, Embeddings(e.image.astype(dtype), e.labels, **_inputs(e)), rel)

    return check


def _float16(function: AnyScorer) -> str:
    e = sample()
    return _runs(function, Embeddings(e.image.astype(np.float16), e.labels, **_inputs(e)))


def _layout(function: AnyScorer) -> str:
    e = sample()
    wide = np.zeros((2 * e.n, 3 * e.d))
    wide[::2, ::3] = e.image
    return _difference(function, e, Embeddings(wide[::2, ::3], e.labels, **_inputs(e)))


def _blocks(function: AnyScorer) -> str:
    # 80 rows are 11 blocks of 7 and one of 3
    return _difference(function, sample(), sample(block_rows=7))


def _degenerate(make: Callable[[], Embeddings]) -> Callable[[AnyScorer], str]:
    return lambda function: _runs(function, make())


def _constant() -> Embeddings:
    image = np.array(sample().image)
    image[:, 20:] = 0.1
    return sample(image=image)


def _duplicates() -> Embeddings:
    image = np.array(sample().image)
    image[1::2] = image[::2]
    return sample(image=image)


def _time(function: AnyScorer) -> str:
    """Time on four times the rows is at most ten times as long; scorers of declared higher cost are exempt."""
    if function.spec.cost in ("pairs", "fit"):
        return ""
    seconds = []
    for n in (3_000, 12_000):
        repeats = []
        for _ in range(2):
            e = sample(n=n, d=64)
            started = time.perf_counter()
            _runs(function, e)
            repeats.append(time.perf_counter() - started)
        # the faster run is the one that other processes disturbed less
        seconds.append(min(repeats))
    small, large = seconds
    # linear cost gives a factor of 4, quadratic 16; below .3 s the times are too short to compare
    return f"{small:.2f} s become {large:.2f} s with four times the rows" if large > max(0.3, 10 * small) else ""


# name: (check, requirement, remedy)
CHECKS: dict[str, tuple[Callable[[AnyScorer], str], str, str]] = {
    "declared": (_declared, "it is decorated as a scorer", "put @scorer(needs=..., predicts=...) above it"),
    "docstring": (
        _docstring,
        "the first line of its docstring is a summary",
        "write one line, then formula and source",
    ),
    "citation": (_citation, "it cites its source", "give cite=, or baseline=True"),
    "orientation": (_orientation, "it declares what a higher score means", "give predicts=, or undirected=True"),
    "keywords": (_keywords, "parameters are keyword-only with defaults", "put * before them and give each a default"),
    "number": (_number, "it gives one finite number on ordinary embeddings", "return a float"),
    "needs": (_needs, "it reads exactly the inputs that it declares", "name in needs= exactly what the function uses"),
    "mutation": (_mutation, "the embeddings are not changed", "work on copies"),
    "repeatable": (
        _repeatable,
        "the same embeddings and seed give the same number",
        "draw from default_rng(e.seed) alone",
    ),
    "random state": (
        _random_state,
        "numpy's global random state is not changed",
        "draw from default_rng(e.seed) alone",
    ),
    "order": (_order, "the order of samples does not matter", "use sums, or sort by a property of the samples"),
    "renaming": (_renaming, "the numbers of the classes do not matter", "treat labels as names, never as numbers"),
    "float32": (_dtype("float32", 1e-3), "float32 gives what float64 gives", "convert blocks to float64 first"),
    "float16": (_float16, "float16 embeddings are accepted", "convert blocks to float64 first"),
    "big-endian": (_dtype(">f8", 1e-9), "the byte order does not matter", "convert blocks to float64 first"),
    "layout": (_layout, "strided arrays are accepted", "do not assume contiguous memory"),
    "blocks": (_blocks, "the block size does not matter", "combine blocks by sums"),
    "one class": (
        _degenerate(lambda: sample(labels=np.zeros(ROWS, np.int64), classes=1)),
        "one class gives a number or an abstention",
        "raise Abstain with the reason where it is not defined",
    ),
    "singleton class": (
        _degenerate(lambda: sample(labels=np.r_[np.zeros(ROWS - 1, np.int64), 1], classes=2)),
        "a class of one sample gives a number or an abstention",
        "raise Abstain with the reason where it is not defined",
    ),
    "two classes": (
        _degenerate(lambda: sample(classes=2)),
        "two classes give a number or an abstention",
        "check the formula at C = 2",
    ),
    "a thousand classes": (
        _degenerate(lambda: sample(n=2_000, d=8, classes=1_000)),
        "a thousand classes give a number or an abstention",
        "avoid arrays of C×D×D",
    ),
    "N < D": (
        _degenerate(lambda: sample(n=20, d=200)),
        "fewer samples than dimensions give a number or an abstention",
        "use a pseudo-inverse or shrinkage, or raise Abstain",
    ),
    "constant features": (
        _degenerate(_constant),
        "dimensions without variance give a number or an abstention",
        "do not divide by a deviation of zero",
    ),
    "duplicate rows": (
        _degenerate(_duplicates),
        "equal samples give a number or an abstention",
        "do not divide by a distance of zero",
    ),
    "time": (_time, "time grows about linearly with the rows", 'use sums, or declare cost="pairs" and sample rows'),
}


def check_scorer(function: AnyScorer) -> Iterator[Outcome]:
    """The outcome of every check in turn; `failure` is blank where it passes. Never raises.

    A function without a declaration fails the first check, which is then the only one.
    """
    for name, (check, requirement, remedy) in CHECKS.items():
        try:
            failure = check(function)
        except Abstain as reason:
            failure = f"it abstains: {reason}"
        except Exception as problem:
            failure = f"it raises {type(problem).__name__}: {problem}".replace("\n", " ")[:200]
        yield Outcome(name, requirement, remedy, failure)
        if name == "declared" and failure:
            return
