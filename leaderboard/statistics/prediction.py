"""Predicting gain or forgetting on an unseen task, or of an unseen model, from scores.

A ridge regression of the target on one or a few scores is fitted on whole groups (tasks, or models) and evaluated on another. Its penalty
and its prediction interval come from the leave-one-group-out errors on the fitted groups.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PENALTIES = (0.0, 0.01, 0.1, 1.0)  # per cell, of standardised scores
LEVEL = 0.9


@dataclass(frozen=True)
class Fit:
    """A fitted regression of P scores.

    centre, deviation: (P,) mean and standard deviation of each score.  weights: (1 + P,) for the constant and the standardised scores.
    half_width: of the prediction interval at LEVEL, infinite where the groups are too few for one.
    """

    centre: Floats
    deviation: Floats
    weights: Floats
    half_width: float

    def predict(self, features: Floats) -> Floats:
        """(..., P) scores to (...) predictions."""
        return np.asarray(_design(features, self.centre, self.deviation) @ self.weights)


@dataclass(frozen=True)
class Quality:
    """Quality of predictions on groups that the fits did not see, in units of the target.

    mae: mean absolute error, with its 95 % interval [low, high] from resampling whole groups.  r2: 1 − squared error / squared error of
    predicting the mean of the fitted groups.  coverage, half_width: share of values inside the 90 % intervals and their mean half width,
    None where there are none.  n: values.
    """

    mae: float
    low: float
    high: float
    r2: float
    coverage: float | None
    half_width: float | None
    n: int


def _design(features: Floats, centre: Floats, deviation: Floats) -> Floats:
    """(..., P) to (..., 1 + P): a column of ones and the standardised scores."""
    scaled = (features - centre) / deviation
    return np.concatenate([np.ones((*scaled.shape[:-1], 1)), scaled], axis=-1)


def fit(features: Floats, target: Floats) -> Fit:
    """Fit on G groups of K cells. features: (G, K, P) scores; target: (G, K). Cells with a missing number are left out.

    P may be 0, for which the prediction is the mean. Raises ValueError for fewer than two groups with a complete cell.
    """
    used = np.isfinite(target) & np.isfinite(features).all(-1)
    nonempty = used.any(1)
    features, target, used = features[nonempty], target[nonempty], used[nonempty]
    groups, n, p = len(target), int(used.sum()), features.shape[-1]
    if groups < 2:
        raise ValueError(f"{groups} groups have both scores and target; a prediction needs at least 2")
    rows = features[used]
    centre, deviation = rows.mean(0), rows.std(0)
    deviation = np.where(deviation > 1e-12 * np.maximum(1, np.abs(centre)), deviation, 1.0)
    design = np.where(used[..., None], _design(np.nan_to_num(features), centre, deviation), 0.0)
    values = np.where(used, target, 0.0)
    # normal equations of each group, (G, 1 + P, 1 + P) and (G, 1 + P); without a group they are the total minus its own
    gram, moment = np.einsum("gkp,gkq->gpq", design, design), np.einsum("gkp,gk->gp", design, values)
    penalties = np.array(PENALTIES if p else (0.0,))
    # λ per cell times the number of cells fitted; the constant is not penalised; 1e-9 keeps the system regular
    penalty = penalties[:, None, None] * np.diag([0.0] + [1.0] * p) + 1e-9 * np.eye(p + 1)
    sizes = used.sum(1)
    others = gram.sum(0) - gram + penalty[:, None] * (n - sizes)[:, None, None]
    left_out = np.linalg.solve(others, (moment.sum(0) - moment)[None, ..., None])[..., 0]  # (penalties, G, 1 + P)
    errors = np.where(used, values - np.einsum("gkp,lgp->lgk", design, left_out), 0.0)
    best = int((errors**2).sum((1, 2)).argmin())
    weights = np.linalg.solve(gram.sum(0) + penalty[best] * n, moment.sum(0))
    return Fit(centre, deviation, weights, _half_width(np.abs(errors[best]), used))


def _half_width(errors: Floats, used: NDArray[np.bool_]) -> float:
    """The LEVEL quantile of the absolute errors (G, K); infinite where G + 1 groups do not reach it.

    Hierarchical conformal prediction (Lee, Barber and Willett, 2023): cells of one group are not independent, so each group has weight
    1 / (G + 1), as the unseen group has, shared by its cells.
    """
    weights = (used / used.sum(1, keepdims=True))[used] / (len(used) + 1)
    order = np.argsort(errors[used])
    reached = np.cumsum(weights[order]) >= LEVEL - 1e-12
    return float(errors[used][order][reached.argmax()]) if reached.any() else float("inf")


def held_out(features: Floats, target: Floats) -> tuple[Floats, Floats, Floats]:
    """Predict each group from the others: predictions, half widths and the mean of the others' target.

    Each (G, K); predictions are NaN where a score is missing.
    """
    out = np.full((3, *target.shape), np.nan)
    for g in range(len(target)):
        rest = np.arange(len(target)) != g
        fitted = fit(features[rest], target[rest])
        out[0, g] = fitted.predict(features[g])
        out[1, g] = fitted.half_width
        scored = target[rest][np.isfinite(features[rest]).all(-1)]
        out[2, g] = np.nanmean(scored)
    return out[0], out[1], out[2]


def quality(features: Floats, target: Floats, resamples: int = 1000, seed: int = 0) -> Quality:
    """Quality of predicting each group from the others. Shapes as in `fit`; raises ValueError for fewer than three groups."""
    if len(target) < 3:
        raise ValueError(f"{len(target)} groups; leaving one out needs at least 3")
    predicted, half, mean = held_out(features, target)
    used = np.isfinite(predicted) & np.isfinite(target)
    errors = np.where(used, np.abs(predicted - target), 0.0)
    # bootstrap over groups: (resamples, G) indices of groups
    sums, counts = errors.sum(1), used.sum(1)
    resampled = np.random.default_rng(seed).integers(0, len(sums), (resamples, len(sums)))
    low, high = np.percentile(sums[resampled].sum(1) / np.maximum(1, counts[resampled].sum(1)), [2.5, 97.5])
    finite = used & np.isfinite(half)
    return Quality(
        mae=float(errors.sum() / used.sum()),
        low=float(low),
        high=float(high),
        r2=_r2(predicted[used], target[used], mean[used]),
        coverage=float((errors <= half)[finite].mean()) if finite.any() else None,
        half_width=float(half[finite].mean()) if finite.any() else None,
        n=int(used.sum()),
    )


def _r2(predicted: Floats, target: Floats, mean: Floats) -> float:
    total = ((target - mean) ** 2).sum()
    return float(1 - ((target - predicted) ** 2).sum() / total) if total > 0 else float("nan")


def learning_curve(
    features: Floats, target: Floats, sizes: Iterable[int], draws: int = 50, seed: int = 0
) -> dict[int, tuple[float, float]]:
    """Mean absolute error and R² on all other groups, fitted on a number of groups drawn at random: {number: (mae, r2)}.

    The draws for a number of groups do not depend on the features. Shapes as in `fit`.
    """
    curve = {}
    for number in sizes:
        rng = np.random.default_rng([seed, number])
        absolute, squared, total, count = 0.0, 0.0, 0.0, 0
        for _ in range(draws):
            train = np.zeros(len(target), bool)
            train[rng.permutation(len(target))[:number]] = True
            predicted = fit(features[train], target[train]).predict(features[~train])
            used = np.isfinite(predicted) & np.isfinite(target[~train])
            errors = (predicted - target[~train])[used]
            absolute += np.abs(errors).sum()
            squared += (errors**2).sum()
            total += ((target[~train][used] - np.nanmean(target[train])) ** 2).sum()
            count += int(used.sum())
        curve[number] = (float(absolute / count), float(1 - squared / total))
    return curve
