"""What any score must beat, from the measurements alone."""

import numpy as np
import polars as pl

from leaderboard.tables import score_table
from leaderboard.targets import TARGETS, Measured, static_rank


def baselines(m: Measured) -> pl.DataFrame:
    """`static_rank` for each technique and target, and `headroom`, one minus the accuracy before, where that is known.

    This headroom is that of the same test samples as the gain, so that sampling moves both; a suite's own is taken from the train split.
    """
    rows = []
    for technique in m.techniques:
        tables = [(target, static_rank(m.values[technique][target]), "static_rank") for target in TARGETS]
        tables.append(("", 1 - m.before[technique], "headroom"))
        for target, values, name in tables:
            for i, j in np.argwhere(np.isfinite(values)):
                row = {"scorer": name, "model": m.models[i], "task": m.tasks[j], "score": float(values[i, j])}
                rows.append(row | {"technique": technique, "target": target})
    return score_table(rows)
