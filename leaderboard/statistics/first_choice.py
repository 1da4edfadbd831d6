"""Regret and relative accuracy of choosing, for each task, the model with the highest score."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def first_choices(x: Floats, y: Floats, relative: bool) -> dict[str, Floats]:
    """(S, tasks) regret@1: y of the best model minus y of the model with the highest score, the mean over models tied for it.

    x: (S, models, tasks) scores, y: (models, tasks).  relative: also rel@1, y of that model as a share of the best y (Renggli et al.,
    2022), for a y that is an accuracy. Only models with both numbers count; NaN where they are fewer than two.
    """
    defined = np.isfinite(x) & np.isfinite(y)
    enough = defined.sum(1) >= 2
    scores = np.where(defined, x, -np.inf)
    first = defined & (scores == scores.max(1, keepdims=True))  # several models where the highest score is tied
    with np.errstate(invalid="ignore", divide="ignore"):
        reached = np.where(first, y, 0.0).sum(1) / first.sum(1)
        best = np.where(defined, y, -np.inf).max(1)
        values = {"regret@1": best - reached}
        if relative:
            values["rel@1"] = reached / best
    return {name: np.where(enough & np.isfinite(table), table, np.nan) for name, table in values.items()}
