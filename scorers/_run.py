"""Running many scorers on one set of embeddings."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from scorers._contract import reason, registry
from scorers._embeddings import Embeddings


class Result(TypedDict):
    """scores: number or None.  abstained: reason per scorer without one.  seconds: per scorer, and `statistics` for what they
    share.  components: named terms per scorer that has them."""

    scores: dict[str, float | None]
    abstained: dict[str, str]
    seconds: dict[str, float]
    components: dict[str, dict[str, float]]


def score_embeddings(
    e: Embeddings, names: Sequence[str] | None = None, functions: Mapping[str, Any] | None = None
) -> Result:
    """Run the named scorers (None: all). One that raises, or returns what is no number, abstains with the reason; the rest goes on."""
    functions = functions if functions is not None else registry().scorers
    result: Result = {"scores": {}, "abstained": {}, "seconds": {}, "components": {}}
    for name in functions if names is None else names:
        function = functions[name]
        started, shared = time.perf_counter(), e.statistics_seconds
        result["scores"][name] = None
        try:
            value = function(e)
            if function.spec.pool:
                result["components"][name] = value
                result["abstained"][name] = "is relative to a pool of models; its components are shown"
            else:
                result["scores"][name] = value
                if function.spec.components:
                    result["components"][name] = {
                        term: float(part) for term, part in function.spec.components(e).items()
                    }
        except Exception as problem:
            result["scores"][name] = None
            result["abstained"][name] = reason(problem)
        result["seconds"][name] = time.perf_counter() - started - (e.statistics_seconds - shared)
    result["seconds"] = {"statistics": e.statistics_seconds, **result["seconds"]}
    return result
