"""From the ledger to what scores are asked to predict."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leaderboard.tables import NUMBERS, Row, is_ledger, read_ledger, read_wide

Floats = NDArray[np.float64]
TARGETS = ("gain", "accuracy", "forgetting")
Cell = tuple[str, str, str, int, str, float]  # technique, model, task, seed, what, value


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


def read_measurements(path: Path) -> Measured:
    """A ledger (a file or a folder), or a table with a row per (model, task) and any of `before`, `accuracy`, `gain`, `forgetting`.

    Where two of before, accuracy and gain are known the third follows. Raises LeaderboardError for what cannot be read.
    """
    if is_ledger(path):
        return summarise_ledger(read_ledger(path))
    cells = []
    for row in read_wide(path):
        known = {name: float(row[name]) for name in NUMBERS if name in row}
        if "gain" not in known and {"accuracy", "before"} <= set(known):
            known["gain"] = known["accuracy"] - known["before"]
        if "before" not in known and {"accuracy", "gain"} <= set(known):
            known["before"] = known["accuracy"] - known["gain"]
        if "accuracy" not in known and {"before", "gain"} <= set(known):
            known["accuracy"] = known["before"] + known["gain"]
        place = str(row["technique"]), str(row["model"]), str(row["task"]), int(row["seed"])
        cells += [(*place, name, value) for name, value in known.items()]
    return from_cells(cells)


def summarise_ledger(rows: Iterable[Row]) -> Measured:
    """gain: after − before on the task tuned on.  accuracy: after, there.  forgetting: mean of before − after over the other tasks."""
    cells: list[Cell] = []
    lost: dict[tuple[str, str, str, int], list[float]] = {}
    for r in rows:
        place = r.technique, r.model, r.trained_on, r.seed
        if r.evaluated_on == r.trained_on:
            found = {"gain": r.after - r.before, "accuracy": r.after, "before": r.before}
            cells += [(*place, name, value) for name, value in found.items()]
        else:
            lost.setdefault(place, []).append(r.before - r.after)
    cells += [(*place, "forgetting", float(np.mean(several))) for place, several in lost.items()]
    return from_cells(cells)


def from_cells(cells: Sequence[Cell]) -> Measured:
    """Measurements as (technique, model, task, seed, target or "before", value)."""
    techniques, models = sorted({cell[0] for cell in cells}), sorted({cell[1] for cell in cells})
    tasks, seeds = sorted({cell[2] for cell in cells}), sorted({cell[3] for cell in cells})
    m, t = ({name: i for i, name in enumerate(names)} for names in (models, tasks))
    s = {seed: i for i, seed in enumerate(seeds)}
    shape = (len(models), len(tasks), len(seeds))
    tables = {k: {what: np.full(shape, np.nan) for what in (*TARGETS, "before")} for k in techniques}
    for technique, model, task, seed, what, value in cells:
        tables[technique][what][m[model], t[task], s[seed]] = value
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
    m = summarise_ledger(row for row in rows if row.evaluated_on == row.trained_on)
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
