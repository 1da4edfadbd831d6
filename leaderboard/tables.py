"""Reading the two tables that a board is made of: measured runs, and scores."""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from leaderboard.errors import LeaderboardError

LEDGER_COLUMNS = ("model", "technique", "seed", "trained_on", "evaluated_on", "before", "after")
SCORE_COLUMNS = ("scorer", "model", "task", "score")


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


def _rows(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row of a CSV file with where it stands, its columns checked."""
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
    reader = csv.DictReader(text.splitlines())
    if missing := [column for column in needed if column not in (reader.fieldnames or [])]:
        raise LeaderboardError(
            f"{path}: column '{missing[0]}' is missing; found {', '.join(reader.fieldnames or ()) or 'none'}"
        )
    for number, row in enumerate(reader, 2):
        where = f"{path}: row {number}"
        if None in row or None in row.values():
            raise LeaderboardError(f"{where}: has {'more' if None in row else 'fewer'} fields than the header")
        yield where, row


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
