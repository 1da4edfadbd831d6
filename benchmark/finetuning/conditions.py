"""The conditions of a run: runs under the same conditions belong into one ledger."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from benchmark.embedding.keys import Keys
from benchmark.errors import LedgerError
from benchmark.finetuning import ledger
from benchmark.finetuning.ledger import Run
from benchmark.suites.suite import Suite
from benchmark.tasks.fingerprint import task_fingerprint
from leaderboard import ledger_table

VALUE_WIDTH = 100  # characters of a value that an error message shows


def conditions(suite: Suite, model: str, technique: str, task: str, *, keys: Keys | None = None) -> dict[str, Any]:
    """Hyperparameters, model and task of a run, as the suite declares them now. The seed is part of the run, not of its conditions."""
    return {
        "options": suite.options(technique, model),
        "model_fingerprint": (keys or Keys()).model(next(m for m in suite.models if m.name == model)),
        "task_fingerprint": task_fingerprint(next(t for t in suite.tasks if t.name == task)),
        "cross_task_images": suite.cross_task_images,
    }


def checked_rows(suite: Suite, planned: Sequence[Run], *, keys: Keys | None = None) -> pl.DataFrame:
    """The rows of the suite's models; columns `leaderboard.tables.LEDGER`.

    Raises LedgerError as `ledger.read` does, and for a planned run that was measured under other conditions than those of now.
    """
    keys = keys or Keys()
    current: dict[tuple[str, str, str], dict[str, Any]] = {}  # the same for every seed, so computed once for all
    for run in planned:
        # a seed is no condition: runs of several seeds share them
        place = run.model, run.technique, run.trained_on
        if place not in current:
            current[place] = conditions(suite, *place, keys=keys)
    tables = [ledger_table([])]
    # in the order of the files' names, in which `read_ledger` reads a folder too
    for model in sorted(model.name for model in suite.models):
        rows, recorded = ledger.read(suite.ledger, model)
        tables.append(rows)
        for run in planned:
            # a planned run without notes is pending, which is no conflict
            if run in recorded:
                now = current[run.model, run.technique, run.trained_on]
                _compare(suite, run, recorded=recorded[run], now=now)
    return pl.concat(tables)


def _compare(suite: Suite, run: Run, *, recorded: dict[str, Any], now: dict[str, Any]) -> None:
    for condition, value in now.items():
        if recorded.get(condition) != value:
            raise LedgerError(
                f"{ledger.runs_path(suite.ledger, run.model)}: run {run.label} was measured with other "
                f"{condition.replace('_', ' ')} ({_shorten(recorded.get(condition))}) than there are now ({_shorten(value)})",
                "restore them, or move the ledger away and measure again",
            )


def _shorten(value: object) -> str:
    text = str(value)
    return text if len(text) <= VALUE_WIDTH else f"{text[: VALUE_WIDTH - 3]}..."
