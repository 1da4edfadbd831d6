"""What a score says of the gain that the accuracy before does not.

Gain is after − before, so whatever knows *before* goes along with it by construction. The partial correlation of score and gain given
before is the same number with accuracy after in the place of gain, so it is free of that coupling. It is not free of all: the accuracy before is
measured on so many samples, and a score that measures the same on others adds to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from leaderboard import correlation
from leaderboard.axes import AXES, leave_one_out, move_axis, over_groups
from leaderboard.intervals import Estimate, estimate, holm

Floats = NDArray[np.float64]
HEADROOM = "headroom"
BASELINES = (HEADROOM, "static_rank")


@dataclass(frozen=True)
class GivenBefore:
    """One scorer under one technique along one axis.

    partial, partial_rank: the partial correlation of score and gain given the accuracy before, Pearson's and on ranks; of `partial`, p is
    that of its interval and `holm` p adjusted over the scorers; informative: holm is below .05 and the
    interval of partial_rank lies on the same side of zero; never a baseline or what restates headroom.  r2_rise: of the prediction of gain from
    headroom and score over that from headroom alone, in R² with each task left out; axis pooled only.  fidelity: Pearson's correlation
    between the absolute differences in score and in gain of all pairs of points of a group, mean over the groups.
    """

    scorer: str
    technique: str
    axis: str
    partial: Estimate
    partial_rank: Estimate
    holm: float | None
    informative: bool
    r2_rise: float | None
    fidelity: Estimate


def given_before(names: Sequence[str], technique: str, x: Floats, gain: Floats, before: Floats) -> list[GivenBefore]:
    """x: (S, models, tasks) scores; gain, before: (models, tasks)."""
    rises = _rises(names, x, gain)
    restated = {*BASELINES, *_restated(names, x)}
    found = []
    known = np.isfinite(x) & np.isfinite(gain) & np.isfinite(before)
    models, tasks = gain.shape
    for axis in AXES:
        keep, clusters = leave_one_out(models, tasks, axis)
        xs, ys, zs = move_axis(axis, x), move_axis(axis, gain), move_axis(axis, before)
        plain = over_groups(correlation.partial(xs, ys, zs, keep))
        whole = np.isfinite(xs) & np.isfinite(ys) & np.isfinite(zs)
        rx, ry, rz = (correlation.ranks(np.where(whole, values, np.nan)) for values in (xs, ys, zs))
        ranked = over_groups(correlation.partial(rx, ry, rz, keep))
        same = over_groups(_fidelity(xs, ys, keep)) if axis != "pooled" else np.full(plain.shape, np.nan)
        entries = [
            GivenBefore(name, technique, axis, one, two, None, False, rise if axis == "pooled" else None, three)
            for name, rise, one, two, three in zip(
                names, rises, *(estimate(values, clusters, known) for values in (plain, ranked, same)), strict=True
            )
        ]
        adjusted = holm({e.scorer: e.partial.p for e in entries})
        for e in entries:
            p = adjusted[e.scorer]
            told = p is not None and p < 0.05 and e.partial.sign == e.partial_rank.sign
            found.append(replace(e, holm=p, informative=told and e.scorer not in restated))
    return found


def _restated(names: Sequence[str], x: Floats) -> list[str]:
    """Scorers that are headroom by another name: one is a line in the other."""
    if HEADROOM not in names:
        return []
    whole = x.reshape(len(x), 1, -1)
    same = correlation.pearson(whole, whole[list(names).index(HEADROOM)], np.ones((1, whole.shape[-1])))
    return [name for name, r in zip(names, same.ravel(), strict=True) if abs(r) > 1 - 1e-9]


def _fidelity(x: Floats, y: Floats, keep: Floats) -> Floats:
    """(S, groups, B)"""
    i, j = np.triu_indices(y.shape[-1], 1)
    return correlation.pearson(np.abs(x[..., i] - x[..., j]), np.abs(y[..., i] - y[..., j]), keep[:, i] * keep[:, j])


def _rises(names: Sequence[str], x: Floats, gain: Floats) -> list[float | None]:
    """R² of gain from headroom and the score, with each task left out, less that from headroom alone, on the same cells."""
    if HEADROOM not in names:
        return [None] * len(names)
    headroom, target = x[list(names).index(HEADROOM)].T, gain.T
    found: list[float | None] = []
    for name, score in zip(names, x, strict=True):
        cells = np.isfinite(headroom) & np.isfinite(score.T) & np.isfinite(target)
        here = np.where(cells, target, np.nan)
        if name == HEADROOM or cells.any(1).sum() < 3 or np.ptp(score.T[cells]) == 0:
            found.append(None)
            continue
        one, two = (_cross_validated(features, here) for features in ([headroom], [headroom, score.T]))
        found.append(None if one is None or two is None else two - one)
    return found


def _cross_validated(features: Sequence[Floats], target: Floats) -> float | None:
    """R² of least squares on other tasks, against the mean of the others. Each feature and target: (tasks, models); NaN in target: left out."""
    known = np.isfinite(target)
    scaled = [(f - f[known].mean()) / (f[known].std() or 1.0) for f in features]
    design = np.where(known[..., None], np.stack([np.ones_like(target), *scaled], -1), 0.0)
    values = np.where(known, target, 0.0)
    gram, moment = np.einsum("tmp,tmq->tpq", design, design), np.einsum("tmp,tm->tp", design, values)
    others = gram.sum(0) - gram + 1e-9 * known.sum() * np.eye(design.shape[-1])
    weights = np.linalg.solve(others, (moment.sum(0) - moment)[..., None])
    errors = values - (design @ weights)[..., 0]
    means = (values.sum() - values.sum(1)) / (known.sum() - known.sum(1))
    against = np.where(known, values - means[:, None], 0.0)
    total = (against**2).sum()
    return float(1 - (errors**2).sum() / total) if total > 1e-12 * (values**2).sum() else None
