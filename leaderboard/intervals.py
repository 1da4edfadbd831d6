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

from leaderboard.axes import Clusters

Floats = NDArray[np.float64]
LEVEL = 0.95
LEAST = {"tasks": 6, "models": 5}  # clusters below which no interval covered what it should


PROCEDURES = {
    axis: f"95 %, jackknife leaving out one {cluster} at a time, Student's t; correlations on Fisher's scale"
    for axis, cluster in (("tasks", "task"), ("models", "model"), ("pooled", "task, one model and one cell"))
}


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


def estimate(values: Floats, clusters: Clusters, known: NDArray[np.bool_], fisher: bool = True) -> list[Estimate]:
    """values: (S, B) of S scorers under the selections of `leave_one_out`.  known: (S, models, tasks), the cells that take part.

    fisher: the values are correlations, and are set on Fisher's scale, artanh. No interval where clusters are fewer than LEAST, or where
    one cannot be left out: what hangs on a single cluster has no interval.
    """
    from scipy.special import stdtr, stdtrit  # here, since it takes longer to load than most commands take

    scaled = np.arctanh(np.clip(values, -1 + 1e-12, 1 - 1e-12)) if fisher else values
    part: dict[str, NDArray[np.bool_]] = {
        "tasks": np.asarray(known.any(1)),
        "models": np.asarray(known.any(2)),
        "cells": known.reshape(len(known), -1),
    }
    found = {name: _jackknife(scaled[:, rows], part[name]) for name, rows in clusters.items()}
    honest = np.isfinite(values[:, 0])
    for name, least in LEAST.items():
        if name in found:
            honest = honest & (found[name][1] >= least)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance, count = found["tasks" if "tasks" in found else "models"]
        freedom = count - 1.0
        if len(found) > 1:
            (over_tasks, tasks), (over_models, models) = found["tasks"], found["models"]
            variance = np.maximum(over_tasks + over_models - found["cells"][0], np.maximum(over_tasks, over_models))
            shares = over_tasks**2 / (tasks - 1) + over_models**2 / (models - 1)
            freedom = np.where(shares > 0, (over_tasks + over_models) ** 2 / shares, np.minimum(tasks, models) - 1.0)
        error = np.sqrt(variance)
        reach = stdtrit(np.maximum(freedom, 1), (1 + LEVEL) / 2) * error
        ends = np.stack([scaled[:, 0] - reach, scaled[:, 0] + reach])
        ends = np.tanh(ends) if fisher else ends
        certain = np.where(scaled[:, 0] == 0, 1.0, 0.0)
        p = np.where(error > 0, 2 * stdtr(np.maximum(freedom, 1), -np.abs(scaled[:, 0]) / error), certain)
    return [
        Estimate(float(v), float(low), float(high), float(q)) if ok else Estimate(float(v) if np.isfinite(v) else None)
        for v, low, high, q, ok in zip(values[:, 0], *ends, p, honest, strict=True)
    ]


def _jackknife(scaled: Floats, part: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """(S,) variances and numbers of clusters: of (S, n) values, those whose cluster takes part."""
    known = part & np.isfinite(scaled)
    n = known.sum(1).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, scaled, 0.0).sum(1) / n
        squares = np.where(known, (scaled - mean[:, None]) ** 2, 0.0).sum(1)
        return (n - 1) / n * squares, np.where(n == part.sum(1), n, 0.0)


def holm(p: Mapping[str, float | None]) -> dict[str, float | None]:
    """Holm's adjusted p values over the scorers that have one."""
    known = sorted((value, name) for name, value in p.items() if value is not None)
    adjusted: dict[str, float | None] = dict.fromkeys(p)
    highest = 0.0
    for i, (value, name) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - i) * value))
        adjusted[name] = highest
    return adjusted
