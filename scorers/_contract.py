"""The contract of a scorer: a function from embeddings to one number, and the decorator that declares its needs and predictions."""

import functools
import inspect
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeGuard, TypeVar, cast

import numpy as np

from scorers._embeddings import NEEDS, Abstain, Embeddings

# repeated here, since this package does not import the leaderboard
TARGETS = ("gain", "accuracy", "forgetting")
COSTS = {
    "sums": "a function of statistics that scorers share, or cheaper",
    "rows": "another pass over the rows, or over those of each class",
    "pairs": "quadratic in the rows; on a sample above a declared number",
    "fit": "an iterative fit; on a sample above a declared number",
}

Components: TypeAlias = dict[str, float]
Pool: TypeAlias = Callable[[Sequence[Components]], list[float]]
Parameters = ParamSpec("Parameters")
Value_co = TypeVar("Value_co", covariant=True, bound=float | Components)
Value = TypeVar("Value", bound=float | Components)


@dataclass(frozen=True)
class ScorerSpec:
    """The declaration of a scorer.

    needs: inputs of `NEEDS`.  predicts: target to +1 (a higher score means more of it) or -1; targets without a claim are left out.
    undirected: declares that it claims no orientation for any target.  cite: key of its reference.  baseline: a baseline, which
    needs no reference.  summary: first line of the docstring.  function: the function itself, without the checks of the decorator.
    pool: for a score that is only meaningful within a pool of models: maps the components of all models of one task to one number
    each.  components: named terms shown beside the score.  cost: a key of `COSTS`.  parameters: keyword parameters and defaults.
    """

    name: str
    needs: frozenset[str]
    predicts: Mapping[str, int]
    cite: str
    summary: str
    function: Callable[..., Any]
    undirected: bool = False
    baseline: bool = False
    pool: Pool | None = None
    components: Callable[[Embeddings], Components] | None = None
    cost: str = "rows"
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Scorer(Protocol[Parameters, Value_co]):
    """A declared scorer: called with embeddings and keyword parameters, it returns a finite number (with `pool`: a dict of them).

    Raises Abstain where an input is missing or the score is not defined.
    """

    @property
    def spec(self) -> ScorerSpec: ...

    def __call__(self, e: Embeddings, /, *args: Parameters.args, **parameters: Parameters.kwargs) -> Value_co: ...


AnyScorer: TypeAlias = Scorer[..., Any]


def is_scorer(value: object) -> TypeGuard[AnyScorer]:
    """Whether a value was declared with `@scorer`."""
    return isinstance(getattr(value, "spec", None), ScorerSpec)


def scorer(
    *,
    needs: set[str],
    predicts: Mapping[str, int] | None = None,
    undirected: bool = False,
    cite: str = "",
    baseline: bool = False,
    name: str | None = None,
    pool: Pool | None = None,
    components: Callable[[Embeddings], Components] | None = None,
    cost: str = "rows",
) -> Callable[[Callable[Concatenate[Embeddings, Parameters], Value]], Scorer[Parameters, Value]]:
    """Declare a function as a scorer. The parameters are the fields of `ScorerSpec`.

    The function stays callable, with its declaration as `.spec`. A call first checks that the needed inputs are there, then that the
    result is a finite number (with `pool`: a dict of them), and raises Abstain with the reason otherwise.
    Raises ValueError for an unknown need, target or cost.
    """
    if unknown := needs - set(NEEDS):
        raise ValueError(f"scorer needs {sorted(unknown)}: unknown; give names of {', '.join(NEEDS)}")
    if invalid := {t: s for t, s in (predicts or {}).items() if t not in TARGETS or s not in (1, -1)}:
        raise ValueError(f"scorer predicts {invalid}: give a target of {', '.join(TARGETS)} and +1 or -1")
    if predicts and undirected:
        raise ValueError(f"scorer predicts {dict(predicts)} and is undirected; give one of the two")
    if cost not in COSTS:
        raise ValueError(f"scorer cost is '{cost}'; give one of {', '.join(COSTS)}")

    def declare(function: Callable[Concatenate[Embeddings, Parameters], Value]) -> Scorer[Parameters, Value]:
        spec = ScorerSpec(
            name=name or function.__name__,
            needs=frozenset(needs),
            predicts=dict(predicts or {}),
            undirected=undirected,
            cite=cite,
            baseline=baseline,
            summary=(inspect.getdoc(function) or "").split("\n")[0],
            function=function,
            pool=pool,
            components=components,
            cost=cost,
            parameters={
                p.name: p.default for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY
            },
        )

        @functools.wraps(function)
        def checked(e: Embeddings, /, *args: Parameters.args, **parameters: Parameters.kwargs) -> Any:
            e.require(spec.needs)
            with np.errstate(all="ignore"):  # the result is checked instead
                value = function(e, *args, **parameters)
            if spec.pool:
                if not isinstance(value, dict):
                    raise TypeError(f"should return a dict of components, returned {type(value).__name__}")
                return {term: number(part, term) for term, part in value.items()}
            return number(value, "the score")

        checked.spec = spec  # type: ignore[attr-defined]
        return cast(Scorer[Parameters, Value], checked)

    return declare


def need_two_classes(e: Embeddings) -> None:
    """Abstain where only one class occurs."""
    if len(e.classes) < 2:
        raise Abstain("needs at least 2 classes, found 1")


def reason(problem: BaseException) -> str:
    """The reason of an abstention, in one line, from the exception that caused it."""
    if isinstance(problem, Abstain):
        return str(problem)
    return f"raised {type(problem).__name__}: {problem}".replace("\n", " ")[:300]


def raised(problem: BaseException) -> str:
    """Class name of the exception where a scorer failed with one, blank where it abstained."""
    return "" if isinstance(problem, Abstain) else type(problem).__name__


def number(value: Any, what: str) -> float:
    """The value as a float. Raises TypeError where it is not a number, Abstain where it is not finite."""
    # bool is a subclass of int
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{what} should be one number, but is {value!r:.60}")
    if not math.isfinite(value):
        raise Abstain(f"{what} is {float(value)}")
    return float(value)
