"""The conditions of a run: runs under the same conditions belong into one ledger."""

from collections.abc import Sequence
from typing import Any

from benchmark.embedding.keys import Keys
from benchmark.errors import LedgerError
from benchmark.finetuning import ledger
from benchmark.finetuning.ledger import Run
from benchmark.suites.suite import Suite
from benchmark.tasks.fingerprint import task_fingerprint

VALUE_WIDTH = 100  # characters of a value that an error message shows


def conditions(suite: Suite, model: str, technique: str, task: str, *, keys: Keys | None = None) -> dict[str, Any]:
    """Hyperparameters, model and task of a run, as the suite declares them now. The seed is part of the run, not of its conditions."""
    return {
        "options": suite.options(technique, model),
        "model_fingerprint": (keys or Keys()).model(next(m for m in suite.models if m.name == model)),
        "task_fingerprint": task_fingerprint(next(t for t in suite.tasks if t.name == task)),
        "cross_task_images": suite.cross_task_images,
    }


def check_conditions(suite: Suite, planned: Sequence[Run], *, keys: Keys | None = None) -> None:
    """Raise LedgerError for an incomplete run, and for a planned run that was measured under other conditions than those of now."""
    keys = keys or Keys()
    current: dict[tuple[str, str, str], dict[str, Any]] = {}  # the same for every seed, so computed once for all
    for run in planned:
        # a seed is no condition: runs of several seeds share them
        place = run.model, run.technique, run.trained_on
        if place not in current:
            current[place] = conditions(suite, *place, keys=keys)
    for model in suite.models:
        for run in sorted(ledger.incomplete_runs(suite.ledger, model.name)):
            raise LedgerError(
                f"{ledger.rows_path(suite.ledger, model.name)}: run {_name(run)} is missing rows, as an interruption leaves it",
                "`python -m benchmark measure` completes it",
            )
        # a planned run without notes is pending, which is no conflict
        recorded = ledger.read_notes(suite.ledger, model.name)
        for run in planned:
            if run in recorded:
                now = current[run.model, run.technique, run.trained_on]
                _compare(suite, run, recorded=recorded[run], now=now)


def _compare(suite: Suite, run: Run, *, recorded: dict[str, Any], now: dict[str, Any]) -> None:
    for condition, value in now.items():
        if recorded.get(condition) != value:
            raise LedgerError(
                f"{ledger.runs_path(suite.ledger, run.model)}: run {_name(run)} was measured with other "
                f"{condition.replace('_', ' ')} ({_shorten(recorded.get(condition))}) than there are now ({_shorten(value)})",
                "restore them, or move the ledger away and measure again",
            )


def _name(run: Run) -> str:
    return f"{run.technique}/{run.seed}/{run.trained_on}"


def _shorten(value: object) -> str:
    text = str(value)
    return text if len(text) <= VALUE_WIDTH else f"{text[: VALUE_WIDTH - 3]}..."
