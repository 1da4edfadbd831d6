"""Correlations of many scores with one target at once, over many selections of the points.

x and y are (..., P), broadcast against each other, NaN where a point has no value; `keep` is (B, P), 1 for the points that a selection
holds and 0 for the others. Every function returns (..., B): exactly what scipy gives on the points kept that have both values, and NaN
where they are fewer than LEAST_POINTS or constant in x or y.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MEASURES = ("pearson", "spearman", "kendall", "weighted_kendall")
LEAST_POINTS = 3


def pearson(x: Floats, y: Floats, keep: Floats) -> Floats:
    """Pearson's r."""
    return _pearson(*_selected(x, y, keep))


def slope(x: Floats, y: Floats, keep: Floats) -> Floats:
    """The slope of the least-squares line of y on x."""
    xx, xy, _, flat, _ = _moments(*_selected(x, y, keep))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(flat, np.nan, xy / xx)


def rank_correlations(x: Floats, y: Floats, keep: Floats) -> dict[str, Floats]:
    """Spearman's ρ, Kendall's τ-b and scipy's weighted τ (`weightedtau(x, y, rank=True)`), which share the order of all pairs of points.

    The weighted τ adds hyperbolic weights 1/(1 + rank) over the two points of a pair, and is the mean of ranking by x first and by y
    first. It is not odd: turn a score round before, not after.
    """
    known = np.isfinite(x) & np.isfinite(y)
    x, y, known = np.broadcast_arrays(np.where(known, x, 0.0), np.where(known, y, 0.0), known)
    pairs = known[..., :, None] & known[..., None, :]
    sx, sy = _order(x, pairs), _order(y, pairs)
    w = known[..., None, :] * keep
    columns = np.ascontiguousarray(keep.T, np.float32)

    def over_pairs(matrix: NDArray[np.float32]) -> Floats:
        """(..., B, P): for each point the sum over the points kept."""
        return np.swapaxes(matrix @ columns, -1, -2).astype(np.float64)

    both, in_x, in_y = over_pairs(sx * sy), over_pairs(np.abs(sx)), over_pairs(np.abs(sy))

    def tau(weight: Floats) -> Floats:
        numerator, dx, dy = ((weight * part).sum(-1) for part in (both, in_x, in_y))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where((dx > 0) & (dy > 0), np.clip(numerator / np.sqrt(dx * dy), -1, 1), np.nan)

    # of points equal in both, scipy puts the later first; any order gives the same sums over pairs
    last = np.triu(np.ones(pairs.shape[-2:], np.float32), 1)
    weighted = [
        tau(w / (1 + over_pairs((first < 0) + (first == 0) * ((then < 0) + (then == 0) * last * pairs))))
        for first, then in ((sx, sy), (sy, sx))
    ]
    enough = w.sum(-1) >= LEAST_POINTS
    found = {
        "spearman": _pearson(over_pairs(sx), over_pairs(sy), w),
        "kendall": tau(w),
        "weighted_kendall": (weighted[0] + weighted[1]) / 2,
    }
    return {name: np.where(enough, values, np.nan) for name, values in found.items()}


def correlations(x: Floats, y: Floats, keep: Floats) -> dict[str, Floats]:
    """Every one of MEASURES."""
    return {"pearson": pearson(x, y, keep)} | rank_correlations(x, y, keep)


def partial(x: Floats, y: Floats, given: Floats, keep: Floats) -> Floats:
    """Pearson's correlation of x and y with `given` (..., P) held fixed."""
    known = np.isfinite(x) & np.isfinite(y) & np.isfinite(given)
    x, y, given = (np.where(known, values, np.nan) for values in (x, y, given))
    xy, xz, yz = pearson(x, y, keep), pearson(x, given, keep), pearson(y, given, keep)
    with np.errstate(invalid="ignore", divide="ignore"):
        rest = (1 - xz**2) * (1 - yz**2)
        return np.where(rest > 1e-9, np.clip((xy - xz * yz) / np.sqrt(rest), -1, 1), np.nan)


def ranks(values: Floats) -> Floats:
    """(..., P) ranks among the points that have a value, ties averaged, less the middle rank; NaN where there is none."""
    known = np.isfinite(values)
    order = _order(np.where(known, values, 0.0), known[..., :, None] & known[..., None, :])
    return np.where(known, order.sum(-1, dtype=np.float64) / 2, np.nan)


def _selected(x: Floats, y: Floats, keep: Floats) -> tuple[Floats, Floats, Floats]:
    """Values (..., 1, P) with 0 where a point takes no part, and weights (..., B, P)."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = (np.where(known, v, 0.0) for v in np.broadcast_arrays(x, y))
    return x[..., None, :], y[..., None, :], known[..., None, :] * keep


def _moments(x: Floats, y: Floats, w: Floats) -> tuple[Any, ...]:
    """Σ(x−x̄)², Σ(x−x̄)(y−ȳ), Σ(y−ȳ)² of each selection, and whether x, or y, is constant there or the points too few.

    In two passes, so that a value left out, however large, leaves no trace.
    """
    n = w.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cx, cy = (w * (v - ((w * v).sum(-1) / n)[..., None]) for v in (x, y))
    xx, xy, yy = (cx * cx).sum(-1), (cx * cy).sum(-1), (cy * cy).sum(-1)
    few = n < LEAST_POINTS
    flat_x, flat_y = (np.logical_or(few, ~(of > 1e-24 * (w * v * v).sum(-1))) for of, v in ((xx, x), (yy, y)))
    return xx, xy, yy, flat_x, flat_y


def _pearson(x: Floats, y: Floats, w: Floats) -> Floats:
    xx, xy, yy, flat_x, flat_y = _moments(x, y, w)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(flat_x | flat_y, np.nan, np.clip(xy / np.sqrt(xx * yy), -1, 1))


def _order(values: Floats, pairs: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(..., P, P) sign of each difference, 0 where a point has no value."""
    above = (values[..., :, None] > values[..., None, :]).astype(np.float32)
    return (above - np.swapaxes(above, -1, -2)) * pairs
