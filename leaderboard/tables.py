"""Reading the two tables that a board is made of: measured runs, and scores."""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from leaderboard.errors import LeaderboardError

LEDGER_COLUMNS = ("model", "technique", "seed", "trained_on", "evaluated_on", "before", "after")
SCORE_COLUMNS = ("scorer", "model", "task", "score")
WIDE_COLUMNS = ("model", "task")
NO_TECHNIQUE = "tuned"  # the name of a technique that has none
NUMBERS = ("before", "accuracy", "gain", "forgetting")


@dataclass(frozen=True)
class Row:
    """One measurement: accuracy on `evaluated_on`, before and after tuning on `trained_on`; fractions in 0..1."""

    model: str
    technique: str
    seed: int
    trained_on: str
    evaluated_on: str
    before: float
    after: float


@dataclass(frozen=True)
class Score:
    """One score; None where the scorer abstained. Blank `technique` or `target`: it holds for all of them."""

    scorer: str
    model: str
    task: str
    score: float | None
    technique: str = ""
    target: str = ""
    seconds: float | None = None


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise LeaderboardError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise LeaderboardError(f"{path}: cannot be read as UTF-8 text ({problem})") from None
    if text and not text.endswith("\n"):
        raise LeaderboardError(
            f"{path}: the last line has no end; an interrupted write tore it; `python -m benchmark measure` mends it, or remove the line"
        )
    return text.splitlines()


def _rows(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row of a CSV file with where it stands, its columns checked."""
    reader = csv.DictReader(_lines(path))
    if missing := [column for column in needed if column not in (reader.fieldnames or [])]:
        raise LeaderboardError(
            f"{path}: column '{missing[0]}' is missing; found {', '.join(reader.fieldnames or ()) or 'none'}"
        )
    if twice := [column for column, times in Counter(reader.fieldnames or ()).items() if times > 1]:
        raise LeaderboardError(f"{path}: column '{twice[0]}' is there more than once; keep one")
    for number, row in enumerate(_parsed(path, reader), 2):
        where = f"{path}: row {number}"
        if None in row or None in row.values():
            raise LeaderboardError(f"{where}: has {'more' if None in row else 'fewer'} fields than the header")
        yield where, row


def _parsed(path: Path, reader: Iterable[dict[str, str]]) -> Iterator[dict[str, str]]:
    try:
        yield from reader
    except csv.Error as problem:
        raise LeaderboardError(f"{path}: cannot be read as CSV ({problem})") from None


def _number(where: str, row: dict[str, str], column: str) -> float:
    try:
        value = float(row[column])
    except ValueError:
        raise LeaderboardError(f"{where}, column '{column}': '{row[column]}' is not a number") from None
    if not math.isfinite(value):
        raise LeaderboardError(
            f"{where}, column '{column}': {value} is not finite; leave the field empty or the row out"
        )
    return value


def read_ledger(path: Path) -> list[Row]:
    """The runs of a CSV file, or of all CSV files of a folder.

    Raises LeaderboardError for a missing column, a value that is no fraction, a row given twice, a run without its in-domain
    row, and an empty ledger.
    """
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    rows: list[Row] = []
    seen: dict[tuple[str, str, int, str, str], str] = {}
    for file in files:
        for where, row in _rows(file, LEDGER_COLUMNS):
            values = {column: _number(where, row, column) for column in ("before", "after")}
            for column, value in values.items():
                if not 0 <= value <= 1:
                    raise LeaderboardError(
                        f"{where}, column '{column}': {value} is outside 0..1; accuracies are fractions"
                    )
            seed = _number(where, row, "seed")
            if seed != int(seed):
                raise LeaderboardError(f"{where}, column 'seed': {seed} is not a whole number")
            key = (row["model"], row["technique"], int(seed), row["trained_on"], row["evaluated_on"])
            if key in seen:
                raise LeaderboardError(f"{where}: the same measurement as in {seen[key]}; keep one of them")
            seen[key] = where
            rows.append(Row(*key, before=values["before"], after=values["after"]))
    if not rows:
        raise LeaderboardError(f"{path}: there are no measurements; `python -m benchmark measure` makes them")
    home = {(r.model, r.technique, r.seed, r.trained_on) for r in rows if r.trained_on == r.evaluated_on}
    for r in rows:
        if (r.model, r.technique, r.seed, r.trained_on) not in home:
            raise LeaderboardError(
                f"{path}: run {r.model}/{r.technique}/{r.seed}/{r.trained_on} has no row evaluated on its own task"
            )
    return rows


def is_ledger(path: Path) -> bool:
    """Whether a file, or a folder of files, is a ledger; the other kind of measurements has a row per (model, task)."""
    return path.is_dir() or "trained_on" in next(csv.reader(_lines(path)), [])


def read_wide(path: Path) -> list[dict[str, str | float]]:
    """The rows of a CSV file with `model`, `task` and any of `before`, `accuracy`, `gain`, `forgetting`, which become numbers.

    `technique` and `seed` may be given, and are else NO_TECHNIQUE and 0. Empty fields are left out. Raises LeaderboardError naming row and column.
    """
    rows: list[dict[str, str | float]] = []
    seen: dict[tuple[str, str, str, int], str] = {}
    for where, row in _rows(path, WIDE_COLUMNS):
        numbers = [column for column in NUMBERS if column in row]
        if not set(numbers) - {"before"}:
            raise LeaderboardError(
                f"{path}: none of the columns accuracy, gain, forgetting is there; found {', '.join(row)}"
            )
        seed = _number(where, row, "seed") if row.get("seed", "").strip() else 0.0
        if seed != int(seed):
            raise LeaderboardError(f"{where}, column 'seed': {seed} is not a whole number")
        key = (row["model"], row["task"], row.get("technique", "") or NO_TECHNIQUE, int(seed))
        if key in seen:
            raise LeaderboardError(f"{where}: the same model and task as in {seen[key]}; keep one of them")
        seen[key] = where
        known: dict[str, str | float] = {"model": key[0], "task": key[1], "technique": key[2], "seed": seed}
        known |= {column: _number(where, row, column) for column in numbers if row[column].strip()}
        rows.append(known)
    if not rows:
        raise LeaderboardError(f"{path}: there are no measurements")
    return rows


def read_scores(path: Path) -> list[Score]:
    """The scores of a CSV file; raises LeaderboardError naming row and column."""
    scores: list[Score] = []
    seen: dict[tuple[str, str, str, str, str], str] = {}
    for where, row in _rows(path, SCORE_COLUMNS):
        value = _number(where, row, "score") if row["score"].strip() else None
        seconds = _number(where, row, "seconds") if row.get("seconds", "").strip() else None
        s = Score(
            row["scorer"], row["model"], row["task"], value, row.get("technique", ""), row.get("target", ""), seconds
        )
        key = (s.scorer, s.model, s.task, s.technique, s.target)
        if key in seen:
            raise LeaderboardError(f"{where}: the same score as in {seen[key]}; keep one of them")
        seen[key] = where
        scores.append(s)
    if not scores:
        raise LeaderboardError(f"{path}: there are no scores")
    return scores
