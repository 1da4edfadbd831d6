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
    """The targets of one ledger. `values[technique][target]` is (models, tasks), the mean over seeds, NaN where nothing was run."""

    models: tuple[str, ...]
    tasks: tuple[str, ...]
    techniques: tuple[str, ...]
    seeds: tuple[int, ...]
    values: dict[str, dict[str, Floats]]


def measured(rows: Iterable[Row]) -> Measured:
    """gain: after − before on the task tuned on.  accuracy: after, there.  forgetting: mean of before − after over the other tasks."""
    rows = list(rows)
    models, tasks = sorted({r.model for r in rows}), sorted({r.trained_on for r in rows})
    techniques, seeds = sorted({r.technique for r in rows}), sorted({r.seed for r in rows})
    m, t = {name: i for i, name in enumerate(models)}, {name: i for i, name in enumerate(tasks)}
    runs: dict[tuple[str, int, int, int], list[Row]] = {}
    for r in rows:
        runs.setdefault((r.technique, m[r.model], t[r.trained_on], r.seed), []).append(r)
    collected: dict[str, dict[str, dict[tuple[int, int], list[float]]]] = {
        k: {target: {} for target in TARGETS} for k in techniques
    }
    for (technique, i, j, _), run in runs.items():
        home = next(r for r in run if r.evaluated_on == r.trained_on)
        away = [r.before - r.after for r in run if r.evaluated_on != r.trained_on]
        found = {"gain": home.after - home.before, "accuracy": home.after}
        if away:
            found["forgetting"] = float(np.mean(away))
        for target, value in found.items():
            collected[technique][target].setdefault((i, j), []).append(value)
    values = {}
    for technique in techniques:
        values[technique] = {target: np.full((len(models), len(tasks)), np.nan) for target in TARGETS}
        for target in TARGETS:
            for place, several in collected[technique][target].items():
                values[technique][target][place] = np.mean(several)
    return Measured(tuple(models), tuple(tasks), tuple(techniques), tuple(seeds), values)


def gains_by_seed(rows: Iterable[Row]) -> tuple[Floats, Measured]:
    """(models, tasks, techniques, seeds) gains, NaN where nothing was run, and whose names order the axes."""
    rows = [row for row in rows if row.evaluated_on == row.trained_on]
    m = measured(rows)
    table = np.full((len(m.models), len(m.tasks), len(m.techniques), len(m.seeds)), np.nan)
    models, tasks, techniques = ({name: i for i, name in enumerate(of)} for of in (m.models, m.tasks, m.techniques))
    seeds = {seed: i for i, seed in enumerate(m.seeds)}
    for r in rows:
        table[models[r.model], tasks[r.trained_on], techniques[r.technique], seeds[r.seed]] = r.after - r.before
    return table, m


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
