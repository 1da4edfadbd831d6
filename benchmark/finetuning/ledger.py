"""Writing the ledger: `<model>.csv`, one row per (run, task evaluated on), and `<model>.runs.jsonl`, how each run was made.

Rows are only ever added. A run is there whole or not at all: its description is written first, then all its rows in one
piece; what an interruption tore is cut off before anything is added.
"""

import contextlib
import csv
import fcntl
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.errors import LedgerError

COLUMNS = ("model", "technique", "seed", "trained_on", "evaluated_on", "before", "after")


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


def rows(folder: Path, model: str) -> list[dict[str, str]]:
    """The rows of a model's file; raises LedgerError for a wrong header."""
    path = rows_path(folder, model)
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        try:
            found = list(reader)
        except UnicodeDecodeError as problem:
            raise LedgerError(f"{path}: is not UTF-8 text ({problem})") from None
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise LedgerError(f"{path}: columns are {','.join(reader.fieldnames or ())}; expected {','.join(COLUMNS)}")
    for number, row in enumerate(found, 2):
        if None in row or None in row.values() or not row["seed"].lstrip("-").isdigit():
            raise LedgerError(
                f"{path}: row {number} should have {len(COLUMNS)} fields with a whole number as seed; mend or remove it"
            )
    return found


def run_of(row: dict[str, str]) -> Run:
    return Run(row["model"], row["technique"], int(row["seed"]), row["trained_on"])


def complete_runs(folder: Path, model: str, tasks: Iterable[str]) -> set[Run]:
    """Runs whose rows cover all of `tasks`."""
    seen: dict[Run, set[str]] = {}
    for row in rows(folder, model):
        seen.setdefault(run_of(row), set()).add(row["evaluated_on"])
    wanted = set(tasks)
    return {run for run, evaluated in seen.items() if wanted <= evaluated}


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
        found = rows(folder, model)
        torn = incomplete_runs(folder, model)
        if found and run_of(found[-1]) in torn:
            kept = [row for row in found if run_of(row) != run_of(found[-1])]
            _replace(rows_path(folder, model), (_header() + _lines(kept)).encode())


def incomplete_runs(folder: Path, model: str) -> set[Run]:
    """Runs with some rows, but fewer than their description says."""
    counts = Counter(run_of(row) for row in rows(folder, model))
    return {run for run, notes in runs(folder, model).items() if 0 < counts[run] < notes["rows"]}


def _replace(path: Path, body: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(body)
    os.replace(part, path)


def _header() -> str:
    return ",".join(COLUMNS) + "\n"


def _lines(found: Iterable[dict[str, Any]]) -> str:
    text = io.StringIO()
    csv.DictWriter(text, COLUMNS, lineterminator="\n").writerows(found)
    return text.getvalue()


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


def append(folder: Path, run: Run, before: dict[str, float], after: dict[str, float], notes: dict[str, Any]) -> bool:
    """Add one run, unless another process has added it meanwhile; returns whether it was added.

    Of a run that is there already, but lacks some tasks (the suite has grown), the missing rows are added.
    """
    with _locked(folder, run.model):
        there = {row["evaluated_on"] for row in rows(folder, run.model) if run_of(row) == run}
        missing = [task for task in after if task not in there]
        if not missing:
            return False
        place = {"model": run.model, "technique": run.technique, "seed": run.seed, "trained_on": run.trained_on}
        description = place | {"rows": len(there) + len(missing)} | notes
        _append(runs_path(folder, run.model), json.dumps(description) + "\n")
        path = rows_path(folder, run.model)
        text = "" if path.exists() else _header()
        text += _lines(
            place | {"evaluated_on": task, "before": f"{before[task]:.6g}", "after": f"{after[task]:.6g}"}
            for task in missing
        )
        _append(path, text)
        return True


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
