"""Correlations of one score with one target over many resamples at once.

A resample is a row of multiplicities: how often each point was drawn. Every function takes x, y (P,) and weights (B, P) of whole
numbers and returns (B,) exactly what scipy gives on the points repeated that often; NaN where x or y is constant.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MEASURES = ("pearson", "spearman", "weighted_kendall")


def pearson(x: Floats, y: Floats, weights: Floats) -> Floats:
    return _pearson(np.broadcast_to(x - x.mean(), weights.shape), np.broadcast_to(y - y.mean(), weights.shape), weights)


def _pearson(x: Floats, y: Floats, w: Floats) -> Floats:
    n = w.sum(1)
    wx, wy = w * x, w * y
    sx, sy = wx.sum(1), wy.sum(1)
    xx, xy, yy = (np.einsum("bp,bp->b", a, b) for a, b in ((wx, x), (wx, y), (wy, y)))
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample may hold none of the points
        cov, vx, vy = xy - sx * sy / n, xx - sx**2 / n, yy - sy**2 / n
        flat = (vx <= 1e-12 * xx) | (vy <= 1e-12 * yy)
        return np.where(flat, np.nan, np.clip(cov / np.sqrt(vx * vy), -1, 1))


def ranks(values: Floats, weights: Floats) -> Floats:
    """(B, P) rank of each point within each resample, from 1, ties and copies averaged; less the middle rank."""
    _, inverse = np.unique(values, return_inverse=True)
    member = np.zeros((len(values), inverse.max() + 1))
    member[np.arange(len(values)), inverse] = 1
    mass = weights @ member
    place = np.cumsum(mass, 1) - mass / 2 + 0.5
    return np.asarray(place[:, inverse] - (weights.sum(1, keepdims=True) + 1) / 2)


def spearman(x: Floats, y: Floats, weights: Floats) -> Floats:
    return _pearson(ranks(x, weights), ranks(y, weights), weights)


def weighted_kendall(x: Floats, y: Floats, weights: Floats) -> Floats:
    """scipy's weightedtau(x, y, rank=True): hyperbolic weights, added over a pair; the mean of ranking by x and by y.

    With h_i the summed weight of the copies of point i (they take consecutive ranks, so a difference of harmonic numbers), a sum
    over pairs of copies is a sum over pairs of points: Σ_ij h_i w_j sign_ij. It is not odd: orient before.
    """
    order_x, order_y = np.sign(x[:, None] - x), np.sign(y[:, None] - y)
    both, untied_x, untied_y = (weights @ matrix for matrix in (order_x * order_y, np.abs(order_x), np.abs(order_y)))
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, int(weights.sum(1).max()) + 1))])
    total = np.zeros(len(weights))
    for keys in ((y, x), (x, y)):
        best_first = np.lexsort(keys)[::-1]
        last = np.cumsum(weights[:, best_first], 1).astype(np.int64)
        h = np.empty_like(weights)
        h[:, best_first] = harmonic[last] - harmonic[last - weights[:, best_first].astype(np.int64)]
        numerator, dx, dy = (np.einsum("bp,bp->b", h, part) for part in (both, untied_x, untied_y))
        with np.errstate(invalid="ignore", divide="ignore"):
            total += np.where((dx > 0) & (dy > 0), np.clip(numerator / np.sqrt(dx * dy), -1, 1), np.nan)
    return total / 2


FUNCTIONS = {"pearson": pearson, "spearman": spearman, "weighted_kendall": weighted_kendall}
