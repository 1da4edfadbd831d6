"""Scores laid out as tables of models by tasks."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from leaderboard.tables import Score
from leaderboard.targets import Measured

Floats = NDArray[np.float64]


class Layout:
    """The scores of each scorer, in the order of `names`, on the models and tasks that were measured."""

    def __init__(self, scores: Iterable[Score], m: Measured) -> None:
        scores = list(scores)
        self.names = sorted({s.scorer for s in scores})
        index = [{x: i for i, x in enumerate(items)} for items in (self.names, m.models, m.tasks)]
        self.shape = tuple(len(of) for of in index)
        used = [s for s in scores if s.score is not None and s.model in index[1] and s.task in index[2]]
        places = [(index[0][s.scorer], index[1][s.model], index[2][s.task]) for s in used]
        self.places = np.array(places, np.intp).reshape(-1, 3).T
        self.values = np.array([s.score for s in used], np.float64)
        self.techniques, self.targets = np.array([s.technique for s in used]), np.array([s.target for s in used])

    def table(self, technique: str, target: str) -> Floats:
        """(S, models, tasks), NaN where a scorer has no score; one meant for a technique or a target goes before a general one."""
        table = np.full(self.shape, np.nan)
        for a in ("", technique):
            for b in ("", target):
                here = (self.techniques == a) & (self.targets == b)
                table[tuple(self.places[:, here])] = self.values[here]
        return table
