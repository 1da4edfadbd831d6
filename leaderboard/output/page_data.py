"""The data of the page's table and plots, as page.js reads them."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leaderboard.board import Board
from leaderboard.output.fitted_line import fitted_line
from leaderboard.output.html_parts import file_name
from leaderboard.output.sections import AXIS_LABELS, TITLES
from leaderboard.score_arrays import ScoreArrays
from leaderboard.statistics.axes import AXES
from leaderboard.statistics.correlation import MEASURES
from leaderboard.targets import TARGETS, Measured

Floats = NDArray[np.float64]
SHOWN_MEASURES = (*MEASURES, "slope", "rel@1", "regret@1")


def page_data(board: Board, arrays: ScoreArrays, m: Measured) -> dict[str, Any]:
    """Names are numbered, so that a row is a list of numbers; an undefined value is null."""
    names = arrays.names
    return {
        "scorers": list(names),
        "pages": [f"page/scorers/{file_name(name)}" for name in names],
        "models": list(board.models),
        "tasks": list(board.tasks),
        "techniques": list(board.techniques),
        "targetNames": list(TARGETS),
        "targetTitles": [TITLES[target] for target in TARGETS],
        "axisLabels": [AXIS_LABELS[axis] for axis in AXES],
        "measures": list(SHOWN_MEASURES),
        "negated": {
            f"{names.index(n)}/{TARGETS.index(t)}": True for n, targets in board.negated.items() for t in targets
        },
        "rows": _rows(board, names),
        "partials": _partials(board, names),
        **_points(board, arrays, m),
    }


def _rows(board: Board, names: Sequence[str]) -> list[list[float | None]]:
    """Numbers of scorer, technique, target, axis and measure; value, low, high, adjusted p, ceiling, coverage."""
    numbered = {
        "scorer": names,
        "technique": board.techniques,
        "target": TARGETS,
        "axis": AXES,
        "measure": SHOWN_MEASURES,
    }
    keys = [
        pl.col(column).replace_strict(list(texts), list(range(len(texts))), return_dtype=pl.Int64)
        for column, texts in numbered.items()
    ]
    table = board.rows.select(*keys, "value", "low", "high", "holm", "ceiling", "coverage")
    # five digits keep the file small
    return [[*row[:5], *(None if v is None else float(f"{v:.5g}") for v in row[5:])] for row in table.iter_rows()]


def _partials(board: Board, names: Sequence[str]) -> dict[str, list[float | bool]]:
    """Partial correlation and whether it is informative, by "scorer/technique/axis"; only those with an interval."""
    return {
        f"{names.index(row['scorer'])}/{board.techniques.index(row['technique'])}/{AXES.index(row['axis'])}": [
            round(row["partial"]["value"], 4),
            row["informative"],
        ]
        for row in board.partials.iter_rows(named=True)
        if row["partial"]["value"] is not None and row["partial"]["low"] is not None
    }


def _points(board: Board, arrays: ScoreArrays, m: Measured) -> dict[str, dict[str, Any]]:
    """`measured` by "technique/target", `scores` and `fits` by "scorer/technique/target"."""
    scores: dict[str, Any] = {}
    fits: dict[str, Any] = {}
    measured: dict[str, Any] = {}
    for k, technique in enumerate(board.techniques):
        for t, target in enumerate(TARGETS):
            y = m.values[technique][target]
            if not np.isfinite(y).any():
                continue
            measured[f"{k}/{t}"] = _nested(y)
            for i, x in enumerate(arrays.table(technique, target)):  # x, y (models, tasks)
                scores[f"{i}/{k}/{t}"] = _nested(x)
                if line := fitted_line(x, y):
                    fits[f"{i}/{k}/{t}"] = line
    return {"scores": _shared(scores, len(arrays.names)), "measured": measured, "fits": fits}


def _shared(scores: dict[str, Any], count: int) -> dict[str, Any]:
    """Scores that are the same for every technique and target once, under the scorer alone: a fraction of the file's size."""
    shared: dict[str, Any] = {}
    for i in range(count):
        own = {key: values for key, values in scores.items() if key.startswith(f"{i}/")}
        # as JSON, since lists have no hash
        equal = len({json.dumps(values) for values in own.values()}) == 1
        shared |= {f"{i}": next(iter(own.values()))} if equal else own
    return shared


def _nested(table: Floats) -> list[list[float | None]]:
    return [[float(f"{v:.5g}") if np.isfinite(v) else None for v in row] for row in table]
