"""Can a suite tell scores apart, and do its models resemble released ones? Its acceptance, computed from ledger and geometry."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import leaderboard
from benchmark import fingerprint, geometry, ledger
from benchmark.geometry import DEMANDS, Place, summarise
from benchmark.suite import Suite
from leaderboard import Row
from leaderboard.reliability import intraclass, variance_shares

Floats = NDArray[np.float64]
TECHNIQUE = "full"
SEEN = "seen"  # the group of tasks that are made as the corpus of pretraining is


@dataclass(frozen=True)
class Check:
    """One demand on a suite: what was found, what is asked for, and whether that is met."""

    what: str
    found: str
    asked: str
    holds: bool


def places(suite: Suite) -> list[Place]:
    """The suite's table of geometry as far as it is of the models and tasks that the suite now has; empty where there is none."""
    path = geometry.path_of(suite.name)
    if not path.exists():
        return []
    weights = {model.name: geometry.weights_name(model) for model in suite.models}
    tasks = {card.name: fingerprint.task_identity(card)[:8] for card in suite.tasks}
    return [p for p in geometry.read(path) if p.identity == f"{weights.get(p.model)}-{tasks.get(p.task)}"]


def zero_shot(suite: Suite, rows: list[Row], placed: Sequence[Place] = ()) -> Floats:
    """(models, tasks) zero-shot test accuracy, NaN where nothing was evaluated. placed: what to take before there is a ledger."""
    table = np.full((len(suite.models), len(suite.tasks)), np.nan)
    models, tasks = {m.name: i for i, m in enumerate(suite.models)}, {t.name: i for i, t in enumerate(suite.tasks)}
    for place in placed:
        table[models[place.model], tasks[place.task]] = place.zero_shot
    for row in rows:
        table[models[row.model], tasks[row.evaluated_on]] = row.before
    return table


def check(suite: Suite, rows: list[Row]) -> list[Check]:
    """Every demand on the suite's health, in the order of the stair: zero-shot accuracy, the ledger, the models' geometry."""
    placed = places(suite)
    return [*_start(suite, zero_shot(suite, rows, placed)), *_ledger(suite, rows), *_resemblance(suite, rows, placed)]


def _start(suite: Suite, before: Floats) -> list[Check]:
    before = before[np.isfinite(before).any(1)]
    chance = np.array([1 / len(card.classes) for card in suite.tasks])
    near = np.asarray((np.abs(before - chance) <= 0.1).any(1))
    high = np.asarray((before > 0.8).any(1))
    known = np.isfinite(before).any(0)
    thirds = np.histogram(np.nanmean(before[:, known], 0), [0, 1 / 3, 2 / 3, 1])[0]
    return [
        Check(
            "models with zero-shot accuracy within 10 points of chance somewhere",
            f"{near.sum()} of {len(near)}",
            "all",
            bool(near.all()),
        ),
        Check(
            "models with zero-shot accuracy above 80 % somewhere",
            f"{high.sum()} of {len(high)}",
            "all",
            bool(high.all()),
        ),
        Check(
            "tasks per third of mean zero-shot accuracy",
            " / ".join(map(str, thirds)),
            "at least 4 each",
            bool((thirds >= 4).all()),
        ),
    ]


def _resemblance(suite: Suite, rows: list[Row], placed: list[Place]) -> list[Check]:
    """What is asked of a suite whose geometry was measured: to be like released models and the tasks that people have."""
    if not placed:
        return []
    summaries = summarise(placed)
    whole = len(placed) == len(suite.models) * len(suite.tuned_on)
    checks = [
        Check(
            "cells (model, task) with geometry measured on what the suite now has",
            f"{len(placed)} of {len(suite.models) * len(suite.tuned_on)}",
            "all",
            whole,
        )
    ]
    before = zero_shot(suite, rows, placed)
    known = np.isfinite(before)
    chance = np.array([1 / len(card.classes) for card in suite.tasks])
    near = float((before <= chance + geometry.NEAR_CHANCE)[known].mean())
    checks.append(
        Check("cells that start within 5 points of chance, or below", f"{near:.0%}", "at most 20%", near <= 0.2)
    )
    seen = sum(card.group == SEEN for card in suite.tasks)
    checks.append(
        Check(
            "tasks whose like the models saw in pretraining",
            f"{seen} of {len(suite.tasks)}",
            "at most a quarter",
            4 * seen <= len(suite.tasks),
        )
    )
    return checks + [
        Check(d.what, geometry.found(d, summaries), geometry.ranges(d), all(d.met(s) for s in summaries))
        for d in DEMANDS
    ]


def _ledger(suite: Suite, rows: list[Row]) -> list[Check]:
    """What gains tell about the suite, as far as they were measured."""
    m = leaderboard.measured(rows)
    checks: list[Check] = []
    if TECHNIQUE not in m.values:
        return checks
    whole = np.isfinite(m.values[TECHNIQUE]["gain"]).all(0)  # tasks that every model was tuned on
    if whole.sum() < 2:
        return checks
    gain, after = (m.values[TECHNIQUE][target][:, whole] for target in ("gain", "accuracy"))
    spread = float(np.nanmean(np.nanstd(gain, axis=1)))
    checks.append(
        Check(
            "standard deviation over tasks of the gain, mean over models",
            f"{spread:.3f}",
            "at least .12",
            spread >= 0.12,
        )
    )
    wins = np.zeros(len(m.models))
    for column in after.T:
        best = column == np.nanmax(column)
        wins[best] += 1 / best.sum()
    share = float(wins.max() / whole.sum())
    checks.append(
        Check(
            "share of tasks on which the most frequent winner wins",
            f"{share:.2f} ({m.models[int(wins.argmax())]})",
            "at most .5",
            share <= 0.5,
        )
    )
    static = _static_tau(after)
    checks.append(
        Check("weighted τ of the leave-one-task-out static ranking", f"{static:.2f}", "at most .6", static <= 0.6)
    )
    columns = np.concatenate([m.values[k]["gain"][:, whole] for k in m.techniques])
    effective = participation(columns.T)
    checks.append(Check("effective number of tasks", f"{effective:.1f} of {whole.sum()}", "at least 5", effective >= 5))
    level, runs = levelled(suite)
    if runs:
        checks.append(
            Check(
                f"runs of {runs} whose val accuracy rises by less than a point in the last fifth",
                f"{level:.0%}",
                "at least 90%",
                level >= 0.9,
            )
        )
    gains, _ = leaderboard.gains_by_seed(row for row in rows if row.technique == TECHNIQUE)
    if gains.shape[-1] > 1:
        reliable = intraclass(gains.reshape(-1, gains.shape[-1]))
        checks.append(
            Check(
                f"reliability of the mean gain of {gains.shape[-1]} seeds (intraclass correlation)",
                f"{reliable:.3f}",
                "at least .9",
                reliable >= 0.9,
            )
        )
    return checks


def variance(rows: list[Row]) -> dict[str, float]:
    """Shares of the variance of the gains by model, task, technique, their interactions and the seed; empty for a ledger with gaps, or none."""
    if not rows:
        return {}
    gains, _ = leaderboard.gains_by_seed(rows)
    return variance_shares(gains, ("model", "task", "technique")) if np.isfinite(gains).all() else {}


def _static_tau(after: Floats) -> float:
    """Mean over tasks of the weighted τ between each model's mean rank elsewhere and its accuracy here."""
    from scipy.stats import weightedtau

    static = leaderboard.static_rank(after)
    taus = [weightedtau(static[:, j], after[:, j], rank=True)[0] for j in range(after.shape[1])]
    return float(np.nanmean(taus))


def participation(table: Floats) -> float:
    """Participation ratio (Σλ)²/Σλ² of the spectrum of the correlations between tasks: how many independent ones there are.

    table: (tasks, columns); columns with a missing value are left out, each task's row is standardised.
    """
    whole = table[:, np.isfinite(table).all(0)]
    centred = whole - whole.mean(1, keepdims=True)
    scaled = centred / np.maximum(centred.std(1, keepdims=True), 1e-12)
    values = np.linalg.svd(scaled, compute_uv=False) ** 2
    return float(values.sum() ** 2 / (values**2).sum())


def levelled(suite: Suite) -> tuple[float, int]:
    """Share of runs whose val accuracy rises by less than a point over the last fifth of the epochs, and the number of runs."""
    rises = []
    for model in suite.models:
        for notes in ledger.runs(suite.ledger, model.name).values():
            curve = notes["val"]
            rises.append(curve[-1] - curve[max(0, int(len(curve) * 0.8) - 1)])
    return (float(np.mean(np.array(rises) < 0.01)), len(rises)) if rises else (0.0, 0)


def _mean(values: Floats, form: str) -> str:
    known = values[np.isfinite(values)]
    return format(known.mean(), form) if len(known) else ""


def table(suite: Suite, rows: list[Row]) -> list[list[str]]:
    """Per task: group, classes, zero-shot accuracy (mean, lowest, highest over models), mean gain per technique."""
    before, m = zero_shot(suite, rows, places(suite)), leaderboard.measured(rows)
    place = {name: j for j, name in enumerate(m.tasks)}
    lines = []
    for j, card in enumerate(suite.tasks):
        gains = [
            _mean(m.values[k]["gain"][:, place[card.name]], "+.2f") if card.name in place else "" for k in m.techniques
        ]
        known = before[:, j][np.isfinite(before[:, j])]
        lines.append(
            [
                card.name,
                card.title,
                card.group,
                str(len(card.classes)),
                _mean(known, ".2f"),
                f"{known.min():.2f} to {known.max():.2f}" if len(known) else "",
                *gains,
            ]
        )
    return lines
