"""Baseline scores that need the measurements alone; a useful scorer must exceed them."""

import numpy as np
import polars as pl

from leaderboard.tables import score_table
from leaderboard.targets import TARGETS, Measured, static_rank


def baselines(m: Measured) -> pl.DataFrame:
    """Scores of `static_rank` for each technique and target, and of `headroom`, one minus the accuracy before, where that is known.

    This headroom is measured on the same test samples as the gain, so that sampling error changes both; a suite's own is computed on the
    train split.
    """
    rows = []
    for technique in m.techniques:
        tables = [(target, static_rank(m.values[technique][target]), "static_rank") for target in TARGETS]
        # a blank target: headroom is the same score for every target
        tables.append(("", 1 - m.before[technique], "headroom"))
        for target, values, name in tables:
            for i, j in np.argwhere(np.isfinite(values)):
                row = {"scorer": name, "model": m.models[i], "task": m.tasks[j], "score": float(values[i, j])}
                rows.append(row | {"technique": technique, "target": target})
    return score_table(rows)
