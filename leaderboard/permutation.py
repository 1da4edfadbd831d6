"""p values by permuting whole tasks, or whole models, so that what the cells of one have in common stays together."""

import numpy as np
from numpy.typing import NDArray

from leaderboard.correlation import MEASURES, ranks

Floats = NDArray[np.float64]
LEAST_TASKS = 5  # and models: fewer have fewer than a hundred orders


def p_values(x: Floats, y: Floats, axis: str, count: int, seed: int = 0) -> dict[str, Floats]:
    """Two-sided p of each of MEASURES, by `count` random orders and the one that was found.

    x: (S, models, tasks) scores of S scorers, y: (models, tasks). Where numbers are missing, on the models and tasks that `_whole` leaves. The order of tasks (axis "tasks") or of models ("models") is permuted, the same for all cells; pooled, both.
    (S,) each; NaN where a scorer leaves fewer than LEAST_TASKS to permute, or is constant. The τ's have none pooled: there are too many
    pairs.
    """
    out = {measure: np.full(len(x), np.nan) for measure in MEASURES}
    known = np.isfinite(x) & np.isfinite(y)
    for pattern in np.unique(known.reshape(len(x), -1), axis=0):
        chosen = (known.reshape(len(x), -1) == pattern).all(1)
        cells = pattern.reshape(y.shape)
        rows, columns = _whole(cells)
        if not rows.any():
            continue
        some = x[chosen][:, rows][:, :, columns], y[np.ix_(rows, columns)]
        for measure, values in _p(*some, axis, count, seed).items():
            out[measure][chosen] = values
    return out


def _whole(cells: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Models and tasks between which no cell is missing: the emptiest one, by share, is left out until that is so."""
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
    """x: (S, models, tasks), y: (models, tasks), without gaps."""
    if axis == "models":
        x, y = np.swapaxes(x, 1, 2), y.T
    groups, points = y.shape
    if points < LEAST_TASKS or (axis == "pooled" and groups < LEAST_TASKS):
        return {}
    chance = np.random.default_rng(seed)
    orders = np.vstack([np.arange(points), *(chance.permutation(points)[None] for _ in range(count))])
    if axis == "pooled":
        blocks = np.vstack([np.arange(groups), *(chance.permutation(groups)[None] for _ in range(count))])
        orders = (blocks[:, :, None] * points + orders[:, None, :]).reshape(1 + count, -1)
        x, y = x.reshape(len(x), 1, -1), y.reshape(1, -1)
    return {name: _share(values) for name, values in _permuted(x, y, orders, taus=axis != "pooled").items()}


def _share(values: Floats) -> Floats:
    """(1 + B, S) to (S,): how many of the values are as far from zero as the first; the first is one of them."""
    far = np.abs(values) >= np.abs(values[:1]) - 1e-9
    return np.asarray(np.where(np.isfinite(values[0]), far.mean(0), np.nan))


def _permuted(x: Floats, y: Floats, orders: NDArray[np.int64], taus: bool) -> dict[str, Floats]:
    """(1 + B, S) each measure's mean over the groups, y in each order. Groups in which x or y is constant are left out."""
    used = (np.ptp(y, axis=1) > 0) & (np.ptp(x, axis=2) > 0)  # (S, G)
    weight = np.where(used, 1.0, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = weight / weight.sum(1, keepdims=True)  # (S, G), NaN for a scorer without any
    found: dict[str, Floats] = {}
    for name, a, b in (("pearson", x, y), ("spearman", ranks(x), ranks(y))):
        a, b = _unit(a) * weight[..., None], _unit(b)
        found[name] = np.einsum("sgp,bgp->bs", a, b[:, orders].swapaxes(0, 1), optimize=True)
    if taus:
        found |= _taus(x, y, orders, weight)
    return found


def _unit(values: Floats) -> Floats:
    centred = values - values.mean(-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nan_to_num(centred / np.sqrt((centred**2).sum(-1, keepdims=True))))


def _taus(x: Floats, y: Floats, orders: NDArray[np.int64], weight: Floats) -> dict[str, Floats]:
    """Kendall's τ-b and the weighted τ, the latter with the mean weight among ties, whose order would depend on the permutation."""
    i, j = np.triu_indices(x.shape[-1], 1)
    out = {name: np.zeros((len(orders), len(x))) for name in ("kendall", "weighted_kendall")}
    for g in range(x.shape[1]):
        u, v = x[:, g], y[g][orders]
        su, sv = np.sign(u[:, i] - u[:, j]), np.sign(v[:, i] - v[:, j])  # (S, pairs), (B, pairs)
        hu, hv = (1 / (1 + (values.shape[-1] - 1) / 2 - ranks(values)) for values in (u, v))
        au, av = hu[:, i] + hu[:, j], hv[:, i] + hv[:, j]
        with np.errstate(invalid="ignore", divide="ignore"):
            plain = sv @ su.T / np.sqrt(np.outer(np.abs(sv).sum(1), np.abs(su).sum(1)))
            by_u = sv @ (au * su).T / np.sqrt(np.abs(sv) @ au.T * (au * np.abs(su)).sum(1))
            by_v = (av * sv) @ su.T / np.sqrt(av @ np.abs(su).T * (av * np.abs(sv)).sum(1, keepdims=True))
        for name, tau in (("kendall", plain), ("weighted_kendall", (by_u + by_v) / 2)):
            out[name] += np.where(weight[:, g] == 0, 0.0, weight[:, g] * tau)
    return out
