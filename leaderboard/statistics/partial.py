"""Partial correlation of score and gain given the accuracy before fine-tuning.

Gain is after − before, so every score that measures *before* correlates with it by construction. The partial correlation given before is
the same number for gain and for the accuracy after, so it is free of that coupling. One coupling remains: the accuracy before is measured
on a finite sample, and a score that measures the same accuracy on other samples adds information about it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leaderboard.schemas import PARTIALS, estimate_column, table
from leaderboard.statistics import correlation
from leaderboard.statistics.axes import AXES, leave_one_out, move_axis, over_groups
from leaderboard.statistics.intervals import estimate, holm

Floats = NDArray[np.float64]
HEADROOM = "headroom"
BASELINES = (HEADROOM, "static_rank")
SIGNIFICANCE = 0.05


def partial_correlations(names: Sequence[str], technique: str, x: Floats, gain: Floats, before: Floats) -> pl.DataFrame:
    """One row per axis and scorer, columns `schemas.PARTIALS`.  x: (S, models, tasks) scores; gain, before: (models, tasks)."""
    rises = _r2_rises(names, x, gain)
    restating = {*BASELINES, *_restating_headroom(names, x)}
    eligible = np.array([name not in restating for name in names])
    tables = []
    for axis in AXES:
        columns = _along(axis, x, gain, before)
        columns["informative"] = columns["informative"] & eligible
        columns |= {"scorer": list(names), "technique": technique, "axis": axis}
        tables.append(table(columns | {"r2_rise": rises if axis == "pooled" else None}, PARTIALS))
    return pl.concat(tables)


def _along(axis: str, x: Floats, gain: Floats, before: Floats) -> dict[str, Any]:
    """The columns that depend on the axis."""
    used = np.isfinite(x) & np.isfinite(gain) & np.isfinite(before)
    keep, clusters = leave_one_out(len(gain), gain.shape[1], axis)
    xs, ys, zs = move_axis(axis, x), move_axis(axis, gain), move_axis(axis, before)
    pearson = over_groups(correlation.partial(xs, ys, zs, keep))
    # ranks among the points that have all three numbers; the formula of the partial correlation is then that of Spearman's
    whole = np.isfinite(xs) & np.isfinite(ys) & np.isfinite(zs)
    rx, ry, rz = (correlation.ranks(np.where(whole, values, np.nan)) for values in (xs, ys, zs))
    spearman = over_groups(correlation.partial(rx, ry, rz, keep))
    # pooled there would be (models · tasks)² / 2 pairs
    fidelity = over_groups(_fidelity(xs, ys, keep)) if axis != "pooled" else np.full(pearson.shape, np.nan)
    partial, partial_rank, fidelities = (estimate(values, clusters, used) for values in (pearson, spearman, fidelity))
    adjusted = holm(partial.p)
    return {
        "partial": estimate_column(partial),
        "partial_rank": estimate_column(partial_rank),
        "holm": adjusted,
        "informative": (adjusted < SIGNIFICANCE) & (partial.sign == partial_rank.sign),
        "fidelity": estimate_column(fidelities),
    }


def _restating_headroom(names: Sequence[str], x: Floats) -> list[str]:
    """Scorers that are a linear function of headroom, |r| = 1 over all cells."""
    if HEADROOM not in names:
        return []
    cells = x.reshape(len(x), 1, -1)
    r = correlation.pearson(cells, cells[list(names).index(HEADROOM)], np.ones((1, cells.shape[-1])))
    return [name for name, value in zip(names, r.ravel(), strict=True) if abs(value) > 1 - 1e-9]


def _fidelity(x: Floats, y: Floats, keep: Floats) -> Floats:
    """(S, G, B) Pearson's correlation of |xᵢ − xⱼ| and |yᵢ − yⱼ| over the pairs of points; a pair is kept if both points are."""
    i, j = np.triu_indices(y.shape[-1], 1)
    return correlation.pearson(np.abs(x[..., i] - x[..., j]), np.abs(y[..., i] - y[..., j]), keep[:, i] * keep[:, j])


def _r2_rises(names: Sequence[str], x: Floats, gain: Floats) -> list[float | None]:
    """Per scorer, R² of gain predicted from headroom and the score minus R² from headroom alone, each task left out in turn.

    Both on the cells that have headroom, score and gain. None for headroom itself, and for fewer than three tasks or a constant score.
    """
    if HEADROOM not in names:
        return [None] * len(names)
    headroom, target = x[list(names).index(HEADROOM)].T, gain.T
    rises: list[float | None] = []
    for name, score in zip(names, x, strict=True):
        cells = np.isfinite(headroom) & np.isfinite(score.T) & np.isfinite(target)
        if name == HEADROOM or cells.any(1).sum() < 3 or np.ptp(score.T[cells]) == 0:
            rises.append(None)
            continue
        common = np.where(cells, target, np.nan)
        alone, both = (_cross_validated_r2(features, common) for features in ([headroom], [headroom, score.T]))
        rises.append(None if alone is None or both is None else both - alone)
    return rises


def _cross_validated_r2(features: Sequence[Floats], target: Floats) -> float | None:
    """R² of least squares fitted on the other tasks, relative to their mean.

    features, target: (tasks, models) each; cells with NaN in target are left out. None where the target is constant.
    """
    used = np.isfinite(target)
    scaled = [(f - f[used].mean()) / (f[used].std() or 1.0) for f in features]
    design = np.where(used[..., None], np.stack([np.ones_like(target), *scaled], -1), 0.0)  # (tasks, models, 1 + P)
    values = np.where(used, target, 0.0)
    # normal equations per task; those without a task are the total minus its own, so that no fit is repeated
    gram, moment = np.einsum("tmp,tmq->tpq", design, design), np.einsum("tmp,tm->tp", design, values)
    others = gram.sum(0) - gram + 1e-9 * used.sum() * np.eye(design.shape[-1])
    weights = np.linalg.solve(others, (moment.sum(0) - moment)[..., None])
    errors = values - (design @ weights)[..., 0]
    means = (values.sum() - values.sum(1)) / (used.sum() - used.sum(1))
    deviations = np.where(used, values - means[:, None], 0.0)
    total = (deviations**2).sum()
    return float(1 - (errors**2).sum() / total) if total > 1e-12 * (values**2).sum() else None
