"""Running many scorers on one set of embeddings."""

import time
from collections.abc import Mapping, Sequence
from typing import TypedDict

from scorers._contract import AnyScorer, raised, reason
from scorers._embeddings import Embeddings
from scorers._registry import registry


class Result(TypedDict):
    """Results of scorers on one set of embeddings, each field by the scorer's name.

    scores: number, or None where it abstained.  abstained: the reason, for those without a number.  raised: class name of the
    exception, for those that abstained because they raised one other than Abstain.  seconds: run time, and under `statistics` that of
    the shared statistics.  components: named terms, for those that have them.
    """

    scores: dict[str, float | None]
    abstained: dict[str, str]
    raised: dict[str, str]
    seconds: dict[str, float]
    components: dict[str, dict[str, float]]


def score_embeddings(
    e: Embeddings, names: Sequence[str] | None = None, functions: Mapping[str, AnyScorer] | None = None
) -> Result:
    """Run the named scorers (None: all) of `functions` (None: the available ones).

    A scorer that raises, or returns something other than a finite number, abstains with the reason; the others run on.
    """
    functions = functions if functions is not None else registry().scorers
    result: Result = {"scores": {}, "abstained": {}, "raised": {}, "seconds": {}, "components": {}}
    for name in functions if names is None else names:
        started, shared = time.perf_counter(), e.statistics_seconds
        try:
            score, components = _score(functions[name], e)
            if functions[name].spec.pool:
                result["abstained"][name] = "is relative to a pool of models; its components are shown"
        except KeyboardInterrupt:
            raise
        except BaseException as problem:  # SystemExit too: a scorer may not end the run
            score, components = None, {}
            result["abstained"][name] = reason(problem)
            if exception := raised(problem):
                result["raised"][name] = exception
        result["scores"][name] = score
        if components:
            result["components"][name] = components
        # time spent on shared statistics is counted once, under `statistics`
        result["seconds"][name] = time.perf_counter() - started - (e.statistics_seconds - shared)
    result["seconds"] = {"statistics": e.statistics_seconds, **result["seconds"]}
    return result


def _score(function: AnyScorer, e: Embeddings) -> tuple[float | None, dict[str, float]]:
    """The score, None for one that is relative to a pool, and the components."""
    value, spec = function(e), function.spec
    if spec.pool:
        return None, value
    terms = spec.components(e) if spec.components else {}
    return value, {term: float(part) for term, part in terms.items()}
