"""The health of a suite: whether its measurements can tell scores apart, and whether its models
resemble released ones. Computed from the ledger and the table of geometry."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

import leaderboard
from benchmark.finetuning import ledger as ledger_files
from benchmark.reports import geometry
from benchmark.reports.geometry import DEMANDS, Place
from benchmark.suites.suite import Suite
from benchmark.tasks.fingerprint import task_fingerprint
from leaderboard import Measured
from leaderboard.statistics.reliability import intraclass, variance_shares

Floats = NDArray[np.float64]
TECHNIQUE = "full"  # the criteria on gains are checked on full fine-tuning, which every suite measures
NEAR_CHANCE = 0.1  # accuracy within 10 points of chance: the model does not know the task
HIGH_ACCURACY = 0.8
SEEN = "seen"  # the group of tasks that are drawn as the corpus of pretraining is
RISE = 0.01  # a run whose val accuracy still rises by more in the last fifth of its epochs has not converged


@dataclass(frozen=True)
class Criterion:
    """One criterion of a suite's health. name: what is measured.  value: its value.  required: the requirement on it."""

    name: str
    value: str
    required: str
    passed: bool


def measured_geometry(suite: Suite) -> list[Place]:
    """The rows of the suite's table of geometry for its present weights and tasks; empty where there is no table."""
    path = geometry.path_of(suite.name)
    if not path.exists():
        return []
    weights = {model.name: geometry.weights_name(model) for model in suite.models}
    tasks = {card.name: task_fingerprint(card)[:8] for card in suite.tasks}
    # a model or task that the suite no longer has gives "None", which matches no identity
    return [p for p in geometry.read(path) if p.identity == f"{weights.get(p.model)}-{tasks.get(p.task)}"]


def zero_shot(suite: Suite, ledger: pl.DataFrame, places: Sequence[Place] = ()) -> Floats:
    """(models, tasks) zero-shot test accuracies, NaN where the ledger has none; `places` are used where nothing is measured."""
    accuracies = np.full((len(suite.models), len(suite.tasks)), np.nan)
    models = {model.name: i for i, model in enumerate(suite.models)}
    tasks = {task.name: j for j, task in enumerate(suite.tasks)}
    # first, so that figures of the ledger replace them
    for place in places:
        accuracies[models[place.model], tasks[place.task]] = place.zero_shot
    # accuracies on all test images of a task, which its own runs have, come last and replace those on a part of them
    by_own = ledger.with_columns(own=pl.col("trained_on") == pl.col("evaluated_on")).sort("own")
    for model, task, before in by_own.select("model", "evaluated_on", "before").unique(maintain_order=True).iter_rows():
        accuracies[models[model], tasks[task]] = before
    return accuracies


def criteria(suite: Suite, ledger: pl.DataFrame) -> list[Criterion]:
    """The criteria on zero-shot accuracy, on gains as far as they are measured, and on the geometry of the models."""
    places = measured_geometry(suite)
    results = _zero_shot_criteria(suite, zero_shot(suite, ledger, places))
    return [*results, *_measured_criteria(suite, ledger), *_geometry_criteria(suite, places)]


def _measured_criteria(suite: Suite, ledger: pl.DataFrame) -> list[Criterion]:
    """The criteria on gains that the ledger allows to check."""
    measured = leaderboard.summarise_ledger(ledger)
    results: list[Criterion] = []
    if TECHNIQUE not in measured.values:
        return results
    complete = np.asarray(
        np.isfinite(measured.values[TECHNIQUE]["gain"]).all(0)
    )  # (tasks,): every model was fine-tuned on it
    # a spread over tasks, and a ranking by the other tasks, need two
    if complete.sum() < 2:
        return results
    results += _gain_criteria(measured, complete)
    share, runs = converged_runs(suite)
    if runs:
        results.append(
            Criterion(
                f"runs of {runs} whose val accuracy rises by less than a point in the last fifth",
                f"{share:.0%}",
                "at least 90%",
                share >= 0.9,
            )
        )
    gains, _ = leaderboard.gains_by_seed(ledger.filter(pl.col("technique") == TECHNIQUE))
    if (seeds := gains.shape[-1]) > 1:
        # (models, tasks, 1 technique, seeds) to (cells, seeds)
        reliability = intraclass(gains.reshape(-1, seeds))
        results.append(
            Criterion(
                f"reliability of the mean gain of {seeds} seeds (intraclass correlation)",
                f"{reliability:.3f}",
                "at least .9",
                reliability >= 0.9,
            )
        )
    return results


def _zero_shot_criteria(suite: Suite, before: Floats) -> list[Criterion]:
    """Models should range from chance to high accuracy, and tasks from hard to easy. before: (models, tasks)."""
    before = before[np.isfinite(before).any(1)]
    chance = np.array([1 / len(card.classes) for card in suite.tasks])
    # (models,); a comparison with NaN is false
    near_chance = np.asarray((np.abs(before - chance) <= NEAR_CHANCE).any(1))
    high = np.asarray((before > HIGH_ACCURACY).any(1))
    evaluated = np.isfinite(before).any(0)
    # (3,) numbers of tasks; those without a figure would have the mean NaN
    thirds = np.histogram(np.nanmean(before[:, evaluated], 0), [0, 1 / 3, 2 / 3, 1])[0]
    return [
        Criterion(
            "models with zero-shot accuracy within 10 points of chance on at least one task",
            f"{near_chance.sum()} of {len(near_chance)}",
            "all",
            bool(near_chance.all()),
        ),
        Criterion(
            "models with zero-shot accuracy above 80 % on at least one task",
            f"{high.sum()} of {len(high)}",
            "all",
            bool(high.all()),
        ),
        Criterion(
            "tasks per third of mean zero-shot accuracy",
            " / ".join(map(str, thirds)),
            "at least 4 each",
            bool((thirds >= 4).all()),
        ),
    ]


def _geometry_criteria(suite: Suite, places: Sequence[Place]) -> list[Criterion]:
    """Resemblance to released models and to common tasks, of a suite with a table of geometry."""
    if not places:
        return []
    summaries = geometry.summarise(places)
    # geometry is measured on train splits, which tasks for evaluation only do not have
    cells = len(suite.models) * len(suite.training_tasks)
    near_chance = float(np.mean([place.near_chance for place in places]))
    seen = sum(card.group == SEEN for card in suite.tasks)
    return [
        Criterion(
            "cells (model, task) whose geometry is measured for the present weights and tasks",
            f"{len(places)} of {cells}",
            "all",
            len(places) == cells,
        ),
        Criterion(
            "cells that start within 5 points of chance, or below",
            f"{near_chance:.0%}",
            "at most 20%",
            near_chance <= 0.2,
        ),
        Criterion(
            "tasks that are drawn as the corpus of pretraining is",
            f"{seen} of {len(suite.tasks)}",
            "at most a quarter",
            4 * seen <= len(suite.tasks),
        ),
        *(
            Criterion(
                demand.what,
                geometry.describe_values(demand, summaries),
                geometry.describe_range(demand),
                all(demand.is_met(summary) for summary in summaries),
            )
            for demand in DEMANDS
        ),
    ]


def _gain_criteria(measured: Measured, complete: NDArray[np.bool_]) -> list[Criterion]:
    """Gains should differ between tasks, and no fixed order of the models should win everywhere. complete: (tasks,)."""
    # (models, complete tasks)
    gain, after = (measured.values[TECHNIQUE][target][:, complete] for target in ("gain", "accuracy"))
    # over tasks within a model: a difference between models is no spread of tasks
    spread = float(np.nanmean(np.nanstd(gain, axis=1)))
    # a task won by several models counts in equal parts for each
    wins = np.zeros(len(measured.models))
    for column in after.T:
        winners = column == np.nanmax(column)
        wins[winners] += 1 / winners.sum()
    share = float(wins.max() / complete.sum())
    static = static_tau(after)
    # (techniques × models, complete tasks)
    gains = np.concatenate([measured.values[technique]["gain"][:, complete] for technique in measured.techniques])
    effective = participation(gains.T)
    return [
        Criterion(
            "standard deviation over tasks of the gain, mean over models",
            f"{spread:.3f}",
            "at least .12",
            spread >= 0.12,
        ),
        Criterion(
            "share of tasks on which the most frequent winner wins",
            f"{share:.2f} ({measured.models[int(wins.argmax())]})",
            "at most .5",
            share <= 0.5,
        ),
        Criterion("weighted τ of the leave-one-task-out static ranking", f"{static:.2f}", "at most .6", static <= 0.6),
        Criterion(
            "effective number of tasks", f"{effective:.1f} of {complete.sum()}", "at least 5", bool(effective >= 5)
        ),
    ]


def variance(ledger: pl.DataFrame) -> dict[str, float]:
    """Shares of the variance of the gains due to model, task, technique, their interactions and the seed.

    Empty for an incomplete or an empty ledger, where the decomposition is not defined.
    """
    if ledger.is_empty():
        return {}
    # (models, tasks, techniques, seeds)
    gains, _ = leaderboard.gains_by_seed(ledger)
    return variance_shares(gains, ("model", "task", "technique")) if np.isfinite(gains).all() else {}


def static_tau(after: Floats) -> float:
    """Mean over tasks of the weighted τ between a model's accuracy on the task and its mean rank on the other tasks.

    after: (models, tasks) accuracies.  Near 1 if one fixed order of the models is right everywhere.
    """
    from scipy.stats import weightedtau

    static = leaderboard.static_rank(after)
    # rank=True: an exchange near the top costs most. NaN where all models are equal on a task
    taus = [weightedtau(static[:, j], after[:, j], rank=True)[0] for j in range(after.shape[1])]
    return float(np.nanmean(taus))


def participation(table: Floats) -> float:
    """The effective number of independent tasks: the participation ratio (Σλ)²/Σλ² of the eigenvalues λ of their correlations.

    table: (tasks, columns); columns with a missing value are left out, each task's row is standardised.
    """
    complete = table[:, np.isfinite(table).all(0)]
    centred = complete - complete.mean(1, keepdims=True)
    # a task with equal values everywhere has zeros instead of a division by 0
    scaled = centred / np.maximum(centred.std(1, keepdims=True), 1e-12)
    # the squared singular values of the standardised rows are the eigenvalues of the correlation matrix, up to a factor
    values = np.linalg.svd(scaled, compute_uv=False) ** 2
    # 1 if all tasks are alike, their number if they are uncorrelated
    return float(values.sum() ** 2 / (values**2).sum())


def converged_runs(suite: Suite) -> tuple[float, int]:
    """The share of runs whose val accuracy rises by less than RISE over the last fifth of the epochs, and the number of runs."""
    rises = []
    for model in suite.models:
        for notes in ledger_files.read_notes(suite.ledger, model.name).values():
            # val accuracy after each epoch: the last one against that at 80 %; a run of one epoch rises by 0
            curve = notes["val"]
            rises.append(curve[-1] - curve[max(0, int(len(curve) * 0.8) - 1)])
    return (float(np.mean(np.array(rises) < RISE)), len(rises)) if rises else (0.0, 0)


def task_table(suite: Suite, ledger: pl.DataFrame) -> pl.DataFrame:
    """Per task: title, group, classes, zero-shot accuracy (mean, and range over models), and mean gain per technique, as texts."""
    before = zero_shot(suite, ledger, measured_geometry(suite))
    measured = leaderboard.summarise_ledger(ledger)
    # the tasks of the ledger are sorted by name, and may be fewer than those of the suite
    columns = {name: j for j, name in enumerate(measured.tasks)}
    rows = []
    for j, card in enumerate(suite.tasks):
        accuracies = before[:, j][np.isfinite(before[:, j])]
        row = {
            "task": card.name,
            "what it shows": card.title,
            "group": card.group,
            "classes": str(len(card.classes)),
            "zero-shot": _mean(accuracies, ".2f"),
            "over models": f"{accuracies.min():.2f} to {accuracies.max():.2f}" if len(accuracies) else "",
        }
        for technique in measured.techniques:
            gains = measured.values[technique]["gain"]
            trained = card.name in columns
            row[f"gain, {technique}"] = _mean(gains[:, columns[card.name]], "+.2f") if trained else ""
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


def _mean(values: Floats, form: str) -> str:
    finite = values[np.isfinite(values)]
    return format(finite.mean(), form) if len(finite) else ""
