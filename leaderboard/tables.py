"""Reading and building the tables of a board as data frames: the ledger, plain measurements, and scores.

Tables are polars data frames: it is imported in a third of the time that pandas takes, and parses a ledger of millions of rows in
seconds. A file is typed when it is read, so that every error names the file, the row and the column.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from leaderboard.errors import LeaderboardError
from leaderboard.regular_files import TABLE_BYTES, read_text

LEDGER = pl.Schema(
    {
        "model": pl.String,
        "technique": pl.String,
        "seed": pl.Int64,
        "trained_on": pl.String,
        "evaluated_on": pl.String,
        "before": pl.Float64,  # accuracy on `evaluated_on`, a fraction in 0..1
        "after": pl.Float64,  # the same after fine-tuning on `trained_on`
    }
)
SCORES = pl.Schema(
    {
        "scorer": pl.String,
        "model": pl.String,
        "task": pl.String,
        "technique": pl.String,  # blank: the score is valid for every technique
        "target": pl.String,  # blank: for every target
        "score": pl.Float64,  # null where the scorer abstained
        "abstained": pl.String,  # the reason, blank where there is a score
        "seconds": pl.Float64,  # null where it was not timed
        "raised": pl.String,  # class name of the exception where the scorer raised one, else blank
    }
)
MEASUREMENTS = pl.Schema(
    {
        "model": pl.String,
        "task": pl.String,
        "technique": pl.String,
        "seed": pl.Int64,
        "before": pl.Float64,
        "accuracy": pl.Float64,
        "gain": pl.Float64,
        "forgetting": pl.Float64,
    }
)
RUN = ("model", "technique", "seed", "trained_on")  # the columns that name one fine-tuning
LEDGER_KEY = (*RUN, "evaluated_on")
SCORE_KEY = ("scorer", "model", "task", "technique", "target")
MEASUREMENT_KEY = ("model", "task", "technique", "seed")
NUMBERS = ("before", "accuracy", "gain", "forgetting")
NO_TECHNIQUE = "tuned"  # the name of a technique that has none
# the limit of the csv module for one field
LONGEST = 131_072  # characters of a line; a longer one is no row of these tables
BEFORE_TOLERANCE = 0.01  # of accuracies before fine-tuning that were computed on different machines
CONTROL = "[\\x00-\\x1f\\x7f-\\x9f]"  # characters that a terminal may take for a command
FILE, ROW = "_file", "_row"  # where a row was read, for error messages


def ledger_table(rows: Iterable[Sequence[Any] | Mapping[str, Any]]) -> pl.DataFrame:
    """A ledger from rows in the order, or by the names, of the columns of `LEDGER`."""
    return _table(rows, LEDGER)


def score_table(rows: Iterable[Sequence[Any] | Mapping[str, Any]]) -> pl.DataFrame:
    """A table of scores from rows in the order, or by the names, of the columns of `SCORES`; missing names are blank or null."""
    return _table(rows, SCORES)


def measurement_table(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Measurements from rows by the names of the columns of `MEASUREMENTS`."""
    table = _table(rows, MEASUREMENTS)
    return table.with_columns(
        pl.col("seed").fill_null(0),
        pl.when(pl.col("technique") == "").then(pl.lit(NO_TECHNIQUE)).otherwise(pl.col("technique")).alias("technique"),
    )


def _table(rows: Iterable[Sequence[Any] | Mapping[str, Any]], schema: pl.Schema) -> pl.DataFrame:
    texts = [name for name, kind in schema.items() if kind == pl.String]
    table = pl.DataFrame(list(rows), schema=schema, orient="row", infer_schema_length=None)
    return table.with_columns(pl.col(texts).fill_null(""))


def read_ledger(path: Path, complete: bool = True) -> pl.DataFrame:
    """The runs of a CSV file, or of all CSV files of a folder, with the columns of `LEDGER`.

    complete: require rows, and of each run the row evaluated on its own task.

    Raises LeaderboardError for a missing column, a value outside 0..1, a repeated row and, where `complete`, for a missing one and for
    accuracies before fine-tuning that differ between runs.
    """
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    tables = [_read_ledger_file(file) for file in files]
    ledger = pl.concat(tables) if tables else pl.DataFrame(schema={**LEDGER, FILE: pl.String, ROW: pl.Int64})
    _check_unique(ledger, LEDGER_KEY, "the same measurement as in")
    if complete:
        _check_before(ledger)
    ledger = ledger.select(LEDGER.names())
    if not complete:
        return ledger
    if ledger.is_empty():
        raise LeaderboardError(f"{path}: contains no measurements; `python -m benchmark measure` adds them")
    in_domain = ledger.filter(pl.col("trained_on") == pl.col("evaluated_on"))
    missing = ledger.select(RUN).join(in_domain.select(RUN), on=RUN, how="anti")
    if not missing.is_empty():
        run = "/".join(str(value) for value in missing.row(0))
        raise LeaderboardError(f"{path}: run {run} has no row evaluated on its own task")
    return ledger


def _check_before(ledger: pl.DataFrame) -> None:
    """The accuracy before fine-tuning belongs to a model and a task, so it is the same in all runs.

    Runs on the task itself may use more test images than runs on other tasks, so these are compared apart.
    """
    own = (pl.col("trained_on") == pl.col("evaluated_on")).alias("own")
    first = pl.col("before").first().over("model", "evaluated_on", own)
    different = ledger.with_columns(first=first).filter((pl.col("before") - pl.col("first")).abs() > BEFORE_TOLERANCE)
    if not different.is_empty():
        row = different.row(0, named=True)
        raise LeaderboardError(
            f"{_place(different)}, column 'before': {row['before']:g}, but {row['first']:g} in another run of model "
            f"'{row['model']}' on task '{row['evaluated_on']}'; one model has one accuracy before fine-tuning on a task"
        )


def _read_ledger_file(path: Path) -> pl.DataFrame:
    table = _read_csv(path, LEDGER.names())
    table = _whole_numbers(_numbers(table, ("before", "after", "seed")), "seed")
    for column in ("before", "after"):
        outside = table.filter((pl.col(column) < 0) | (pl.col(column) > 1))
        if not outside.is_empty():
            value = outside[column][0]
            raise LeaderboardError(
                f"{_place(outside)}, column '{column}': {value} is outside 0..1; accuracies are fractions"
            )
    return table.select(*LEDGER.names(), FILE, ROW)


def is_ledger(path: Path) -> bool:
    """Whether a file, or a folder of files, is a ledger; the other kind of measurements has a row per (model, task)."""
    return path.is_dir() or "trained_on" in _header(_read_text(path))


def read_measurement_file(path: Path) -> pl.DataFrame:
    """A CSV file with `model`, `task` and any of `before`, `accuracy`, `gain`, `forgetting`, with the columns of `MEASUREMENTS`.

    `technique` and `seed` are optional; their defaults are NO_TECHNIQUE and 0. Empty fields are null.

    Raises LeaderboardError naming row and column.
    """
    table = _read_csv(path, ("model", "task"))
    numbers = [column for column in NUMBERS if column in table.columns]
    # the accuracy before alone is no outcome of fine-tuning
    if not set(numbers) - {"before"}:
        names = ", ".join(name for name in table.columns if name not in (FILE, ROW))
        raise LeaderboardError(f"{path}: none of the columns accuracy, gain, forgetting is there; found {names}")
    for column, default in (("technique", NO_TECHNIQUE), ("seed", "0")):
        given = pl.col(column) if column in table.columns else pl.lit("")
        table = table.with_columns(
            pl.when(given.str.strip_chars() == "").then(pl.lit(default)).otherwise(given).alias(column)
        )
    table = _whole_numbers(_numbers(table, ("seed",)), "seed")
    table = _numbers(table, numbers, empty=True)
    absent = [pl.lit(None, pl.Float64).alias(column) for column in NUMBERS if column not in numbers]
    table = table.with_columns(absent)
    _check_unique(table, MEASUREMENT_KEY, "the same model and task as in")
    if table.is_empty():
        raise LeaderboardError(f"{path}: contains no measurements")
    return table.select(MEASUREMENTS.names())


def read_scores(path: Path) -> pl.DataFrame:
    """The scores of a CSV file with the columns of `SCORES`, of which only scorer, model, task and score are required.

    Raises LeaderboardError naming row and column.
    """
    table = _read_csv(path, ("scorer", "model", "task", "score"))
    absent = [pl.lit("").alias(column) for column in SCORES if column not in table.columns]
    table = _numbers(table.with_columns(absent), ("score", "seconds"), empty=True)
    _check_unique(table, SCORE_KEY, "the same score as in")
    if table.is_empty():
        raise LeaderboardError(f"{path}: contains no scores")
    return table.select(SCORES.names())


def scores_to_csv(scores: pl.DataFrame) -> str:
    """A score table as CSV: `score` in full precision, blank where the scorer abstained."""
    # times vary from run to run: two digits are enough
    return scores.with_columns(pl.col("seconds").round_sig_figs(2)).write_csv()


def _read_text(path: Path) -> str:
    try:
        return read_text(path, TABLE_BYTES, "utf-8-sig")
    except FileNotFoundError:
        raise LeaderboardError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise LeaderboardError(f"{path}: cannot be read as UTF-8 text ({problem})") from None


def _header(text: str) -> list[str]:
    return next(csv.reader(io.StringIO(text)), [])


def _read_csv(path: Path, required: Iterable[str]) -> pl.DataFrame:
    """A CSV file as texts, blank where a field is empty, with the columns FILE and ROW; its header and the length of its rows are checked."""
    text = _read_text(path)
    if text and not text.endswith("\n"):
        raise LeaderboardError(
            f"{path}: the last line has no end, as an interrupted write leaves it; "
            "`python -m benchmark measure` repairs a ledger, otherwise remove the line"
        )
    try:
        if max(map(len, text.splitlines()), default=0) > LONGEST:
            raise csv.Error(f"a line is longer than {LONGEST} characters")
        header = _header(text)
        _check_header(path, header, required)
        _check_lengths(path, text, len(header))
        table = pl.read_csv(text.encode(), infer_schema=False)
    except (csv.Error, pl.exceptions.PolarsError) as problem:
        raise LeaderboardError(f"{path}: cannot be read as CSV ({str(problem).splitlines()[0]})") from None
    controlled = table.with_row_index().filter(pl.any_horizontal(pl.col(header).str.contains(CONTROL)))
    if not controlled.is_empty():
        row = controlled.row(0, named=True)
        column = next(name for name in header if re.search(CONTROL, row[name] or ""))
        raise LeaderboardError(f"{path}: row {row['index'] + 2}, column '{column}': contains a control character")
    place = [pl.lit(str(path)).alias(FILE), pl.int_range(2, pl.len() + 2, dtype=pl.Int64).alias(ROW)]
    return table.with_columns(pl.col(header).fill_null("")).with_columns(place)


def _check_header(path: Path, header: Sequence[str], required: Iterable[str]) -> None:
    if missing := [column for column in required if column not in header]:
        raise LeaderboardError(f"{path}: column '{missing[0]}' is missing; found {', '.join(header) or 'none'}")
    if repeated := [column for column in header if header.count(column) > 1]:
        raise LeaderboardError(f"{path}: column '{repeated[0]}' is there more than once; keep one")


def _check_lengths(path: Path, text: str, columns: int) -> None:
    """Raise where a row has another number of fields than the header.

    Counting separators settles it for a text without quotes, unless one row has as many too many as another has too few, where the
    parser finds the long one. Only a text with quotes, or with a wrong count, is parsed row by row.
    """
    if '"' not in text and text.count(",") == (columns - 1) * text.count("\n"):
        return
    for number, row in enumerate(csv.reader(io.StringIO(text)), 1):
        if row and len(row) != columns:
            length = "more" if len(row) > columns else "fewer"
            raise LeaderboardError(f"{path}: row {number}: has {length} fields than the header")


def _numbers(table: pl.DataFrame, columns: Iterable[str], empty: bool = False) -> pl.DataFrame:
    """The table with these columns as numbers, null where a field is blank and `empty` allows it."""
    for column in columns:
        given = pl.col(column).str.strip_chars()
        number = given.cast(pl.Float64, strict=False)  # null where it is not a number
        blank = (given == "") if empty else pl.lit(False)
        wrong = table.filter(~blank & number.is_null())
        if not wrong.is_empty():
            raise LeaderboardError(f"{_place(wrong)}, column '{column}': '{wrong[column][0]}' is not a number")
        infinite = table.filter(~blank & ~number.is_finite())
        if not infinite.is_empty():
            value = infinite[column][0]
            raise LeaderboardError(
                f"{_place(infinite)}, column '{column}': {value} is not finite; leave the field empty or the row out"
            )
        table = table.with_columns(number.alias(column))
    return table


def _whole_numbers(table: pl.DataFrame, column: str) -> pl.DataFrame:
    fractional = table.filter(pl.col(column) != pl.col(column).round())
    if not fractional.is_empty():
        raise LeaderboardError(
            f"{_place(fractional)}, column '{column}': {fractional[column][0]} is not a whole number"
        )
    return table.with_columns(pl.col(column).cast(pl.Int64))


def _check_unique(table: pl.DataFrame, key: Sequence[str], message: str) -> None:
    repeated = table.filter(~pl.struct(key).is_first_distinct())
    if repeated.is_empty():
        return
    first = table.join(repeated.head(1).select(key), on=key, how="semi", maintain_order="left")
    raise LeaderboardError(f"{_place(repeated)}: {message} {_place(first)}; keep one of them")


def _place(rows: pl.DataFrame) -> str:
    """Where the first of these rows was read."""
    return f"{rows[FILE][0]}: row {rows[ROW][0]}"
