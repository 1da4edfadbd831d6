"""Can a suite tell scores apart? Its acceptance, computed from the ledger."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

import leaderboard
from benchmark.finetuning import ledger as ledger_files
from benchmark.suites.suite import Suite
from leaderboard.statistics.reliability import intraclass, variance_shares

Floats = NDArray[np.float64]
TECHNIQUE = "full"


@dataclass(frozen=True)
class Check:
    """One demand on a suite: what was found, what is asked for, and whether that is met."""

    what: str
    found: str
    asked: str
    holds: bool


def zero_shot(suite: Suite, ledger: pl.DataFrame) -> Floats:
    """(models, tasks) zero-shot test accuracy, NaN where nothing was evaluated."""
    table = np.full((len(suite.models), len(suite.tasks)), np.nan)
    models, tasks = {m.name: i for i, m in enumerate(suite.models)}, {t.name: i for i, t in enumerate(suite.tasks)}
    for model, task, before in ledger.select("model", "evaluated_on", "before").unique().iter_rows():
        table[models[model], tasks[task]] = before
    return table


def check(suite: Suite, ledger: pl.DataFrame) -> list[Check]:
    """Every demand on the suite's health, in the order of the stair."""
    before = zero_shot(suite, ledger)
    before = before[np.isfinite(before).any(1)]
    m = leaderboard.summarise_ledger(ledger)
    chance = np.array([1 / len(card.classes) for card in suite.tasks])
    near = np.asarray((np.abs(before - chance) <= 0.1).any(1))
    high = np.asarray((before > 0.8).any(1))
    known = np.isfinite(before).any(0)
    thirds = np.histogram(np.nanmean(before[:, known], 0), [0, 1 / 3, 2 / 3, 1])[0]
    checks = [
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
    gains, _ = leaderboard.gains_by_seed(ledger.filter(pl.col("technique") == TECHNIQUE))
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


def variance(ledger: pl.DataFrame) -> dict[str, float]:
    """Shares of the variance of the gains by model, task, technique, their interactions and the seed; empty for a ledger with gaps."""
    gains, _ = leaderboard.gains_by_seed(ledger)
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
        for notes in ledger_files.runs(suite.ledger, model.name).values():
            curve = notes["val"]
            rises.append(curve[-1] - curve[max(0, int(len(curve) * 0.8) - 1)])
    return (float(np.mean(np.array(rises) < 0.01)), len(rises)) if rises else (0.0, 0)


def _mean(values: Floats, form: str) -> str:
    known = values[np.isfinite(values)]
    return format(known.mean(), form) if len(known) else ""


def table(suite: Suite, ledger: pl.DataFrame) -> list[list[str]]:
    """Per task: group, classes, zero-shot accuracy (mean, lowest, highest over models), mean gain per technique."""
    before, m = zero_shot(suite, ledger), leaderboard.summarise_ledger(ledger)
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
