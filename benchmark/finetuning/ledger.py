"""The ledger's files of one model: `<model>.csv`, one row per run and task evaluated on, and `<model>.runs.jsonl`, notes per run.

Rows are only ever added. The notes of a run are written first, with the number and the digest of its rows, then all its rows at once.
So an interruption is recognised by fewer rows than the notes say; such a run is removed before anything is added. A run whose rows
are not those that were written is an error.
"""

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from benchmark import files
from benchmark.errors import LedgerError, first_line
from leaderboard import LeaderboardError, ledger_table, read_ledger
from leaderboard.regular_files import TABLE_BYTES, read_bytes, read_text
from leaderboard.tables import RUN

LOG = logging.getLogger("benchmark.ledger")
REQUIRED_NOTES = ("rows", "digest", "val", "seconds")
DIGITS = 6  # significant digits of an accuracy
UNIT = 1e-9  # of an accuracy in a digest, so that it does not depend on how a number is written


@dataclass(frozen=True, order=True)
class Run:
    """One fine-tuning, as the ledger identifies it."""

    model: str
    technique: str
    seed: int
    trained_on: str

    @property
    def label(self) -> str:
        """As messages name a run of a model: technique/seed/task."""
        return f"{self.technique}/{self.seed}/{self.trained_on}"


def rows_path(folder: Path, model: str) -> Path:
    """The file of the accuracies."""
    return folder / f"{model}.csv"


def runs_path(folder: Path, model: str) -> Path:
    """The file of the notes."""
    return folder / f"{model}.runs.jsonl"


@contextlib.contextmanager
def _lock(folder: Path, model: str) -> Iterator[None]:
    """An exclusive lock among processes, for one model, so that those that measure different models do not wait."""
    with files.lock(folder / f".{model}.lock"):
        yield


def read_rows(folder: Path, model: str) -> pl.DataFrame:
    """The rows of a model, including those of incomplete runs; an empty table if there is no file.

    Raises LedgerError for a file that is not a ledger.
    """
    path = rows_path(folder, model)
    if not path.exists():
        return ledger_table([])
    try:
        return read_ledger(path, complete=False)
    except LeaderboardError as error:
        raise LedgerError(str(error)) from None


def _rows_of_run(table: pl.DataFrame, run: Run) -> pl.DataFrame:
    return table.filter(*(pl.col(column) == getattr(run, column) for column in RUN))


def complete_runs(folder: Path, model: str, tasks: Iterable[str]) -> set[Run]:
    """Runs that are evaluated on all of the given tasks."""
    # a run of a smaller suite has fewer tasks, and is pending until the new ones are added
    tasks = set(tasks)
    covered = read_rows(folder, model).filter(pl.col("evaluated_on").is_in(list(tasks))).group_by(RUN).len()
    return {Run(*run) for *run, count in covered.iter_rows() if count == len(tasks)}


def repair(folder: Path, model: str) -> None:
    """Remove what an interrupted write left in a model's files: half a line, or a run with fewer rows than its notes say."""
    # what is torn in a read-only ledger is reported when it is read
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return
    with _lock(folder, model):
        for path in (rows_path(folder, model), runs_path(folder, model)):
            body = read_bytes(path, TABLE_BYTES) if path.exists() else b"\n"
            # every line ends with a newline, so a last line without one was cut off
            if not body.endswith(b"\n"):
                LOG.warning("%s: removed an incomplete last line, as an interruption leaves it", path)
                files.write(path, body[: body.rfind(b"\n") + 1])
        path = rows_path(folder, model)
        # an interruption within the header, which the next run writes again
        if path.exists() and path.stat().st_size == 0:
            path.unlink()
        incomplete = sorted(incomplete_runs(folder, model))
        if incomplete:
            for run in incomplete:
                LOG.warning("%s: removed the incomplete run %s", path, run.label)
            table = read_rows(folder, model)
            removed = pl.DataFrame(incomplete, schema=table.select(RUN).schema)
            complete = table.join(removed, on=RUN, how="anti", maintain_order="left")
            files.write(path, complete.write_csv().encode())


def incomplete_runs(folder: Path, model: str) -> set[Run]:
    """Runs with some rows, but fewer than their notes say."""
    # 0 rows: an interruption between notes and rows, which leaves no run to complete
    counts = {Run(*run): count for *run, count in read_rows(folder, model).group_by(RUN).len().iter_rows()}
    return {run for run, notes in read_notes(folder, model).items() if 0 < counts.get(run, 0) < notes["rows"]}


def read(folder: Path, model: str) -> tuple[pl.DataFrame, dict[Run, dict[str, Any]]]:
    """The rows of a model and the notes of its runs.

    Raises LedgerError for a row without notes, for an incomplete run, and for a run whose rows are not those that were written.
    """
    rows, notes = read_rows(folder, model), read_notes(folder, model)
    path = rows_path(folder, model)
    for run, (count, digest) in _contents(rows).items():
        if run not in notes:
            raise LedgerError(
                f"{path}: run {run.label} has no notes in {runs_path(folder, model).name}",
                "restore that file, or remove the rows of the run and measure it again",
            )
        if count < notes[run]["rows"]:
            raise LedgerError(
                f"{path}: run {run.label} is missing rows, as an interruption leaves it",
                "`python -m benchmark measure` completes it",
            )
        if digest != notes[run]["digest"]:
            raise LedgerError(
                f"{path}: the rows of run {run.label} are not those that were measured",
                "restore the file, or remove the rows of the run and measure it again",
            )
    return rows, notes


def _contents(rows: pl.DataFrame) -> dict[Run, tuple[int, str]]:
    """Run to the number and the digest of its rows: of their tasks and accuracies, in the order of the tasks' names."""
    accuracies = [(pl.col(column) / UNIT).round().cast(pl.Int64) for column in ("before", "after")]
    lines = rows.sort("evaluated_on").select(
        *RUN, pl.concat_str("evaluated_on", *accuracies, separator=",").alias("line")
    )
    runs = lines.group_by(RUN).agg(pl.len(), pl.col("line").str.join("\n"))
    return {
        Run(*run): (count, hashlib.sha256(text.encode()).hexdigest()[:16]) for *run, count, text in runs.iter_rows()
    }


def read_notes(folder: Path, model: str) -> dict[Run, dict[str, Any]]:
    """The notes of every run: its conditions, steps, seconds, val curve, device and versions.

    If a run has several, as an interruption between notes and rows leaves them, the last are returned.
    Raises LedgerError for a line that is not the notes of a run.
    """
    path = runs_path(folder, model)
    if not path.exists():
        return {}
    result = {}
    try:
        lines = read_text(path, TABLE_BYTES).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LedgerError(f"{path}: cannot be read ({first_line(error)})") from None
    for number, line in enumerate(lines, 1):
        try:
            notes = json.loads(line)
            if missing := [key for key in REQUIRED_NOTES if key not in notes]:
                raise KeyError(missing[0])
            result[Run(notes["model"], notes["technique"], notes["seed"], notes["trained_on"])] = notes
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise LedgerError(f"{path}: line {number} is not a run's description ({error})") from None
    return result


def append(folder: Path, run: Run, *, before: dict[str, float], after: dict[str, float], notes: dict[str, Any]) -> bool:
    """Add one run, unless another process has added it in the meantime; returns whether it was added.

    before, after: test accuracy on every task.  notes: how the run was made.
    If the run is recorded without some of the tasks, because the suite has grown, only the missing rows are added.
    """
    with _lock(folder, run.model):
        # read under the lock: another process may have added the run since it was planned
        recorded = _rows_of_run(read_rows(folder, run.model), run)
        missing = [task for task in after if task not in recorded["evaluated_on"].to_list()]
        if not missing:
            return False
        columns = asdict(run)
        new_rows = ledger_table(
            columns | {"evaluated_on": task, "before": before[task], "after": after[task]} for task in missing
        ).with_columns(pl.col("before", "after").round_sig_figs(DIGITS))
        count, digest = _contents(pl.concat([recorded, new_rows]))[run]
        # notes before rows: an interruption in between leaves notes without rows, which count as no run
        _append(runs_path(folder, run.model), json.dumps(columns | {"rows": count, "digest": digest} | notes) + "\n")
        path = rows_path(folder, run.model)
        new = not path.exists() or path.stat().st_size == 0
        _append(path, new_rows.write_csv(include_header=new))
        return True


def _append(path: Path, text: str) -> None:
    """Append a text, and return once it is on the disk."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    with os.fdopen(handle, "wb") as file:
        size = file.seek(0, os.SEEK_END)
        try:
            file.write(text.encode())
            file.flush()
            # a run costs seconds to minutes, so a power failure may not lose it
            os.fsync(file.fileno())
        except OSError as error:  # a full disk: nothing of a part is kept
            os.ftruncate(handle, size)
            raise OSError(error.errno, error.strerror, str(path)) from None
