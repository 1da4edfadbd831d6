"""What decides an outcome: fingerprints of tasks and of runs, for the cache's keys and for the ledger."""

from typing import Any

from benchmark.models import weights
from benchmark.suites.suite import Suite
from benchmark.tasks.fingerprint import task_fingerprint


def conditions(suite: Suite, model: str, technique: str, task: str) -> dict[str, Any]:
    """What a run is made under: hyperparameters, model and task. Two runs under the same conditions may stand in one ledger."""
    return {
        "options": next(t.options for t in suite.techniques if t.name == technique),
        "model_fingerprint": weights.fingerprint(next(m for m in suite.models if m.name == model)),
        "task_fingerprint": task_fingerprint(next(t for t in suite.tasks if t.name == task)),
    }
