"""Can a pool of models tell scores apart, and would another pool tell them apart in the same way?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leaderboard import correlation
from leaderboard.axes import or_null, over_groups
from leaderboard.targets import static_rank

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PoolSummary:
    """The order of a pool's models by accuracy after tuning, under one technique.

    dispersion: 1 − Kendall's W, from 0 (the same order on every task) to 1.  static: weighted τ between the static ranking (each
    model's mean rank on the other tasks) and the accuracies, mean over tasks.  headroom: accuracy that choosing the best model for each
    task adds to taking everywhere the one that is best on average, `best`.  Null where models or tasks are too few.
    """

    technique: str
    models: int
    tasks: int
    dispersion: float | None
    static: float | None
    headroom: float | None
    best: str | None


def pool_summary(technique: str, accuracy: Floats, models: Sequence[str]) -> PoolSummary:
    """accuracy: (models, tasks); tasks in which a model is missing count for the static ranking alone."""
    whole = accuracy[:, np.isfinite(accuracy).all(0)]
    static = over_groups(
        correlation.rank_correlations(static_rank(accuracy).T, accuracy.T, np.ones((1, len(models))))[
            "weighted_kendall"
        ][None]
    )[0, 0]
    if whole.shape[0] < 2 or whole.shape[1] < 2:
        return PoolSummary(technique, len(models), accuracy.shape[1], None, or_null(static), None, None)
    ranks = correlation.ranks(whole.T)  # (tasks, models), centred
    most = whole.shape[1] * (ranks**2).sum()
    agreement = float((ranks.sum(0) ** 2).sum() / most) if most > 0 else float("nan")
    best = int(whole.mean(1).argmax())
    return PoolSummary(
        technique,
        len(models),
        accuracy.shape[1],
        or_null(1 - agreement),
        or_null(static),
        float((whole.max(0) - whole[best]).mean()),
        models[best],
    )


def stability(x: Floats, gain: Floats) -> dict[str, float]:
    """Mean Kendall τ between the ranking of the scorers, by mean Pearson correlation with gain over tasks, and those with one thing changed.

    x: (S, models, tasks) scores; gain: (models, tasks, seeds). Changed: a model left out, a task left out, one seed alone.
    """
    with np.errstate(invalid="ignore"):
        mean = over_groups(np.moveaxis(gain, -1, 1))  # (models, tasks)
    models, tasks, seeds = gain.shape
    keep = np.vstack([np.ones(tasks), 1 - np.eye(tasks)])
    values = correlation.pearson(x, mean, keep)  # (S, models, B)
    whole = over_groups(values)[:, 0]
    others = {
        "a model left out": [over_groups(np.delete(values[..., :1], i, 1))[:, 0] for i in range(models)],
        "a task left out": list(over_groups(values)[:, 1:].T),
        "one seed alone": [over_groups(correlation.pearson(x, gain[..., s], keep[:1]))[:, 0] for s in range(seeds)],
    }
    found = {}
    for name, changed in others.items():
        if len(changed) < 2:
            continue
        taus = correlation.rank_correlations(whole, np.array(changed), np.ones((1, len(whole))))["kendall"]
        if np.isfinite(taus).any():
            found[name] = float(np.nanmean(taus))
    return found
