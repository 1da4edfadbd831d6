"""Prediction: what scores say about the gain or the forgetting on a task, or of a model, that was never seen.

A ridge regression of the target on one score or a few, fitted on whole groups (tasks, or models) and asked about another. Its
penalty is chosen, and its interval drawn, from the errors on each of the known groups when the fit leaves that one out.
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
    """A fitted regression. weights: (1 + P,) for a constant and the standardised scores.  half_width: of the interval at LEVEL,
    infinite where the known groups are too few for one."""

    centre: Floats
    deviation: Floats
    weights: Floats
    half_width: float

    def predict(self, features: Floats) -> Floats:
        """(..., P) scores to (...) predictions."""
        return np.asarray(_design(features, self.centre, self.deviation) @ self.weights)


@dataclass(frozen=True)
class Quality:
    """How well predictions did on groups that the fits had not seen.

    mae: mean absolute error, with its 95 % interval from resampling whole groups.  r2: 1 − squared error over that of predicting the
    mean of the known groups, so that the mean itself has 0.  coverage: share of values inside the 90 % intervals, None where there
    are none.  n: values.
    """

    mae: float
    low: float
    high: float
    r2: float
    coverage: float | None
    half_width: float | None
    n: int


def _design(features: Floats, centre: Floats, deviation: Floats) -> Floats:
    scaled = (features - centre) / deviation
    return np.concatenate([np.ones((*scaled.shape[:-1], 1)), scaled], axis=-1)


def fit(features: Floats, target: Floats) -> Fit:
    """features: (G, K, P), of K cells in each of G groups; target: (G, K). Cells with a missing number are left out.

    Raises ValueError for fewer than two groups with a whole cell. P may be 0: the mean.
    """
    known = np.isfinite(target) & np.isfinite(features).all(-1)
    whole = known.any(1)
    features, target, known = features[whole], target[whole], known[whole]
    groups, n, p = len(target), int(known.sum()), features.shape[-1]
    if groups < 2:
        raise ValueError(f"{groups} groups have both scores and target; a prediction needs at least 2")
    rows = features[known]
    centre, deviation = rows.mean(0), rows.std(0)
    deviation = np.where(deviation > 1e-12 * np.maximum(1, np.abs(centre)), deviation, 1.0)
    design = np.where(known[..., None], _design(np.nan_to_num(features), centre, deviation), 0.0)
    values = np.where(known, target, 0.0)
    gram, moment = np.einsum("gkp,gkq->gpq", design, design), np.einsum("gkp,gk->gp", design, values)
    penalties = np.array(PENALTIES if p else (0.0,))
    penal = penalties[:, None, None] * np.diag([0.0] + [1.0] * p) + 1e-9 * np.eye(p + 1)
    sizes = known.sum(1)
    others = gram.sum(0) - gram + penal[:, None] * (n - sizes)[:, None, None]
    left_out = np.linalg.solve(others, (moment.sum(0) - moment)[None, ..., None])[..., 0]  # (penalties, G, 1 + P)
    errors = np.where(known, values - np.einsum("gkp,lgp->lgk", design, left_out), 0.0)
    best = int((errors**2).sum((1, 2)).argmin())
    weights = np.linalg.solve(gram.sum(0) + penal[best] * n, moment.sum(0))
    return Fit(centre, deviation, weights, _half_width(np.abs(errors[best]), known))


def _half_width(errors: Floats, known: NDArray[np.bool_]) -> float:
    """The LEVEL quantile of the errors, each group weighing the same and the group to come as much as a known one.

    Hierarchical conformal prediction (Lee, Barber, Willett, 2023): cells of one task are no independent evidence.
    """
    weights = (known / known.sum(1, keepdims=True))[known] / (len(known) + 1)
    order = np.argsort(errors[known])
    reached = np.cumsum(weights[order]) >= LEVEL - 1e-12
    return float(errors[known][order][reached.argmax()]) if reached.any() else float("inf")


def held_out(features: Floats, target: Floats) -> tuple[Floats, Floats, Floats]:
    """Predict each group from the others: predictions, half widths and the mean of the others, each (G, K), NaN where a score is missing."""
    out = np.full((3, *target.shape), np.nan)
    for g in range(len(target)):
        rest = np.arange(len(target)) != g
        found = fit(features[rest], target[rest])
        out[0, g] = found.predict(features[g])
        out[1, g] = found.half_width
        seen = target[rest][np.isfinite(features[rest]).all(-1)]
        out[2, g] = np.nanmean(seen)
    return out[0], out[1], out[2]


def quality(features: Floats, target: Floats, resamples: int = 1000, seed: int = 0) -> Quality:
    """Leave each group out in turn. Shapes as in `fit`; raises ValueError for fewer than three groups."""
    if len(target) < 3:
        raise ValueError(f"{len(target)} groups; leaving one out needs at least 3")
    predicted, half, mean = held_out(features, target)
    known = np.isfinite(predicted) & np.isfinite(target)
    errors = np.where(known, np.abs(predicted - target), 0.0)
    sums, counts = errors.sum(1), known.sum(1)
    drawn = np.random.default_rng(seed).integers(0, len(sums), (resamples, len(sums)))
    low, high = np.percentile(sums[drawn].sum(1) / np.maximum(1, counts[drawn].sum(1)), [2.5, 97.5])
    finite = known & np.isfinite(half)
    return Quality(
        mae=float(errors.sum() / known.sum()),
        low=float(low),
        high=float(high),
        r2=_r2(predicted[known], target[known], mean[known]),
        coverage=float((errors <= half)[finite].mean()) if finite.any() else None,
        half_width=float(half[finite].mean()) if finite.any() else None,
        n=int(known.sum()),
    )


def _r2(predicted: Floats, target: Floats, mean: Floats) -> float:
    against = ((target - mean) ** 2).sum()
    return float(1 - ((target - predicted) ** 2).sum() / against) if against > 0 else float("nan")


def learning_curve(
    features: Floats, target: Floats, known: Iterable[int], draws: int = 50, seed: int = 0
) -> dict[int, tuple[float, float]]:
    """Mean absolute error and R² on all other groups where only so many, drawn by chance, are known: {number: (mae, r2)}.

    The same draws for the same number of groups, whatever the features. Shapes as in `fit`.
    """
    curve = {}
    for number in known:
        chance = np.random.default_rng([seed, number])
        absolute, squared, against, count = 0.0, 0.0, 0.0, 0
        for _ in range(draws):
            seen = np.zeros(len(target), bool)
            seen[chance.permutation(len(target))[:number]] = True
            predicted = fit(features[seen], target[seen]).predict(features[~seen])
            asked = np.isfinite(predicted) & np.isfinite(target[~seen])
            errors = (predicted - target[~seen])[asked]
            absolute, squared, count = (
                absolute + np.abs(errors).sum(), squared + (errors**2).sum(), count + int(asked.sum())
            )  # fmt: skip
            against += ((target[~seen][asked] - np.nanmean(target[seen])) ** 2).sum()
        curve[number] = (float(absolute / count), float(1 - squared / against))
    return curve
