"""The axes of a board: over the tasks of each model, over the models of each task, or over all cells at once."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Clusters = Mapping[str, slice]
AXES = ("tasks", "models", "pooled")


def move_axis(axis: str, table: Floats) -> Floats:
    """Arrange a table for correlations along an axis: (..., models, tasks) to (..., G, P), one correlation per group.

    tasks: a group per model, its points are tasks.  models: a group per task, its points are models.  pooled: one group of all cells.
    """
    if axis == "pooled":
        return table.reshape(*table.shape[:-2], 1, -1)
    return table if axis == "tasks" else np.swapaxes(table, -1, -2)


def over_groups(values: Floats) -> Floats:
    """Mean over the groups that have a value: (S, G, B) to (S, B); NaN where no group has one."""
    defined = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(defined, values, 0.0).sum(1) / defined.sum(1))


def leave_one_out(models: int, tasks: int, axis: str) -> tuple[Floats, Clusters]:
    """Selections of the points for the jackknife, and the rows of each kind of cluster.

    Row 0 selects all points, each further row leaves one cluster out. (B, tasks) for axis "tasks", (B, models) for "models",
    (B, models · tasks) for "pooled", whose clusters are tasks, models and single cells.
    """
    if axis != "pooled":
        count = tasks if axis == "tasks" else models
        return np.vstack([np.ones(count), 1 - np.eye(count)]), {axis: slice(1, 1 + count)}
    # cells are numbered row by row, as `move_axis` flattens (models, tasks)
    model_of_cell, task_of_cell = np.indices((models, tasks)).reshape(2, -1)
    selections = [
        np.ones((1, models * tasks)),
        1.0 * (task_of_cell != np.arange(tasks)[:, None]),
        1.0 * (model_of_cell != np.arange(models)[:, None]),
        1 - np.eye(models * tasks),
    ]
    ends = np.cumsum([len(part) for part in selections])
    clusters = {name: slice(ends[i], ends[i + 1]) for i, name in enumerate(("tasks", "models", "cells"))}
    return np.concatenate(selections), clusters
