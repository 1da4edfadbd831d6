"""From the ledger to what scores are asked to predict."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leaderboard.tables import Row

Floats = NDArray[np.float64]
TARGETS = ("gain", "accuracy", "forgetting")


@dataclass(frozen=True)
class Measured:
    """The targets of one ledger, NaN where nothing was run.

    by_seed[technique][target]: (models, tasks, seeds).  values[technique][target]: (models, tasks), the mean over the seeds that were
    run.  before[technique]: (models, tasks) accuracy before tuning on the task tuned on.
    """

    models: tuple[str, ...]
    tasks: tuple[str, ...]
    techniques: tuple[str, ...]
    seeds: tuple[int, ...]
    by_seed: dict[str, dict[str, Floats]]
    values: dict[str, dict[str, Floats]]
    before: dict[str, Floats]


def measured(rows: Iterable[Row]) -> Measured:
    """gain: after − before on the task tuned on.  accuracy: after, there.  forgetting: mean of before − after over the other tasks."""
    rows = list(rows)
    models, tasks = sorted({r.model for r in rows}), sorted({r.trained_on for r in rows})
    techniques, seeds = sorted({r.technique for r in rows}), sorted({r.seed for r in rows})
    m, t, s = ({name: i for i, name in enumerate(names)} for names in (models, tasks, seeds))
    shape = (len(models), len(tasks), len(seeds))
    tables = {k: {what: np.full(shape, np.nan) for what in (*TARGETS, "before")} for k in techniques}
    lost: dict[tuple[str, int, int, int], list[float]] = {}
    for r in rows:
        place = m[r.model], t[r.trained_on], s[r.seed]
        if r.evaluated_on == r.trained_on:
            for what, value in (("gain", r.after - r.before), ("accuracy", r.after), ("before", r.before)):
                tables[r.technique][what][place] = value
        else:
            lost.setdefault((r.technique, *place), []).append(r.before - r.after)
    for (technique, *where), several in lost.items():
        tables[technique]["forgetting"][tuple(where)] = np.mean(several)
    means = {k: {what: _over_seeds(table) for what, table in of.items()} for k, of in tables.items()}
    return Measured(
        tuple(models),
        tuple(tasks),
        tuple(techniques),
        tuple(seeds),
        {k: {target: of[target] for target in TARGETS} for k, of in tables.items()},
        {k: {target: of[target] for target in TARGETS} for k, of in means.items()},
        {k: of["before"] for k, of in means.items()},
    )


def _over_seeds(table: Floats) -> Floats:
    known = np.isfinite(table)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, table, 0.0).sum(-1) / known.sum(-1))


def gains_by_seed(rows: Iterable[Row]) -> tuple[Floats, Measured]:
    """(models, tasks, techniques, seeds) gains, NaN where nothing was run, and whose names order the axes."""
    m = measured(row for row in rows if row.evaluated_on == row.trained_on)
    return np.stack([m.by_seed[k]["gain"] for k in m.techniques], 2), m


def ranks_elsewhere(values: Floats, model: int, task: int) -> Floats:
    """(K,) rank of a model among the pool on each other task that was measured on it and another: 0 worst, 1 best, ties averaged."""
    ranks = []
    for other in range(values.shape[1]):
        column = values[:, other]
        known = np.isfinite(column)
        if other == task or not known[model] or known.sum() < 2:
            continue
        rivals = np.delete(column, model)[np.delete(known, model)]
        ranks.append(((rivals < column[model]).sum() + 0.5 * (rivals == column[model]).sum()) / len(rivals))
    return np.array(ranks, np.float64)


def static_rank(values: Floats) -> Floats:
    """(models, tasks): each model's mean rank on the other tasks, a ranking that never looks at the task itself."""
    out = np.full(values.shape, np.nan)
    for model, task in np.ndindex(*values.shape):
        ranks = ranks_elsewhere(values, model, task)
        if len(ranks):
            out[model, task] = ranks.mean()
    return out
