"""Choosing a model for a task by its score."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def first_choices(x: Floats, y: Floats, relative: bool) -> dict[str, Floats]:
    """(S, tasks) regret@1: the best model's y less that of the model that the score puts first, the mean where several are first.

    x: (S, models, tasks) scores, y: (models, tasks). relative: also rel@1, the chosen model's y as a share of the best (Renggli et al.,
    2022), for a y that is an accuracy. Over the models that have both numbers; NaN where they are fewer than two.
    """
    known = np.isfinite(x) & np.isfinite(y)
    enough = known.sum(1) >= 2
    first = known & (np.where(known, x, -np.inf) == np.where(known, x, -np.inf).max(1, keepdims=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        chosen = np.where(first, y, 0.0).sum(1) / first.sum(1)
        best = np.where(known, y, -np.inf).max(1)
        found = {"regret@1": best - chosen}
        if relative:
            found["rel@1"] = chosen / best
    return {name: np.where(enough & np.isfinite(values), values, np.nan) for name, values in found.items()}
