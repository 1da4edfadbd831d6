"""The contract of a scorer as small named checks, each with one line on what it means and how to mend a failure."""

import inspect
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from scorers._contract import NEEDS, Abstain
from scorers._embeddings import Embeddings

Scorer = Callable[..., Any]
OPTIONAL = ("text", "source_probs", "logit_scale", "n_parameters", "label_views", "general", "ledger")
ROWS = 80


@dataclass(frozen=True)
class Outcome:
    """One check. found: what went wrong, or blank."""

    name: str
    means: str
    mend: str
    found: str = ""


def sample(n: int = ROWS, d: int = 70, classes: int = 4, seed: int = 0, **change: Any) -> Embeddings:
    """Unit rows around class centres with everything that a scorer may need; `change` replaces a part."""
    rng = np.random.default_rng(seed)
    given = change.pop("labels", None)
    labels = np.sort(np.arange(n) % classes) if given is None else given
    text = rng.normal(size=(max(classes, int(labels.max()) + 1), d))
    image = change.pop("image", None)
    if image is None:
        image = 0.4 * text[labels] + rng.normal(size=(n, d)) + 0.3
        image /= np.linalg.norm(image, axis=1, keepdims=True)
    parts: dict[str, Any] = {
        "text": text / np.linalg.norm(text, axis=1, keepdims=True),
        "source_probs": rng.dirichlet(np.full(9, 0.5), n),
        "logit_scale": 20.0,
        "n_parameters": 1e6,
        "label_views": [rng.normal(size=(len(text), 6)) for _ in range(3)],
        "general": (np.full(d, 0.05), np.full(d, 0.4)),
        "ledger": np.array([0.2, 0.6]),
        "seed": 7,
    }
    return Embeddings(image, labels, **parts | change)


def _parts(e: Embeddings) -> dict[str, Any]:
    return {name: getattr(e, name) for name in (*OPTIONAL, "seed")}


def _value(f: Scorer, e: Embeddings) -> dict[str, float]:
    value = f(e)
    return dict(value) if isinstance(value, dict) else {"the score": value}


def _or_abstain(f: Scorer, e: Embeddings) -> dict[str, float] | None:
    try:
        return _value(f, e)
    except Abstain:
        return None


def _differs(f: Scorer, e: Embeddings, other: Embeddings, rel: float = 1e-6) -> str:
    one, two = _value(f, e), _value(f, other)
    for term, value in one.items():
        if not np.isclose(value, two[term], rtol=rel, atol=rel * 1e-3):
            return f"{term} is {value:.8g} before and {two[term]:.8g} after"
    return ""


def _declared(f: Scorer) -> str:
    return "" if hasattr(f, "spec") else "it carries no declaration"


def _docstring(f: Scorer) -> str:
    return "" if f.spec.summary.strip() else "it has no docstring"  # type: ignore[attr-defined]


def _citation(f: Scorer) -> str:
    spec = f.spec  # type: ignore[attr-defined]
    return "" if spec.cite or "baseline" in (inspect.getdoc(spec.function) or "").lower() else "cite is blank"


def _orientation(f: Scorer) -> str:
    spec = f.spec  # type: ignore[attr-defined]
    said = "no direction" in (inspect.getdoc(spec.function) or "").replace("\n", " ")
    return "" if spec.predicts or said else "predicts is blank"


def _keywords(f: Scorer) -> str:
    _, *rest = inspect.signature(f.spec.function).parameters.values()  # type: ignore[attr-defined]
    wrong = [p.name for p in rest if p.kind is not p.KEYWORD_ONLY or p.default is p.empty]
    return f"parameter '{wrong[0]}' is not keyword-only with a default" if wrong else ""


def _number(f: Scorer) -> str:
    _value(f, sample())
    return ""


def _needs(f: Scorer) -> str:
    needs = set(f.spec.needs)  # type: ignore[attr-defined]
    if "energy" in needs:  # which the sample has by these
        needs |= {"text", "logit_scale"}
    without: dict[str, Any] = {name: None for name in OPTIONAL if name not in needs}
    _value(f, sample(**without))
    for name in needs & set(OPTIONAL):
        lacking: dict[str, Any] = {name: None}
        try:
            f(sample(**lacking))
        except Abstain:
            continue
        return f"it gives a number without {NEEDS[name]}"
    return ""


def _mutation(f: Scorer) -> str:
    e, twin = sample(), sample()
    _value(f, e)
    for name in ("image", "labels", "text", "source_probs", "ledger"):
        if not np.array_equal(getattr(e, name), getattr(twin, name)):
            return f"{name} has changed"
    return ""


def _repeatable(f: Scorer) -> str:
    return _differs(f, sample(), sample(), 0)


def _random_state(f: Scorer) -> str:
    before = str(np.random.get_state())
    _value(f, sample())
    return "" if str(np.random.get_state()) == before else "numpy's global random state has moved"


def _order(f: Scorer) -> str:
    e = sample()
    order = np.random.default_rng(1).permutation(e.n)
    assert e.source_probs is not None
    return _differs(
        f, e, Embeddings(e.image[order], e.labels[order], **_parts(e) | {"source_probs": e.source_probs[order]})
    )


def _renaming(f: Scorer) -> str:
    e = sample()
    assert e.text is not None
    assert e.label_views is not None
    new = np.array([2, 0, 3, 1])
    back = np.argsort(new)
    texts = {"text": e.text[back], "label_views": [view[back] for view in e.label_views]}
    return _differs(f, e, Embeddings(e.image, new[e.labels], **_parts(e) | texts))


def _dtype(dtype: str, rel: float) -> Callable[[Scorer], str]:
    def check(f: Scorer) -> str:
        e = sample()
        return _differs(f, e, Embeddings(e.image.astype(dtype), e.labels, **_parts(e)), rel)

    return check


def _float16(f: Scorer) -> str:
    e = sample()
    _or_abstain(f, Embeddings(e.image.astype(np.float16), e.labels, **_parts(e)))
    return ""


def _layout(f: Scorer) -> str:
    e = sample()
    wide = np.zeros((2 * e.n, 3 * e.d))
    wide[::2, ::3] = e.image
    return _differs(f, e, Embeddings(wide[::2, ::3], e.labels, **_parts(e)))


def _blocks(f: Scorer) -> str:
    return _differs(f, sample(), sample(block_rows=7))


def _degenerate(make: Callable[[], Embeddings]) -> Callable[[Scorer], str]:
    def check(f: Scorer) -> str:
        _or_abstain(f, make())
        return ""

    return check


def _constant() -> Embeddings:
    image = np.array(sample().image)
    image[:, 20:] = 0.1
    return sample(image=image)


def _duplicates() -> Embeddings:
    image = np.array(sample().image)
    image[1::2] = image[::2]
    return sample(image=image)


def _time(f: Scorer) -> str:
    if f.spec.cost in ("pairs", "fit"):  # type: ignore[attr-defined]
        return ""
    spent = []
    for n in (3_000, 12_000):
        rounds = []
        for _ in range(2):
            e = sample(n=n, d=64)
            started = time.perf_counter()
            _or_abstain(f, e)
            rounds.append(time.perf_counter() - started)
        spent.append(min(rounds))
    small, large = spent
    return f"{small:.2f} s become {large:.2f} s with four times the rows" if large > max(0.3, 10 * small) else ""


CHECKS: dict[str, tuple[Callable[[Scorer], str], str, str]] = {
    "declared": (_declared, "it is decorated as a scorer", "put @scorer(needs=..., predicts=...) above it"),
    "docstring": (_docstring, "its docstring's first line says what it is", "write one line, then formula and source"),
    "citation": (_citation, "it says where it comes from", "give cite=, or call it a baseline in the docstring"),
    "orientation": (
        _orientation,
        "it says what a higher score means",
        "give predicts=, or write that it claims no direction",
    ),
    "keywords": (_keywords, "parameters are keyword-only with defaults", "put * before them and give each a default"),
    "number": (_number, "it gives one finite number on ordinary embeddings", "return a float"),
    "needs": (_needs, "what it declares is what it reads", "name in needs= exactly what the function uses"),
    "mutation": (_mutation, "the embeddings stay as they were", "work on copies"),
    "repeatable": (
        _repeatable,
        "the same embeddings and seed give the same number",
        "draw from default_rng(e.seed) alone",
    ),
    "random state": (_random_state, "numpy's global random state is left alone", "draw from default_rng(e.seed) alone"),
    "order": (_order, "the order of samples does not matter", "use sums, or sort by something of the samples' own"),
    "renaming": (_renaming, "the numbers of the classes do not matter", "treat labels as names, never as numbers"),
    "float32": (_dtype("float32", 1e-3), "float32 gives what float64 gives", "turn blocks to float64 before computing"),
    "float16": (_float16, "float16 embeddings are taken", "turn blocks to float64 before computing"),
    "big-endian": (_dtype(">f8", 1e-9), "the byte order does not matter", "turn blocks to float64 before computing"),
    "layout": (_layout, "strided arrays are taken", "do not assume contiguous memory"),
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
        "two classes work",
        "check what your formula does at C = 2",
    ),
    "a thousand classes": (
        _degenerate(lambda: sample(n=2_000, d=8, classes=1_000)),
        "a thousand classes work",
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
        "samples that are alike give a number or an abstention",
        "do not divide by a distance of zero",
    ),
    "time": (_time, "time grows about linearly with the rows", 'use sums, or declare cost="pairs" and sample rows'),
}


def check_scorer(f: Scorer) -> Iterator[Outcome]:
    """Every check in turn; `found` is blank where it passes. Nothing is raised."""
    for name, (check, means, mend) in CHECKS.items():
        try:
            found = check(f)
        except Abstain as reason:
            found = f"it abstains: {reason}"
        except Exception as problem:
            found = f"it raises {type(problem).__name__}: {problem}".replace("\n", " ")[:200]
        yield Outcome(name, means, mend, found)
        if name == "declared" and found:
            return
