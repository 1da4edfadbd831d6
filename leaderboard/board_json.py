"""A board as JSON in full precision, and back; `output.render` writes the rounded JSON that is published."""

import json
from dataclasses import fields

import polars as pl

from leaderboard.board import Board
from leaderboard.schemas import (
    FORGETTING,
    LEADS,
    PARTIALS,
    PER_GROUP,
    POOLS,
    PREDICTORS,
    ROWS,
    decode_table,
    encode_table,
)

TABLES = {
    "rows": ROWS,
    "per_group": PER_GROUP,
    "leads": LEADS,
    "partials": PARTIALS,
    "forgetting": FORGETTING,
    "predictors": PREDICTORS,
    "pools": POOLS,
}


def to_json(board: Board) -> str:
    """The board as JSON; floats have all their digits."""
    values = {field.name: getattr(board, field.name) for field in fields(board)}
    # tables store undefined numbers as null, so that NaN does not occur in them
    return json.dumps({k: encode_table(v) if isinstance(v, pl.DataFrame) else v for k, v in values.items()})


def from_json(text: str) -> Board:
    """The board that `to_json` wrote."""
    values = json.loads(text)
    values |= {name: decode_table(values[name], schema) for name, schema in TABLES.items()}
    # JSON has no tuples
    values |= {name: tuple(values[name]) for name in ("models", "tasks", "techniques", "seeds")}
    values["negated"] = {scorer: tuple(targets) for scorer, targets in values["negated"].items()}
    values["ranking"] = {
        technique: {target: tuple(names) for target, names in by_target.items()}
        for technique, by_target in values["ranking"].items()
    }
    return Board(**values)
