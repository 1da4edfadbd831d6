"""The axes of a board: a correlation runs over the tasks of each model, over the models of each task, or over all cells at once."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Clusters = Mapping[str, slice]
AXES = ("tasks", "models", "pooled")


def move_axis(axis: str, table: Floats) -> Floats:
    """(..., models, tasks) to (..., groups, points): the points that a correlation runs over, one group per correlation."""
    if axis == "pooled":
        return table.reshape(*table.shape[:-2], 1, -1)
    return table if axis == "tasks" else np.swapaxes(table, -1, -2)


def or_null(value: float) -> float | None:
    """A number, or None where it is not finite."""
    return float(value) if np.isfinite(value) else None


def over_groups(values: Floats) -> Floats:
    """(S, groups, B) to (S, B): the mean, groups without a value left out."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, values, 0.0).sum(1) / known.sum(1))


def leave_one_out(models: int, tasks: int, axis: str) -> tuple[Floats, Clusters]:
    """Selections for `correlation`: row 0 keeps all, each other row leaves one cluster out; and which rows leave out what.

    (B, tasks) for axis "tasks", (B, models) for "models", (B, models · tasks) for "pooled".
    """
    if axis != "pooled":
        count = tasks if axis == "tasks" else models
        return np.vstack([np.ones(count), 1 - np.eye(count)]), {axis: slice(1, 1 + count)}
    of_model, of_task = np.indices((models, tasks)).reshape(2, -1)
    rows = [np.ones((1, models * tasks))]
    rows += [1.0 * (of_task != np.arange(tasks)[:, None]), 1.0 * (of_model != np.arange(models)[:, None])]
    rows += [1 - np.eye(models * tasks)]
    ends = np.cumsum([1, tasks, models, models * tasks])
    return np.concatenate(rows), {
        name: slice(ends[i], ends[i + 1]) for i, name in enumerate(("tasks", "models", "cells"))
    }
