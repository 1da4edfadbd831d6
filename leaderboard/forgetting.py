"""What tuning on one task costs on the others, technique by technique."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leaderboard.axes import leave_one_out, over_groups
from leaderboard.intervals import Estimate, estimate
from leaderboard.targets import Measured

Floats = NDArray[np.float64]
REFERENCE = "full"


@dataclass(frozen=True)
class Forgetting:
    """Forgetting under one technique, in accuracy (0..1), means over models and seeds.

    mean, gain: over tasks.  over_full: forgetting less that under `full`, None for `full` itself, or without it.  worst_task: tuning on it costs most elsewhere, `worst`.  predicted_by: the scorers whose correlation with forgetting over
    tasks can be told from zero after Holm, the largest absolute values first.
    """

    technique: str
    mean: Estimate
    gain: float | None
    over_full: Estimate | None
    worst_task: str
    worst: float
    predicted_by: tuple[tuple[str, Estimate], ...]


def forgetting(m: Measured, correlations: Mapping[str, Iterable[tuple[str, Estimate]]]) -> tuple[Forgetting, ...]:
    """One entry per technique that was evaluated on other tasks, the least forgetful first.

    correlations[technique]: scorers, with the correlation over tasks, that can be told from zero.
    """
    keep, clusters = leave_one_out(len(m.models), len(m.tasks), "tasks")
    tables = {k: m.values[k]["forgetting"] for k in m.techniques if np.isfinite(m.values[k]["forgetting"]).any()}
    means = {k: _means(table, keep) for k, table in tables.items()}
    entries = []
    for k, table in tables.items():
        known, gain = np.isfinite(table), m.values[k]["gain"]
        per_task = _per_task(table)
        worst = int(np.nanargmax(per_task))
        over = None
        if k != REFERENCE and REFERENCE in tables:
            both = known & np.isfinite(tables[REFERENCE])
            less = [_means(np.where(both, of, np.nan), keep) for of in (table, tables[REFERENCE])]
            (over,) = estimate((less[0] - less[1])[None], clusters, both[None], fisher=False)
        telling = correlations.get(k, ())
        entries.append(
            Forgetting(
                k,
                estimate(means[k][None], clusters, known[None], fisher=False)[0],
                float(gain[np.isfinite(gain)].mean()) if np.isfinite(gain).any() else None,
                over,
                m.tasks[worst],
                float(per_task[worst]),
                tuple(sorted(telling, key=lambda pair: (-abs(pair[1].value or 0.0), pair[0]))),
            )
        )
    return tuple(sorted(entries, key=lambda entry: (entry.mean.value or 0.0, entry.technique)))


def _per_task(table: Floats) -> Floats:
    """(tasks,) mean over models."""
    return over_groups(table.T[..., None])[:, 0]


def _means(table: Floats, keep: Floats) -> Floats:
    """(B,) mean over models, then over the tasks kept."""
    return over_groups(np.where(keep > 0, _per_task(table), np.nan)[..., None])[:, 0]
