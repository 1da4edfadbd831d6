"""Correlations of many scores with one target at once, under many selections of the points.

x and y are (..., P), broadcast against each other, NaN where a point has no value. `keep` is (B, P), 1 for the points in a selection and
0 for the others. Every function returns (..., B): scipy's value on the selected points that have both numbers, and NaN where they are
fewer than MIN_POINTS or constant in x or y.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MEASURES = ("pearson", "spearman", "kendall", "weighted_kendall")
MIN_POINTS = 3


def pearson(x: Floats, y: Floats, keep: Floats) -> Floats:
    """Pearson's r = Σ(x−x̄)(y−ȳ) / √(Σ(x−x̄)² · Σ(y−ȳ)²)."""
    return _pearson(*_selected(x, y, keep))


def slope(x: Floats, y: Floats, keep: Floats) -> Floats:
    """Slope of the least-squares line of y on x, Σ(x−x̄)(y−ȳ) / Σ(x−x̄)²; units of y per unit of x."""
    xx, xy, _, flat, _ = _moments(*_selected(x, y, keep))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(flat, np.nan, xy / xx)


def rank_correlations(x: Floats, y: Floats, keep: Floats) -> dict[str, Floats]:
    """Spearman's ρ, Kendall's τ-b and scipy's weighted τ (`weightedtau(x, y, rank=True)`), which share the signs of all pairs of points.

    τ-b = Σ sₓ s_y / √(Σ |sₓ| · Σ |s_y|) over pairs of points, with s the sign of the difference. The weighted τ multiplies each pair by the
    hyperbolic weights 1 / (1 + rank) of its two points, added, and is the mean of ranking by x first and by y first. It is not an odd
    function of x: negate a score before, not the result after.
    """
    used = np.isfinite(x) & np.isfinite(y)
    x, y, used = np.broadcast_arrays(np.where(used, x, 0.0), np.where(used, y, 0.0), used)
    pairs = used[..., :, None] & used[..., None, :]
    sx, sy = _signs(x, pairs), _signs(y, pairs)  # (..., P, P)
    w = used[..., None, :] * keep  # (..., B, P)
    columns = np.ascontiguousarray(keep.T, np.float32)

    def over_pairs(matrix: NDArray[np.float32]) -> Floats:
        """(..., P, P) to (..., B, P): for each point the sum over the points of each selection."""
        return np.swapaxes(matrix @ columns, -1, -2).astype(np.float64)

    both, in_x, in_y = over_pairs(sx * sy), over_pairs(np.abs(sx)), over_pairs(np.abs(sy))

    def tau(weight: Floats) -> Floats:
        """τ with weights (..., B, P) of the points; each pair counts twice, once from either point."""
        numerator, dx, dy = ((weight * part).sum(-1) for part in (both, in_x, in_y))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where((dx > 0) & (dy > 0), np.clip(numerator / np.sqrt(dx * dy), -1, 1), np.nan)

    # scipy ranks points tied in both by position, the later first; any order gives the same sums over pairs
    later = np.triu(np.ones(pairs.shape[-2:], np.float32), 1)
    # the rank of a point, from 0, is the number of points of the selection above it
    weighted = [
        tau(w / (1 + over_pairs((first < 0) + (first == 0) * ((second < 0) + (second == 0) * later * pairs))))
        for first, second in ((sx, sy), (sy, sx))
    ]
    enough = w.sum(-1) >= MIN_POINTS
    # the row sums of the signs are ranks, centred and doubled: Pearson's correlation of them is Spearman's ρ, ties averaged
    values = {
        "spearman": _pearson(over_pairs(sx), over_pairs(sy), w),
        "kendall": tau(w),
        "weighted_kendall": (weighted[0] + weighted[1]) / 2,
    }
    return {name: np.where(enough, table, np.nan) for name, table in values.items()}


def correlations(x: Floats, y: Floats, keep: Floats) -> dict[str, Floats]:
    """All of MEASURES."""
    return {"pearson": pearson(x, y, keep)} | rank_correlations(x, y, keep)


def partial(x: Floats, y: Floats, given: Floats, keep: Floats) -> Floats:
    """Pearson's partial correlation of x and y given z (..., P): (r_xy − r_xz r_yz) / √((1 − r_xz²)(1 − r_yz²)).

    NaN where z determines x or y.
    """
    used = np.isfinite(x) & np.isfinite(y) & np.isfinite(given)
    x, y, given = (np.where(used, values, np.nan) for values in (x, y, given))
    xy, xz, yz = pearson(x, y, keep), pearson(x, given, keep), pearson(y, given, keep)
    with np.errstate(invalid="ignore", divide="ignore"):
        residual = (1 - xz**2) * (1 - yz**2)
        return np.where(residual > 1e-9, np.clip((xy - xz * yz) / np.sqrt(residual), -1, 1), np.nan)


def ranks(values: Floats) -> Floats:
    """(..., P) ascending ranks among the points that have a value, ties averaged, minus the mean rank; NaN where there is none."""
    defined = np.isfinite(values)
    signs = _signs(np.where(defined, values, 0.0), defined[..., :, None] & defined[..., None, :])
    # points below minus points above is twice the centred rank
    return np.where(defined, signs.sum(-1, dtype=np.float64) / 2, np.nan)


def _selected(x: Floats, y: Floats, keep: Floats) -> tuple[Floats, Floats, Floats]:
    """Values (..., 1, P), 0 where a point has not both, and weights (..., B, P)."""
    used = np.isfinite(x) & np.isfinite(y)
    x, y = (np.where(used, v, 0.0) for v in np.broadcast_arrays(x, y))
    return x[..., None, :], y[..., None, :], used[..., None, :] * keep


def _moments(x: Floats, y: Floats, w: Floats) -> tuple[Any, ...]:
    """Σ(x−x̄)², Σ(x−x̄)(y−ȳ), Σ(y−ȳ)² of each selection, and whether x, or y, is constant there or has too few points.

    In two passes, so that a value that is left out, however large, causes no rounding error.
    """
    n = w.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cx, cy = (w * (v - ((w * v).sum(-1) / n)[..., None]) for v in (x, y))
    xx, xy, yy = (cx * cx).sum(-1), (cx * cy).sum(-1), (cy * cy).sum(-1)
    few = n < MIN_POINTS
    # constant up to rounding: a variance below 1e-24 of the second moment
    flat_x, flat_y = (np.logical_or(few, ~(square > 1e-24 * (w * v * v).sum(-1))) for square, v in ((xx, x), (yy, y)))
    return xx, xy, yy, flat_x, flat_y


def _pearson(x: Floats, y: Floats, w: Floats) -> Floats:
    xx, xy, yy, flat_x, flat_y = _moments(x, y, w)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(flat_x | flat_y, np.nan, np.clip(xy / np.sqrt(xx * yy), -1, 1))


def _signs(values: Floats, pairs: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(..., P, P) sign of vᵢ − vⱼ, 0 where i or j has no value. float32 is exact for signs and their sums, and halves the memory."""
    above = (values[..., :, None] > values[..., None, :]).astype(np.float32)
    return (above - np.swapaxes(above, -1, -2)) * pairs
