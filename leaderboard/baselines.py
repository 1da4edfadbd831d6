"""What any score must beat, from the measurements alone."""

import numpy as np

from leaderboard.tables import Score
from leaderboard.targets import TARGETS, Measured, static_rank


def baselines(m: Measured) -> list[Score]:
    """`static_rank` for each technique and target, and `headroom`, one minus the accuracy before, where that is known.

    This headroom is that of the same test samples as the gain, so that chance moves both; a suite's own is taken from the train split.
    """
    scores = []
    for technique in m.techniques:
        tables = [(target, static_rank(m.values[technique][target]), "static_rank") for target in TARGETS]
        tables.append(("", 1 - m.before[technique], "headroom"))
        for target, values, name in tables:
            for i, j in np.argwhere(np.isfinite(values)):
                scores.append(Score(name, m.models[i], m.tasks[j], float(values[i, j]), technique, target))
    return scores
