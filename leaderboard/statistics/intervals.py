"""95 % intervals by the jackknife that leaves out one cluster at a time, and Holm's adjustment of p values.

With the eight models or the few dozen tasks of a pool, percentile and BCa bootstraps are too narrow. The delete-one-cluster jackknife of
a correlation, on Fisher's scale and with Student's t, has the nominal coverage (simulated by `tools/coverage.py`, results in
`leaderboard/coverage.csv`). Clusters are tasks where a correlation runs over tasks, models where it runs over models, and both where it
is pooled: the variance is then that over tasks plus that over models minus that over cells (Cameron, Gelbach and Miller, 2011), with
Satterthwaite's degrees of freedom.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leaderboard.statistics.axes import Clusters

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
LEVEL = 0.95
MIN_CLUSTERS = {"tasks": 6, "models": 5}  # with fewer, no interval had the nominal coverage in simulation
PROCEDURES = {
    axis: f"95 %, jackknife leaving out one {cluster} at a time, Student's t; correlations on Fisher's scale"
    for axis, cluster in (("tasks", "task"), ("models", "model"), ("pooled", "task, one model and one cell"))
}


@dataclass(frozen=True)
class Estimates:
    """Values of S scorers, their 95 % intervals, and p of the hypothesis of zero by the same Student's t; (S,) each.

    `low`, `high` and `p` are NaN where clusters are too few for an interval, `value` where the statistic is undefined.
    """

    value: Floats
    low: Floats
    high: Floats
    p: Floats

    @property
    def sign(self) -> NDArray[np.int64]:
        """(S,) +1 or −1 where the interval excludes zero, else 0."""
        return (self.low > 0).astype(np.int64) - (self.high < 0).astype(np.int64)


def estimate(values: Floats, clusters: Clusters, used: Booleans, fisher: bool = True) -> Estimates:
    """Jackknife intervals of statistics computed under the selections of `leave_one_out`.

    values: (S, B), row 0 of the selections is the estimate itself.  used: (S, models, tasks), the cells that take part.  fisher: the
    values are correlations; their interval is computed on Fisher's scale, z = artanh r.

    There is no interval where clusters are fewer than MIN_CLUSTERS, or where the statistic is undefined without one of the clusters: a
    number that depends on a single cluster has no interval.
    """
    from scipy.special import stdtr, stdtrit  # loads slower than most commands run

    z = np.arctanh(np.clip(values, -1 + 1e-12, 1 - 1e-12)) if fisher else values
    participates: dict[str, Booleans] = {
        "tasks": np.asarray(used.any(1)),
        "models": np.asarray(used.any(2)),
        "cells": used.reshape(len(used), -1),
    }
    variances = {name: _jackknife(z[:, rows], participates[name]) for name, rows in clusters.items()}
    valid = np.isfinite(values[:, 0])
    for name, minimum in MIN_CLUSTERS.items():
        if name in variances:
            valid = valid & (variances[name][1] >= minimum)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance, freedom = _variance(variances)
        error = np.sqrt(variance)
        # z ± t(ν, .975) · s, mapped back to r by tanh
        reach = stdtrit(np.maximum(freedom, 1), (1 + LEVEL) / 2) * error
        low, high = z[:, 0] - reach, z[:, 0] + reach
        low, high = (np.tanh(low), np.tanh(high)) if fisher else (low, high)
        # without any spread a value of zero is certain, and any other value is certainly not zero
        degenerate = np.where(z[:, 0] == 0, 1.0, 0.0)
        p = np.where(error > 0, 2 * stdtr(np.maximum(freedom, 1), -np.abs(z[:, 0]) / error), degenerate)
    value = np.where(np.isfinite(values[:, 0]), values[:, 0], np.nan)
    return Estimates(value, *(np.where(valid, ends, np.nan) for ends in (low, high, p)))


def _variance(variances: dict[str, tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """(S,) variance of the estimate and its degrees of freedom, from (variance, number of clusters) by kind of cluster."""
    if len(variances) == 1:
        ((variance, count),) = variances.values()
        return variance, count - 1.0
    (over_tasks, tasks), (over_models, models) = variances["tasks"], variances["models"]
    # two-way clustering: V = V_tasks + V_models − V_cells; at least the larger of the one-way variances, since the difference can be
    # negative in small tables
    variance = np.maximum(over_tasks + over_models - variances["cells"][0], np.maximum(over_tasks, over_models))
    # Satterthwaite: ν = (V_tasks + V_models)² / (V_tasks² / (T − 1) + V_models² / (M − 1))
    shares = over_tasks**2 / (tasks - 1) + over_models**2 / (models - 1)
    freedom = np.where(shares > 0, (over_tasks + over_models) ** 2 / shares, np.minimum(tasks, models) - 1.0)
    return variance, freedom


def _jackknife(z: Floats, participates: Booleans) -> tuple[Floats, Floats]:
    """(S,) variances (n − 1)/n · Σ(z₍ᵢ₎ − z̄)² and numbers n of clusters, from (S, n) leave-one-out values.

    n is 0 where the value is undefined without one of the clusters that take part.
    """
    defined = participates & np.isfinite(z)
    n = defined.sum(1).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(defined, z, 0.0).sum(1) / n
        squares = np.where(defined, (z - mean[:, None]) ** 2, 0.0).sum(1)
        return (n - 1) / n * squares, np.where(n == participates.sum(1), n, 0.0)


def holm(p: Floats) -> Floats:
    """Holm's step-down adjustment of (S,) p values: max over j ≤ i of min(1, (n − j) p₍ⱼ₎), j from 0; NaN stays NaN and does not count."""
    adjusted = np.full(p.shape, np.nan)
    order = np.argsort(p)[: np.isfinite(p).sum()]  # NaN is sorted last
    steps = np.minimum(1.0, (len(order) - np.arange(len(order))) * p[order])
    adjusted[order] = np.maximum.accumulate(steps)
    return adjusted
