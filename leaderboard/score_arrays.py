"""Scores as arrays of models by tasks."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leaderboard.targets import Measured

Floats = NDArray[np.float64]


class ScoreArrays:
    """The scores of each scorer, in the order of `names`, on the models and tasks that were measured."""

    def __init__(self, scores: pl.DataFrame, m: Measured) -> None:
        self.names: list[str] = sorted(scores["scorer"].unique())
        axes = {"scorer": self.names, "model": list(m.models), "task": list(m.tasks)}
        self.shape = tuple(len(names) for names in axes.values())
        measured = pl.col("model").is_in(axes["model"]) & pl.col("task").is_in(axes["task"])
        used = scores.filter(pl.col("score").is_not_null() & measured)
        index = {axis: {name: i for i, name in enumerate(names)} for axis, names in axes.items()}
        # (3, rows): the place of each score in the arrays
        self._places = np.array([[index[axis][name] for name in used[axis]] for axis in axes], np.intp)
        self._values = used["score"].to_numpy()  # (rows,)
        self._techniques, self._targets = (used[name].to_numpy().astype(str) for name in ("technique", "target"))

    def table(self, technique: str, target: str) -> Floats:
        """(S, models, tasks), NaN where a scorer has no score. A score for this technique or target replaces a general one."""
        table = np.full(self.shape, np.nan)
        # from the most general to the most specific, each overwriting the one before
        for row_technique in ("", technique):
            for row_target in ("", target):
                rows = (self._techniques == row_technique) & (self._targets == row_target)
                table[tuple(self._places[:, rows])] = self._values[rows]
        return table
