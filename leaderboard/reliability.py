"""How far measured gains can be relied on: their repeatability over seeds, and what they vary with."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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
