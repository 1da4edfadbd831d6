"""Writing the ledger: `<model>.csv`, one row per (run, task evaluated on), and `<model>.runs.jsonl`, how each run was made.

Rows are only ever added. A run is there whole or not at all: its description is written first, then all its rows in one
piece; what an interruption tore is cut off before anything is added.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from benchmark.errors import LedgerError
from leaderboard import LeaderboardError, ledger_table, read_ledger
from leaderboard.tables import LEDGER, RUN


@dataclass(frozen=True, order=True)
class Run:
    """One fine-tuning: its place in the ledger."""

    model: str
    technique: str
    seed: int
    trained_on: str


def rows_path(folder: Path, model: str) -> Path:
    return folder / f"{model}.csv"


def runs_path(folder: Path, model: str) -> Path:
    return folder / f"{model}.runs.jsonl"


@contextlib.contextmanager
def _locked(folder: Path, model: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{model}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def rows(folder: Path, model: str) -> pl.DataFrame:
    """The rows of a model's file, of incomplete runs too; none where there is no file. Raises LedgerError for a file that is no ledger."""
    path = rows_path(folder, model)
    if not path.exists():
        return ledger_table([])
    try:
        return read_ledger(path, complete=False)
    except LeaderboardError as problem:
        raise LedgerError(str(problem)) from None


def rows_of(table: pl.DataFrame, run: Run) -> pl.DataFrame:
    """The rows of one run."""
    return table.filter(*(pl.col(column) == getattr(run, column) for column in RUN))


def complete_runs(folder: Path, model: str, tasks: Iterable[str]) -> set[Run]:
    """Runs whose rows cover all of `tasks`."""
    tasks = set(tasks)
    covered = rows(folder, model).filter(pl.col("evaluated_on").is_in(list(tasks))).group_by(RUN).len()
    return {Run(*run) for *run, count in covered.iter_rows() if count == len(tasks)}


def repair(folder: Path, model: str) -> None:
    """Cut off what an interrupted write left at the end of a model's files: half a line, and a run with fewer rows than described."""
    if not folder.is_dir():
        return
    with _locked(folder, model):
        for path in (rows_path(folder, model), runs_path(folder, model)):
            if path.exists():
                body = path.read_bytes()
                if body and not body.endswith(b"\n"):
                    _replace(path, body[: body.rfind(b"\n") + 1])
        table = rows(folder, model)
        torn = incomplete_runs(folder, model)
        if not table.is_empty() and (last := Run(*table.select(RUN).row(-1))) in torn:
            kept = table.join(
                rows_of(table, last).select(LEDGER.names()), on=LEDGER.names(), how="anti", maintain_order="left"
            )
            _replace(rows_path(folder, model), kept.write_csv().encode())


def incomplete_runs(folder: Path, model: str) -> set[Run]:
    """Runs with some rows, but fewer than their description says."""
    counts = {Run(*run): count for *run, count in rows(folder, model).group_by(RUN).len().iter_rows()}
    return {run for run, notes in runs(folder, model).items() if 0 < counts.get(run, 0) < notes["rows"]}


def _replace(path: Path, body: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(body)
    os.replace(part, path)


def runs(folder: Path, model: str) -> dict[Run, dict[str, Any]]:
    """How each run was made; of a run described twice (an interruption between description and rows) the last counts."""
    path = runs_path(folder, model)
    if not path.exists():
        return {}
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            notes = json.loads(line)
            if missing := [key for key in ("rows", "val", "seconds") if key not in notes]:
                raise KeyError(missing[0])
            found[Run(notes["model"], notes["technique"], notes["seed"], notes["trained_on"])] = notes
        except (ValueError, KeyError, TypeError) as problem:
            raise LedgerError(f"{path}: line {number} is not a run's description ({problem})") from None
    return found


def append(folder: Path, run: Run, *, before: dict[str, float], after: dict[str, float], notes: dict[str, Any]) -> bool:
    """Add one run, unless another process has added it meanwhile; returns whether it was added.

    Of a run that is there already, but lacks some tasks (the suite has grown), the missing rows are added.
    """
    with _locked(folder, run.model):
        there = rows_of(rows(folder, run.model), run)["evaluated_on"].to_list()
        missing = [task for task in after if task not in there]
        if not missing:
            return False
        place = {"model": run.model, "technique": run.technique, "seed": run.seed, "trained_on": run.trained_on}
        description = place | {"rows": len(there) + len(missing)} | notes
        _append(runs_path(folder, run.model), json.dumps(description) + "\n")
        path = rows_path(folder, run.model)
        added = ledger_table(
            place | {"evaluated_on": task, "before": before[task], "after": after[task]} for task in missing
        ).with_columns(pl.col("before", "after").round_sig_figs(6))
        _append(path, added.write_csv(include_header=not path.exists()))
        return True


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
