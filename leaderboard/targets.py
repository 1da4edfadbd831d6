"""From the ledger to what scores are asked to predict."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leaderboard.tables import NUMBERS, RUN, is_ledger, read_ledger, read_measurement_file

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


def read_measurements(path: Path) -> Measured:
    """A ledger (a file or a folder), or a table with a row per (model, task) and any of `before`, `accuracy`, `gain`, `forgetting`.

    Where two of before, accuracy and gain are known the third follows. Raises LeaderboardError for a file that cannot be read.
    """
    if is_ledger(path):
        return summarise_ledger(read_ledger(path))
    before, accuracy, gain = pl.col("before"), pl.col("accuracy"), pl.col("gain")
    table = read_measurement_file(path).with_columns(pl.coalesce(gain, accuracy - before))
    return summarise(table.with_columns(pl.coalesce(before, accuracy - gain), pl.coalesce(accuracy, before + gain)))


def summarise_ledger(ledger: pl.DataFrame) -> Measured:
    """The targets of a ledger (columns `tables.LEDGER`).

    gain: after − before on the task that was trained on.  accuracy: after, there.  forgetting: mean of before − after over the other
    tasks.
    """
    before, after = pl.col("before"), pl.col("after")
    in_domain = ledger.filter(pl.col("trained_on") == pl.col("evaluated_on"))
    targets = in_domain.select(*RUN, before, after.alias("accuracy"), (after - before).alias("gain"))
    # full: a run that was evaluated on other tasks only has forgetting, but no gain
    joined = targets.join(_forgetting(ledger), on=RUN, how="full", coalesce=True, maintain_order="left_right")
    return summarise(joined.rename({"trained_on": "task"}))


def _forgetting(ledger: pl.DataFrame) -> pl.DataFrame:
    """One row per run with its mean loss on the other tasks."""
    away = ledger.filter(pl.col("trained_on") != pl.col("evaluated_on"))
    losses = away.select(*RUN, (pl.col("before") - pl.col("after")).alias("forgetting"))
    runs = losses.group_by(RUN, maintain_order=True).agg("forgetting")
    # numpy's pairwise mean, so that a board does not depend on how another library sums
    means = [float(np.mean(part)) for part in runs["forgetting"].to_list()]
    return runs.with_columns(pl.Series("forgetting", means, pl.Float64))


def summarise(table: pl.DataFrame) -> Measured:
    """Measurements, one row per run (columns `tables.MEASUREMENTS`), as arrays; rows without any number are left out."""
    table = table.filter(pl.any_horizontal(pl.col(NUMBERS).is_not_null()))
    models, tasks, techniques, seeds = (sorted(table[name].unique()) for name in ("model", "task", "technique", "seed"))
    shape = (len(models), len(tasks), len(seeds))
    places = {name: {value: i for i, value in enumerate(values)} for name, values in
              zip(("model", "task", "seed"), (models, tasks, seeds), strict=True)}  # fmt: skip
    by_seed: dict[str, dict[str, Floats]] = {}
    before: dict[str, Floats] = {}
    for technique in techniques:
        rows = table.filter(pl.col("technique") == technique)
        index = tuple(np.array([places[name][v] for v in rows[name]], np.intp) for name in ("model", "task", "seed"))
        arrays = {}
        for name in (*TARGETS, "before"):
            arrays[name] = np.full(shape, np.nan)
            # one row per (model, task, seed), so that none overwrites another
            arrays[name][index] = rows[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        by_seed[technique] = {target: arrays[target] for target in TARGETS}
        before[technique] = _over_seeds(arrays["before"])
    values = {k: {target: _over_seeds(array) for target, array in of.items()} for k, of in by_seed.items()}
    names = tuple(models), tuple(tasks), tuple(techniques), tuple(seeds)
    return Measured(*names, by_seed=by_seed, values=values, before=before)


def _over_seeds(table: Floats) -> Floats:
    known = np.isfinite(table)
    with np.errstate(invalid="ignore"):
        # 0/0 is NaN, without the warning of nanmean
        return np.asarray(np.where(known, table, 0.0).sum(-1) / known.sum(-1))


def gains_by_seed(ledger: pl.DataFrame) -> tuple[Floats, Measured]:
    """(models, tasks, techniques, seeds) gains, NaN where nothing was run, and whose names order the axes."""
    m = summarise_ledger(ledger.filter(pl.col("trained_on") == pl.col("evaluated_on")))
    return np.stack([m.by_seed[k]["gain"] for k in m.techniques], 2), m


def ranks(values: Floats) -> Floats:
    """(models, tasks) rank of each model among the pool on each task: 0 worst, 1 best, ties averaged.

    NaN where the model was not measured, or no other was.
    """
    known = np.isfinite(values)
    rivals = known.sum(0) - 1  # (tasks,)
    # [model, rival, task]; comparisons with NaN are false
    lower = (values[None] < values[:, None]).sum(1)
    equal = (values[None] == values[:, None]).sum(1) - known  # without the model itself
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known & (rivals > 0), (lower + 0.5 * equal) / rivals, np.nan))


def ranks_elsewhere(pool_ranks: Floats, model: int, task: int) -> Floats:
    """(K,) the ranks of a model on the tasks other than one, where it has a rank. pool_ranks: those of `ranks`."""
    others = np.delete(pool_ranks[model], task)
    return np.asarray(others[np.isfinite(others)])


def static_rank(values: Floats) -> Floats:
    """(models, tasks): each model's mean rank on the other tasks, a ranking that never looks at the task itself."""
    pool_ranks = ranks(values)
    out = np.full(values.shape, np.nan)
    for model, task in np.ndindex(*values.shape):
        others = ranks_elsewhere(pool_ranks, model, task)
        if len(others):
            out[model, task] = others.mean()
    return out
