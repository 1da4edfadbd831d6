"""Intervals from resampling whole tasks. Row 0 of every table of multiplicities is the sample itself."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEAST_TASKS = 5  # tasks that an interval needs


def multiplicities(tasks: int, count: int, seed: int) -> Floats:
    """(1 + count, tasks) multiplicities: how often each task was drawn."""
    drawn = np.random.default_rng(seed).integers(0, tasks, (count, tasks))
    rows = [np.ones(tasks), *(np.bincount(row, minlength=tasks) for row in drawn)]
    return np.array(rows, np.float64)


def weighted_mean(values: Floats, weights: Floats | None = None) -> Floats:
    """(1 + B,) mean over groups (1 + B, G), or (G,) under weights (1 + B, G); those without a value are left out."""
    known = np.isfinite(values)
    w = known * (1.0 if weights is None else weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((w * np.where(known, values, 0)).sum(1) / w.sum(1))


def interval(sampled: Floats, tasks: int) -> tuple[float, float] | tuple[None, None]:
    """The 95 % percentile interval of (1 + B,) values; none for too few tasks, or where a tenth of the resamples has no value."""
    drawn = sampled[1:]
    known = drawn[np.isfinite(drawn)]
    if tasks < LEAST_TASKS or len(known) < 0.9 * len(drawn) or not len(known):
        return None, None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)
