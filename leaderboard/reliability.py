"""How far measured gains can be relied on: their repeatability over seeds, and what they vary with."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leaderboard.axes import move_axis
from leaderboard.correlation import rank_correlations

Floats = NDArray[np.float64]


def intraclass(values: Floats) -> float:
    """Reliability of the mean over seeds: the one-way intraclass correlation ICC(1, k) = (MSB − MSW) / MSB (Shrout and Fleiss, 1979).

    values: (cells, seeds); cells with a missing seed are left out. NaN for fewer than two cells or seeds, or where all means agree.
    """
    whole = values[np.isfinite(values).all(1)]
    cells, seeds = whole.shape
    if cells < 2 or seeds < 2:
        return float("nan")
    means = whole.mean(1)
    between = seeds * ((means - means.mean()) ** 2).sum() / (cells - 1)
    within = ((whole - means[:, None]) ** 2).sum() / (cells * (seeds - 1))
    return float((between - within) / between) if between > 0 else float("nan")


def ceilings(values: Floats, axis: str, draws: int = 100, seed: int = 0) -> dict[str, float]:
    """The highest correlations that a perfect score could have with the mean over seeds, whose noise no score can know.

    values: (models, tasks, seeds). Pearson: the square root of the reliability of that mean within a group (`intraclass`). Rank
    measures: between a truth and what the seeds would measure of it, where the truth is the means drawn together until their variance is
    the reliable part of it, and the noise has the seeds' own variance. Means over the groups of the axis; empty for fewer than two seeds.
    """
    values = values[..., np.isfinite(values).any((0, 1))]
    if values.shape[-1] < 2:
        return {}
    by_group = np.moveaxis(move_axis(axis, np.moveaxis(values, -1, 0)), 0, -1)  # (groups, points, seeds)
    whole = np.where(np.isfinite(by_group).all(-1, keepdims=True), by_group, np.nan)
    reliable = np.array([intraclass(group) for group in whole])
    used = np.isfinite(reliable)
    if not used.any():
        return {}
    highest = np.sqrt(np.clip(reliable[used], 0, 1))
    means = whole[used].mean(-1)
    middle = np.nanmean(means, 1, keepdims=True)
    truth = middle + highest[:, None] * (means - middle)
    noise = np.sqrt(np.nanmean(whole[used].var(-1, ddof=1), 1, keepdims=True) / whole.shape[-1])
    drawn = truth + noise * np.random.default_rng(seed).normal(size=(draws, *truth.shape))
    ranked = rank_correlations(truth, drawn, np.ones((1, truth.shape[1])))
    return {"pearson": float(highest.mean())} | {
        name: float(np.nan_to_num(of[..., 0]).mean()) for name, of in ranked.items()
    }


def variance_shares(values: Floats, factors: Sequence[str]) -> dict[str, float]:
    """Share of the total sum of squares of each factor, each interaction ("a × b"), and of the repetitions along the last axis ("seed").

    values: one axis per factor, then seeds; a whole table (η² of a balanced analysis of variance). Raises ValueError for a missing value.
    """
    if not np.isfinite(values).all():
        raise ValueError("the table has missing values; a balanced analysis of variance needs every cell")
    axes = range(len(factors))
    cells = values.mean(-1)
    total = ((values - values.mean()) ** 2).sum()
    effects: dict[tuple[int, ...], Floats] = {(): np.full_like(cells, cells.mean())}
    shares = {}
    for size in range(1, len(factors) + 1):
        for kept in itertools.combinations(axes, size):
            mean = cells.mean(tuple(a for a in axes if a not in kept), keepdims=True) * np.ones_like(cells)
            effects[kept] = mean - sum(effect for of, effect in effects.items() if set(of) < set(kept))
            share = values.shape[-1] * (effects[kept] ** 2).sum() / total if total > 0 else float("nan")
            shares[" × ".join(factors[a] for a in kept)] = float(share)
    if values.shape[-1] > 1:
        shares["seed"] = float(((values - cells[..., None]) ** 2).sum() / total) if total > 0 else float("nan")
    return shares
