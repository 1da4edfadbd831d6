"""What decides an outcome: fingerprints of models and tasks, for the cache's keys and for the ledger."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmark import sources
from benchmark.cards import Card
from benchmark.suite import Model, Suite

NOTES = ("pretraining.json",)  # beside a model, and without influence on it


@lru_cache(maxsize=256)
def _file_digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_digest(path: Path) -> str:
    stat = path.stat()
    return _file_digest(path, stat.st_size, stat.st_mtime_ns)


def model_identity(model: Model) -> dict[str, str]:
    """What decides a model's embeddings: name, weights, configuration (preprocessing included) and vocabulary."""
    identity = {"load": model.load}
    if model.load.startswith("local-dir:"):
        folder = Path(model.load.removeprefix("local-dir:"))
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        identity = {path.name: file_digest(path) for path in files if path.name not in NOTES and path.suffix != ".md"}
    if model.bpe:
        identity["bpe"] = file_digest(model.bpe)
    return identity


def task_identity(card: Card) -> str:
    """Hash of what decides a task: classes, splits, prompts and where the images come from (not the dates of files)."""
    known = {"card": card.identity(), "prompts": card.prompts(), "source": sources.source(card).version}
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def conditions(suite: Suite, model: str, technique: str, task: str) -> dict[str, Any]:
    """What a run is made under: hyperparameters, model and task. Two runs under the same conditions may stand in one ledger."""
    return {
        "options": next(t.options for t in suite.techniques if t.name == technique),
        "model_fingerprint": model_identity(next(m for m in suite.models if m.name == model)),
        "task_fingerprint": task_identity(next(t for t in suite.tasks if t.name == task)),
    }
