"""Reliability of measured gains over seeds, the noise ceiling it implies, and the shares of the variance."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leaderboard.statistics.axes import move_axis
from leaderboard.statistics.correlation import rank_correlations

Floats = NDArray[np.float64]


def intraclass(values: Floats) -> float:
    """Reliability of the mean over seeds: the one-way intraclass correlation ICC(1, k) = (MSB − MSW) / MSB (Shrout and Fleiss, 1979).

    values: (cells, seeds); cells with a missing seed are left out. NaN for fewer than two cells or seeds, or where all means are equal.
    """
    complete = values[np.isfinite(values).all(1)]
    cells, seeds = complete.shape
    if cells < 2 or seeds < 2:
        return float("nan")
    means = complete.mean(1)
    # mean squares between cells and within cells (over seeds)
    between = seeds * ((means - means.mean()) ** 2).sum() / (cells - 1)
    within = ((complete - means[:, None]) ** 2).sum() / (cells * (seeds - 1))
    return float((between - within) / between) if between > 0 else float("nan")


def ceilings(values: Floats, axis: str, draws: int = 100, seed: int = 0) -> dict[str, float]:
    """Noise ceilings: the expected correlations of a perfect score with the mean over seeds, by measure.

    values: (models, tasks, seeds).  Pearson: √ρ with ρ the reliability of the mean within a group (`intraclass`).  Rank measures: the mean
    correlation, over `draws` simulations, of a truth with the truth plus noise. The truth is the measured means, shrunk towards their
    centre by √ρ so that their variance is the reliable part; the noise has the variance of a mean over the seeds.  Means over the groups of
    the axis; empty for fewer than two seeds.
    """
    values = values[..., np.isfinite(values).any((0, 1))]
    if values.shape[-1] < 2:
        return {}
    by_group = np.moveaxis(move_axis(axis, np.moveaxis(values, -1, 0)), 0, -1)  # (groups, points, seeds)
    complete = np.where(np.isfinite(by_group).all(-1, keepdims=True), by_group, np.nan)
    reliabilities = np.array([intraclass(group) for group in complete])
    used = np.isfinite(reliabilities)
    if not used.any():
        return {}
    ceiling = np.sqrt(np.clip(reliabilities[used], 0, 1))  # (G,)
    means = complete[used].mean(-1)  # (G, P)
    centre = np.nanmean(means, 1, keepdims=True)
    truth = centre + ceiling[:, None] * (means - centre)
    # standard error of a mean over the seeds, σ / √k, with σ² pooled over the cells of a group
    noise = np.sqrt(np.nanmean(complete[used].var(-1, ddof=1), 1, keepdims=True) / complete.shape[-1])
    simulated = truth + noise * np.random.default_rng(seed).normal(size=(draws, *truth.shape))  # (draws, G, P)
    by_rank = rank_correlations(truth, simulated, np.ones((1, truth.shape[1])))
    return {"pearson": float(ceiling.mean())} | {
        measure: float(np.nan_to_num(values[..., 0]).mean()) for measure, values in by_rank.items()
    }


def variance_shares(values: Floats, factors: Sequence[str]) -> dict[str, float]:
    """Shares η² of the total sum of squares: of each factor, each interaction ("a × b") and the repetitions along the last axis ("seed").

    values: one axis per factor, then seeds. The analysis of variance is balanced: raises ValueError for a missing value.
    """
    if not np.isfinite(values).all():
        raise ValueError("the table has missing values; a balanced analysis of variance needs every cell")
    axes = range(len(factors))
    cells = values.mean(-1)
    total = ((values - values.mean()) ** 2).sum()
    # effect of a set of factors: the mean over all others, minus the effects of its subsets
    effects: dict[tuple[int, ...], Floats] = {(): np.full_like(cells, cells.mean())}
    shares = {}
    for size in range(1, len(factors) + 1):
        for subset in itertools.combinations(axes, size):
            mean = cells.mean(tuple(a for a in axes if a not in subset), keepdims=True) * np.ones_like(cells)
            effects[subset] = mean - sum(effect for other, effect in effects.items() if set(other) < set(subset))
            share = values.shape[-1] * (effects[subset] ** 2).sum() / total if total > 0 else float("nan")
            shares[" × ".join(factors[a] for a in subset)] = float(share)
    if values.shape[-1] > 1:
        shares["seed"] = float(((values - cells[..., None]) ** 2).sum() / total) if total > 0 else float("nan")
    return shares
