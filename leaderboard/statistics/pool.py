"""Whether a pool of models can tell scores apart, and whether another pool would rank the scores alike."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leaderboard.schemas import finite_or_none
from leaderboard.statistics import correlation
from leaderboard.statistics.axes import over_groups
from leaderboard.targets import static_rank

Floats = NDArray[np.float64]


def pool_summary(technique: str, accuracy: Floats, models: Sequence[str]) -> dict[str, Any]:
    """The order of the models by accuracy after fine-tuning: a row of `schemas.POOLS`.

    accuracy: (models, tasks). Tasks on which a model was not measured count for `static` alone. Null where models or tasks are too few.
    """
    row: dict[str, Any] = {"technique": technique, "models": len(models), "tasks": accuracy.shape[1]}
    by_task = correlation.rank_correlations(static_rank(accuracy).T, accuracy.T, np.ones((1, len(models))))
    row["static"] = finite_or_none(over_groups(by_task["weighted_kendall"][None])[0, 0])
    complete = accuracy[:, np.isfinite(accuracy).all(0)]
    if complete.shape[0] < 2 or complete.shape[1] < 2:
        return row | {"dispersion": None, "headroom": None, "best": None}
    # Kendall's W = Σ_m (Σ_t r_tm)² / (T · Σ_tm r_tm²) with centred ranks r: 1 where all tasks rank the models alike
    ranks = correlation.ranks(complete.T)  # (tasks, models)
    largest = complete.shape[1] * (ranks**2).sum()
    concordance = float((ranks.sum(0) ** 2).sum() / largest) if largest > 0 else float("nan")
    best = int(complete.mean(1).argmax())
    headroom = float((complete.max(0) - complete[best]).mean())
    return row | {"dispersion": finite_or_none(1 - concordance), "headroom": headroom, "best": models[best]}


def stability(x: Floats, gain: Floats) -> dict[str, float]:
    """Mean Kendall τ between the ranking of the scorers and rankings with a model left out, a task left out, or from one seed alone.

    x: (S, models, tasks) scores; gain: (models, tasks, seeds). Scorers are ranked by mean Pearson correlation with gain over tasks.
    """
    with np.errstate(invalid="ignore"):
        mean = over_groups(np.moveaxis(gain, -1, 1))  # (models, tasks)
    models, tasks, seeds = gain.shape
    keep = np.vstack([np.ones(tasks), 1 - np.eye(tasks)])
    values = correlation.pearson(x, mean, keep)  # (S, models, 1 + tasks)
    whole = over_groups(values)[:, 0]
    rankings = {
        "a model left out": [over_groups(np.delete(values[..., :1], i, 1))[:, 0] for i in range(models)],
        "a task left out": list(over_groups(values)[:, 1:].T),
        "one seed alone": [over_groups(correlation.pearson(x, gain[..., s], keep[:1]))[:, 0] for s in range(seeds)],
    }
    means = {}
    for name, changed in rankings.items():
        if len(changed) < 2:
            continue
        taus = correlation.rank_correlations(whole, np.array(changed), np.ones((1, len(whole))))["kendall"]
        if np.isfinite(taus).any():
            means[name] = float(np.nanmean(taus))
    return means
