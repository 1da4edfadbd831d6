"""95 % intervals from leaving out one cluster at a time.

With the eight models or the few dozen tasks of a pool, percentile and BCa bootstraps are too narrow; the delete-one-cluster jackknife of
a correlation, on Fisher's scale and with Student's t, is not (`tools/coverage.py` measures all of them; `leaderboard/coverage.csv` holds
what it found). Clusters are tasks where a correlation runs over tasks, models where it runs over models, and both where it is pooled: the
variance is then that over tasks plus that over models less that over cells (Cameron, Gelbach and Miller, 2011), with Satterthwaite's
degrees of freedom.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from leaderboard.axes import Clusters

Floats = NDArray[np.float64]
LEVEL = 0.95
LEAST = {"tasks": 6, "models": 5}  # clusters below which no interval covered what it should


@dataclass(frozen=True)
class Estimate:
    """A value, its 95 % interval, and p of the hypothesis that it is zero by the same Student's t; null where none is honest."""

    value: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None

    @property
    def sign(self) -> int:
        """+1 or −1 where the interval excludes zero, else 0."""
        return 0 if self.low is None or self.high is None else (self.low > 0) - (self.high < 0)


def estimate(values: Floats, clusters: Clusters, known: NDArray[np.bool_], fisher: bool = True) -> Estimate:
    """values: (B,) under the selections of `leave_one_out`.  known: (models, tasks), the cells that take part.

    fisher: the values are correlations, and are set on Fisher's scale, artanh.
    """
    if not np.isfinite(values[0]):
        return Estimate(None)
    scaled = np.arctanh(np.clip(values, -1 + 1e-12, 1 - 1e-12)) if fisher else values
    part = {"tasks": known.any(0), "models": known.any(1), "cells": known.ravel()}
    found = {name: _jackknife(scaled[rows][part[name]]) for name, rows in clusters.items()}
    if any(found[name][1] < least for name, least in LEAST.items() if name in found):
        return Estimate(float(values[0]))
    variance, count = found["tasks" if "tasks" in found else "models"]
    freedom = float(count - 1)
    if len(found) > 1:
        (over_tasks, tasks), (over_models, models) = found["tasks"], found["models"]
        variance = max(over_tasks + over_models - found["cells"][0], over_tasks, over_models)
        shares = over_tasks**2 / (tasks - 1) + over_models**2 / (models - 1)
        freedom = (over_tasks + over_models) ** 2 / shares if shares > 0 else min(tasks, models) - 1
    error = float(np.sqrt(variance))
    reach = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
    low, high = scaled[0] - reach, scaled[0] + reach
    if fisher:
        low, high = np.tanh(low), np.tanh(high)
    p = float(2 * stdtr(freedom, -abs(scaled[0]) / error)) if error > 0 else float(scaled[0] == 0)
    return Estimate(float(values[0]), float(low), float(high), p)


def _jackknife(scaled: Floats) -> tuple[float, int]:
    """The variance, and the number of clusters: none where a tenth of them cannot be left out."""
    known = scaled[np.isfinite(scaled)]
    n = len(known)
    if n < 2 or n < 0.9 * len(scaled):
        return float("nan"), 0
    return float((n - 1) / n * ((known - known.mean()) ** 2).sum()), n


def holm(p: Mapping[str, float | None]) -> dict[str, float | None]:
    """Holm's adjusted p values over the scorers that have one."""
    known = sorted((value, name) for name, value in p.items() if value is not None)
    adjusted: dict[str, float | None] = dict.fromkeys(p)
    highest = 0.0
    for i, (value, name) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - i) * value))
        adjusted[name] = highest
    return adjusted
