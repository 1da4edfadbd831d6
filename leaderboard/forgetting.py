"""What tuning on one task costs on the others, technique by technique."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leaderboard.resampling import interval, weighted_mean
from leaderboard.targets import Measured

Floats = NDArray[np.float64]
REFERENCE = "full"


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval; null without tasks enough."""

    value: float
    low: float | None
    high: float | None

    @property
    def sign(self) -> int:
        """+1 or −1 where the interval excludes zero, else 0."""
        return 0 if self.low is None or self.high is None else (self.low > 0) - (self.high < 0)


@dataclass(frozen=True)
class Forgetting:
    """Forgetting under one technique, in accuracy (0..1), means over models and seeds.

    mean, gain: over tasks.  over_full: forgetting less that under `full`, on the same resamples; None for `full` itself, or without
    it.  worst_task: tuning on it costs most elsewhere, `worst`.  predicted_by: the scorers whose correlation with forgetting over
    tasks has an interval without zero, the largest absolute values first.
    """

    technique: str
    mean: Estimate
    gain: float
    over_full: Estimate | None
    worst_task: str
    worst: float
    predicted_by: tuple[tuple[str, Estimate], ...]


def forgetting(
    m: Measured, weights: Floats, correlations: Mapping[str, Iterable[tuple[str, Estimate]]]
) -> tuple[Forgetting, ...]:
    """One entry per technique that was evaluated on other tasks, the least forgetful first.

    weights: (1 + B, tasks) multiplicities, row 0 the sample itself.  correlations[technique]: scorer and correlation over tasks.
    """
    per_task = {k: _over_models(m.values[k]["forgetting"]) for k in m.techniques}
    sampled = {k: weighted_mean(values, weights) for k, values in per_task.items()}
    entries = []
    for k, values in per_task.items():
        known = int(np.isfinite(values).sum())
        if not known:
            continue
        worst = int(np.nanargmax(values))
        over = None
        if k != REFERENCE and REFERENCE in sampled and np.isfinite(sampled[REFERENCE][0]):
            over = _estimate(sampled[k] - sampled[REFERENCE], known)
        telling = [(name, found) for name, found in correlations.get(k, ()) if found.sign]
        entries.append(
            Forgetting(
                k,
                _estimate(sampled[k], known),
                float(np.nanmean(m.values[k]["gain"])),
                over,
                m.tasks[worst],
                float(values[worst]),
                tuple(sorted(telling, key=lambda pair: (-abs(pair[1].value), pair[0]))),
            )
        )
    return tuple(sorted(entries, key=lambda entry: (entry.mean.value, entry.technique)))


def _over_models(values: Floats) -> Floats:
    """(tasks,) mean over the models that were measured, NaN where none was."""
    return weighted_mean(values.T)


def _estimate(sampled: Floats, tasks: int) -> Estimate:
    return Estimate(float(sampled[0]), *interval(sampled, tasks))
