"""What decides an outcome: fingerprints of tasks and of runs, for the cache's keys and for the ledger."""

import hashlib
import json
from typing import Any

from benchmark import sources, weights
from benchmark.cards import Card
from benchmark.suite import Suite


def task_identity(card: Card) -> str:
    """Hash of what decides a task: classes, splits, prompts and where the images come from (not the dates of files)."""
    known = {"card": card.identity(), "prompts": card.prompts(), "source": sources.source(card).version}
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def conditions(suite: Suite, model: str, technique: str, task: str) -> dict[str, Any]:
    """What a run is made under: hyperparameters, model and task. Two runs under the same conditions may stand in one ledger."""
    return {
        "options": next(t.options for t in suite.techniques if t.name == technique),
        "model_fingerprint": weights.identity(next(m for m in suite.models if m.name == model)),
        "task_fingerprint": task_identity(next(t for t in suite.tasks if t.name == task)),
    }
