"""A board as data: the published JSON, with six significant digits, and CSV."""

import csv
import io
import json
from dataclasses import asdict
from typing import Any

from leaderboard.board import Board
from leaderboard.provenance import Provenance
from leaderboard.schemas import KEY, ROWS
from leaderboard.statistics.intervals import PROCEDURES

FORMULA = tuple("=+-@\t\r")  # a spreadsheet would evaluate a text that starts with one of these


def as_dict(board: Board, provenance: Provenance | None = None) -> dict[str, Any]:
    """`meta` and `rows` as plain values; a row has its `per_group` values and, as `over_<baseline>`, its leads."""
    names = ("suite", "models", "tasks", "techniques", "seeds", "permutations")
    meta: dict[str, Any] = {name: getattr(board, name) for name in names}
    meta |= {name: getattr(board, name) for name in ("outcomes", "ranking", "stability", "seconds")}
    meta |= {"board": board.id, "intervals": PROCEDURES, "turned": board.negated}
    meta |= {"forgetting": _forgetting(board), "beyond": board.partials.to_dicts(), "pools": board.pools.to_dicts()}
    if provenance:
        meta["made"] = asdict(provenance)
    return {"meta": meta, "rows": _rows(board)}


def _rows(board: Board) -> list[dict[str, Any]]:
    rows = {_key(row): row | {"per_group": {}} for row in board.rows.iter_rows(named=True)}
    # the key of a row is unique, so that its groups and leads find it
    for *key, group, value in board.per_group.select(*KEY, "group", "value").iter_rows():
        rows[tuple(key)]["per_group"][group] = value
    for row in board.leads.iter_rows(named=True):
        rows[_key(row)][f"over_{row['baseline']}"] = {name: row[name] for name in ("value", "low", "high", "p")}
    return list(rows.values())


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(row[name] for name in KEY)


def _forgetting(board: Board) -> list[dict[str, Any]]:
    """A row per technique, with the scorers that predict its forgetting."""
    predictors: dict[str, list[Any]] = {}
    for row in board.predictors.iter_rows(named=True):
        # in the order of the table, the largest absolute correlation first
        predictors.setdefault(row["technique"], []).append([row["scorer"], row["correlation"]])
    return [row | {"predicted_by": predictors.get(row["technique"], [])} for row in board.forgetting.to_dicts()]


def to_published_json(board: Board, provenance: Provenance | None = None) -> str:
    """`as_dict` as JSON, one row per line so that versions can be compared."""
    rounded = _rounded(as_dict(board, provenance))
    meta, *rows = (
        # JSON has no NaN; an undefined value is null
        json.dumps(part, sort_keys=True, ensure_ascii=False, allow_nan=False)
        for part in (rounded["meta"], *rounded["rows"])
    )
    return f'{{"meta": {meta},\n"rows": [\n' + ",\n".join(rows) + "\n]}\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        # the last digits of a float64 differ between platforms
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {str(name): _rounded(item) for name, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value


def to_csv(board: Board, provenance: Provenance | None = None) -> str:
    """The rows of the board, each with the board's id and provenance."""
    # blank without provenance, so that the columns are always the same
    origin = [
        board.id,
        *((provenance.date, provenance.software, _csv_cell(provenance.command)) if provenance else ("",) * 3),
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*ROWS, "seconds", "board", "date", "versions", "command"])
    scorer = list(ROWS).index("scorer")
    for row in board.rows.iter_rows():
        writer.writerow([*map(_csv_cell, row), _csv_cell(board.seconds.get(row[scorer])), *origin])
    return text.getvalue()


def _csv_cell(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and value.startswith(FORMULA):
        # a leading apostrophe marks a text in spreadsheets, which do not show it
        return "'" + value
    return "" if value is None else value
