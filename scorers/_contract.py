"""What a scorer is: a function from embeddings to one number, and a decorator that says what it needs and predicts."""

import functools
import importlib
import importlib.metadata
import inspect
import math
import numbers
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scorers._embeddings import Embeddings

NEEDS = {
    "image": "image embeddings",
    "labels": "labels",
    "text": "class text embeddings",
    "source_probs": "a posterior over a source vocabulary",
    "logit_scale": "the model's logit scale",
    "energy": "logits (class texts and the logit scale, or a source classifier's energy)",
    "label_views": "class texts under the text towers of other models",
    "general": "the model's features in general (mean and deviation)",
    "n_parameters": "the model's number of parameters",
    "ledger": "the model's measured ranks on other tasks",
    "seed": "a seed",
}
TARGETS = ("gain", "accuracy", "forgetting")
COSTS = {
    "sums": "a function of statistics that scorers share, or of less",
    "rows": "another pass over the rows, or over those of each class",
    "pairs": "quadratic in the rows; on a sample above a declared number",
    "fit": "an iterative fit; on a sample above a declared number",
}
GROUP = "benchmark.scorers"

Components = dict[str, float]
Pool = Callable[[Sequence[Components]], list[float]]


class Abstain(Exception):
    """The score is not defined on these embeddings; the message is the reason, in one line."""


@dataclass(frozen=True)
class ScorerSpec:
    """What is declared about a scorer.

    predicts: target to +1 (a higher score should mean more of it) or -1; targets it claims nothing about are left out.
    pool: for a score that is only meaningful within a pool of models: how the named components of all models of one task
    become one number each.  components: named terms shown beside the score.  cost: a class of `COSTS`.
    """

    name: str
    needs: frozenset[str]
    predicts: Mapping[str, int]
    cite: str
    version: int
    summary: str
    function: Callable[..., Any]
    pool: Pool | None = None
    components: Callable[[Embeddings], Components] | None = None
    cost: str = "rows"
    parameters: Mapping[str, Any] = field(default_factory=dict)


def scorer(
    *,
    needs: set[str],
    predicts: Mapping[str, int] | None = None,
    cite: str = "",
    name: str | None = None,
    version: int = 1,
    pool: Pool | None = None,
    components: Callable[[Embeddings], Components] | None = None,
    cost: str = "rows",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a function as a scorer. The function is returned callable as before, with its declaration as `.spec`.

    Called, it first checks that what it needs is there and that what comes out is a finite number (with `pool`: a dict of
    them), and raises Abstain with the reason where it is not.
    """
    if unknown := needs - set(NEEDS):
        raise ValueError(f"scorer needs {sorted(unknown)}: not known; known: {', '.join(NEEDS)}")
    if wrong := {t: s for t, s in (predicts or {}).items() if t not in TARGETS or s not in (1, -1)}:
        raise ValueError(f"scorer predicts {wrong}: give a target of {', '.join(TARGETS)} and +1 or -1")
    if cost not in COSTS:
        raise ValueError(f"scorer cost is '{cost}'; give one of {', '.join(COSTS)}")

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        spec = ScorerSpec(
            name or function.__name__,
            frozenset(needs),
            dict(predicts or {}),
            cite,
            version,
            (inspect.getdoc(function) or "").split("\n")[0],
            function,
            pool,
            components,
            cost,
            {p.name: p.default for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY},
        )

        @functools.wraps(function)
        def checked(e: Embeddings, /, **parameters: Any) -> Any:
            if absent := [need for need in NEEDS if need in spec.needs and getattr(e, need, None) is None]:
                raise Abstain(f"needs {' and '.join(NEEDS[need] for need in absent)}")
            with np.errstate(all="ignore"):  # what comes out is checked instead
                value = function(e, **parameters)
            if spec.pool:
                if not isinstance(value, dict):
                    raise TypeError(f"should return a dict of components, returned {type(value).__name__}")
                return {term: number(part, term) for term, part in value.items()}
            return number(value, "the score")

        checked.spec = spec  # type: ignore[attr-defined]
        return checked

    return declare


def need_two_classes(e: Embeddings) -> None:
    """Abstain where only one class occurs."""
    if len(e.classes) < 2:
        raise Abstain("needs at least 2 classes, found 1")


def reason(problem: Exception) -> str:
    """Why a scorer abstains, in one line."""
    if isinstance(problem, Abstain):
        return str(problem)
    return f"raised {type(problem).__name__}: {problem}".replace("\n", " ")[:300]


def number(value: Any, what: str) -> float:
    """The value as a float; raises TypeError where it is none, Abstain where it is not finite."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{what} should be one number, but is {value!r:.60}")
    if not math.isfinite(value):
        raise Abstain(f"{what} came out as {float(value)}")
    return float(value)


@dataclass
class Registry:
    """scorers: name to function, sorted by name.  failures: what could not be loaded, name to reason."""

    scorers: dict[str, Any]
    failures: dict[str, str]


def publish(package: str) -> None:
    """Make the scorers of the modules loaded so far attributes of their package, in place of modules of the same name."""
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{package}.") and not name.startswith(f"{package}._"):
            for value in list(vars(module).values()):
                if hasattr(value, "spec") and value.__module__ == name:
                    setattr(sys.modules[package], value.spec.name, value)


def discover(folder: Path, package: str, entry_points: bool = True) -> Registry:
    """Every scorer in the modules of a folder, and behind the entry points of installed packages. Never raises."""
    found = Registry({}, {})
    for path in sorted(folder.glob("[!_]*.py")):
        try:
            module = importlib.import_module(f"{package}.{path.stem}")
            publish(package)
        except Exception as problem:
            found.failures[path.stem] = f"cannot be imported: {type(problem).__name__}: {problem}".replace("\n", " ")
            continue
        for value in vars(module).values():
            if hasattr(value, "spec") and value.__module__ == module.__name__:
                _add(found, value, str(path))
    for point in importlib.metadata.entry_points(group=GROUP) if entry_points else ():
        try:
            value = point.load()
        except Exception as problem:
            found.failures[point.name] = (
                f"cannot be loaded from {point.value}: {type(problem).__name__}: {problem}".replace("\n", " ")
            )
            continue
        if hasattr(value, "spec"):
            _add(found, value, point.value)
        else:
            found.failures[point.name] = f"{point.value} is not a scorer; decorate it with @scorer"
    return Registry(dict(sorted(found.scorers.items())), found.failures)


def _add(found: Registry, function: Any, where: str) -> None:
    name = function.spec.name
    if name in found.scorers and found.scorers[name] is not function:
        found.failures[f"{name} ({where})"] = "is named like another scorer; rename it"
    else:
        found.scorers[name] = function


def bibtex() -> str:
    """The references of the scorers of this package, as BibTeX."""
    return (Path(__file__).parent / "_references.bib").read_text(encoding="utf-8")


def references() -> dict[str, str]:
    """Each reference of `bibtex` by its key."""
    return {
        entry.split("{", 1)[1].split(",", 1)[0]: entry for entry in re.findall(r"^@.*?^\}\n", bibtex(), re.M | re.S)
    }


@functools.cache
def registry() -> Registry:
    """The scorers there are: the files of this package and the plugins installed beside it."""
    return discover(Path(__file__).parent, __package__ or "scorers")
