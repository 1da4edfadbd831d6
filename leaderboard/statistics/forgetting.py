"""Forgetting, technique by technique: its mean, the comparison with full fine-tuning, and the scores that predict it."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leaderboard.schemas import FORGETTING, PREDICTORS, estimate_column
from leaderboard.statistics.axes import leave_one_out, over_groups
from leaderboard.statistics.intervals import estimate
from leaderboard.statistics.partial import SIGNIFICANCE
from leaderboard.targets import Measured

Floats = NDArray[np.float64]
REFERENCE = "full"


def forgetting_table(m: Measured) -> pl.DataFrame:
    """One row per technique that was evaluated on other tasks, the one that forgets least first; columns `schemas.FORGETTING`."""
    arrays = {k: m.values[k]["forgetting"] for k in m.techniques if np.isfinite(m.values[k]["forgetting"]).any()}
    rows: list[dict[str, Any]] = []
    for technique, values in arrays.items():
        gain, per_task = m.values[technique]["gain"], _per_task(values)
        worst = int(np.nanargmax(per_task))
        compared = technique != REFERENCE and REFERENCE in arrays
        rows.append(
            {
                "technique": technique,
                "mean": _mean(values),
                "gain": float(gain[np.isfinite(gain)].mean()) if np.isfinite(gain).any() else None,
                "over_full": _difference(values, arrays[REFERENCE]) if compared else None,
                "worst_task": m.tasks[worst],
                "worst": float(per_task[worst]),
            }
        )
    rows.sort(key=lambda row: (row["mean"]["value"] or 0.0, row["technique"]))
    return pl.DataFrame(rows, schema=FORGETTING)


def forgetting_predictors(rows: pl.DataFrame) -> pl.DataFrame:
    """The scorers with a significant correlation with forgetting, the largest absolute values first; columns `schemas.PREDICTORS`.

    rows: columns `schemas.ROWS`. Pearson's correlation over tasks, as the ranking uses it; significant after Holm's adjustment.
    """
    significant = rows.filter(pl.col("holm") < SIGNIFICANCE, target="forgetting", axis="tasks", measure="pearson")
    strength = pl.col("value").fill_null(0.0).abs()
    ordered = significant.sort(pl.col("technique"), -strength, pl.col("scorer"))
    interval = pl.struct("value", "low", "high", pl.lit(None, pl.Float64).alias("p")).alias("correlation")
    return ordered.select("technique", "scorer", interval).cast(PREDICTORS)


def _mean(values: Floats) -> dict[str, float | None]:
    """Mean forgetting with the interval from leaving out one task at a time. values: (models, tasks)."""
    keep, clusters = leave_one_out(len(values), values.shape[1], "tasks")
    estimates = estimate(_means(values, keep)[None], clusters, np.isfinite(values)[None], fisher=False)
    row: dict[str, float | None] = estimate_column(estimates)[0]
    return row


def _difference(values: Floats, reference: Floats) -> dict[str, float | None]:
    """Mean forgetting minus the reference's, paired by task: both on the runs that both have."""
    keep, clusters = leave_one_out(len(values), values.shape[1], "tasks")
    common = np.isfinite(values) & np.isfinite(reference)
    own, other = (_means(np.where(common, table, np.nan), keep) for table in (values, reference))
    row: dict[str, float | None] = estimate_column(estimate((own - other)[None], clusters, common[None], fisher=False))[
        0
    ]
    return row


def _per_task(values: Floats) -> Floats:
    """(tasks,) mean over models."""
    return over_groups(values.T[..., None])[:, 0]


def _means(values: Floats, keep: Floats) -> Floats:
    """(B,) mean over models, then over the tasks of each selection."""
    return over_groups(np.where(keep > 0, _per_task(values), np.nan)[..., None])[:, 0]
