"""p values by permuting whole tasks, or whole models, so that the dependence between the cells of one task or model is preserved."""

import numpy as np
from numpy.typing import NDArray

from leaderboard.statistics.correlation import MEASURES, ranks

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
MIN_CLUSTERS = 5  # tasks and models; fewer have fewer than a hundred orders


def p_values(x: Floats, y: Floats, axis: str, count: int, seed: int = 0) -> dict[str, Floats]:
    """Two-sided p of each of MEASURES, (S,): the share of the observed order and `count` random ones with a value at least as extreme.

    x: (S, models, tasks) scores, y: (models, tasks).  axis: the order of tasks ("tasks") or of models ("models") is permuted, the same
    for all groups; "pooled" permutes both.

    Where cells are missing, p is that of the complete sub-table (`_complete_part`). NaN where that has fewer than MIN_CLUSTERS to permute,
    and for a constant score. The τ's have no pooled p: the pairs of all cells are too many.
    """
    p = {measure: np.full(len(x), np.nan) for measure in MEASURES}
    defined = (np.isfinite(x) & np.isfinite(y)).reshape(len(x), -1)
    # scorers with the same missing cells share the permuted targets, so they are computed together
    for pattern in np.unique(defined, axis=0):
        members = (defined == pattern).all(1)
        models, tasks = _complete_part(pattern.reshape(y.shape))
        if not models.any():
            continue
        part = x[members][:, models][:, :, tasks]
        for measure, values in _p(part, y[np.ix_(models, tasks)], axis, count, seed).items():
            p[measure][members] = values
    return p


def _complete_part(cells: Booleans) -> tuple[Booleans, Booleans]:
    """(models,) and (tasks,) between which no cell is missing: the one with the largest share of missing cells is dropped until none is."""
    rows, columns = np.ones(cells.shape[0], bool), np.ones(cells.shape[1], bool)
    while rows.any() and columns.any() and not cells[np.ix_(rows, columns)].all():
        missing = ~cells & rows[:, None] & columns
        by_row, by_column = missing.sum(1) / columns.sum(), missing.sum(0) / rows.sum()
        if by_row.max() >= by_column.max():
            rows[by_row.argmax()] = False
        else:
            columns[by_column.argmax()] = False
    return rows & columns.any(), columns & rows.any()


def _p(x: Floats, y: Floats, axis: str, count: int, seed: int) -> dict[str, Floats]:
    """x: (S, models, tasks), y: (models, tasks), without missing cells; empty where there are too few clusters."""
    if axis == "models":
        x, y = np.swapaxes(x, 1, 2), y.T
    groups, points = y.shape
    if points < MIN_CLUSTERS or (axis == "pooled" and groups < MIN_CLUSTERS):
        return {}
    rng = np.random.default_rng(seed)
    # (1 + count, points); row 0 is the observed order, so that p is at least 1 / (1 + count)
    orders = np.vstack([np.arange(points), *(rng.permutation(points)[None] for _ in range(count))])
    if axis == "pooled":
        # independent orders of models and of tasks, as orders of the flattened cells
        blocks = np.vstack([np.arange(groups), *(rng.permutation(groups)[None] for _ in range(count))])
        orders = (blocks[:, :, None] * points + orders[:, None, :]).reshape(1 + count, -1)
        x, y = x.reshape(len(x), 1, -1), y.reshape(1, -1)
    statistics = _permuted(x, y, orders, taus=axis != "pooled")
    return {measure: _share_as_extreme(values) for measure, values in statistics.items()}


def _share_as_extreme(values: Floats) -> Floats:
    """(1 + B, S) to (S,): the share of the values at least as far from zero as the first, which counts itself."""
    extreme = np.abs(values) >= np.abs(values[:1]) - 1e-9
    return np.asarray(np.where(np.isfinite(values[0]), extreme.mean(0), np.nan))


def _permuted(x: Floats, y: Floats, orders: NDArray[np.int64], taus: bool) -> dict[str, Floats]:
    """(1 + B, S) mean of each measure over the groups with y in each order. x: (S, G, P), y: (G, P), orders: (1 + B, P).

    Groups in which x or y is constant do not count.
    """
    varies = (np.ptp(y, axis=1) > 0) & (np.ptp(x, axis=2) > 0)
    weight = np.where(varies, 1.0, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = weight / weight.sum(1, keepdims=True)  # (S, G), NaN for a scorer that is constant in every group
    statistics: dict[str, Floats] = {}
    # r is the inner product of the unit vectors of x and y; permuting y does not change its norm. Spearman's is r of ranks.
    for name, a, b in (("pearson", x, y), ("spearman", ranks(x), ranks(y))):
        a, b = _unit(a) * weight[..., None], _unit(b)
        statistics[name] = np.einsum("sgp,bgp->bs", a, b[:, orders].swapaxes(0, 1), optimize=True)
    if taus:
        statistics |= _taus(x, y, orders, weight)
    return statistics


def _unit(values: Floats) -> Floats:
    """Centred along the last axis and scaled to length one; zero where constant."""
    centred = values - values.mean(-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nan_to_num(centred / np.sqrt((centred**2).sum(-1, keepdims=True))))


def _taus(x: Floats, y: Floats, orders: NDArray[np.int64], weight: Floats) -> dict[str, Floats]:
    """(1 + B, S) Kendall's τ-b and the weighted τ.  weight: (S, G), of each group in the mean.

    τ-b = Σ sᵤ sᵥ / √(Σ |sᵤ| · Σ |sᵥ|) over pairs of points, with sᵤ, sᵥ the signs of the differences in score and in target. The weighted τ
    multiplies each pair in each of the sums by the hyperbolic weights 1 / (1 + rank) of its two points, added, and is the mean of
    ranking by the score and by the target. Tied points have the weight of their mean rank here: scipy breaks ties by position, which
    would depend on the permutation.
    """
    i, j = np.triu_indices(x.shape[-1], 1)
    means = {name: np.zeros((len(orders), len(x))) for name in ("kendall", "weighted_kendall")}
    for g in range(x.shape[1]):
        u, v = x[:, g], y[g][orders]  # (S, P) scores, (1 + B, P) permuted targets
        sign_u, sign_v = np.sign(u[:, i] - u[:, j]), np.sign(v[:, i] - v[:, j])  # (S, pairs), (1 + B, pairs)
        # `ranks` are centred and ascending; (P − 1)/2 − rank counts from 0 for the highest
        inverse_u, inverse_v = (1 / (1 + (values.shape[-1] - 1) / 2 - ranks(values)) for values in (u, v))
        pair_u, pair_v = inverse_u[:, i] + inverse_u[:, j], inverse_v[:, i] + inverse_v[:, j]
        with np.errstate(invalid="ignore", divide="ignore"):
            # every sum over pairs is a matrix product (1 + B, pairs) @ (pairs, S)
            kendall = sign_v @ sign_u.T / np.sqrt(np.outer(np.abs(sign_v).sum(1), np.abs(sign_u).sum(1)))
            norm_u = np.abs(sign_v) @ pair_u.T * (pair_u * np.abs(sign_u)).sum(1)
            by_u = sign_v @ (pair_u * sign_u).T / np.sqrt(norm_u)
            norm_v = pair_v @ np.abs(sign_u).T * (pair_v * np.abs(sign_v)).sum(1, keepdims=True)
            by_v = (pair_v * sign_v) @ sign_u.T / np.sqrt(norm_v)
        for name, tau in (("kendall", kendall), ("weighted_kendall", (by_u + by_v) / 2)):
            # a group of weight 0 is constant, its τ NaN
            means[name] += np.where(weight[:, g] == 0, 0.0, weight[:, g] * tau)
    return means
