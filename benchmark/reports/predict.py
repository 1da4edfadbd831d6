"""Predicting gain and forgetting from scores, evaluated on tasks and models that the fits have not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

import leaderboard
import scorers
from benchmark.errors import LedgerError
from benchmark.scoring.selection import select_scorers
from leaderboard import Measured
from leaderboard.statistics import prediction
from leaderboard.statistics.prediction import Quality

Floats = NDArray[np.float64]
TARGETS = ("gain", "forgetting")
# Fixed before any result was computed: the largest possible gain, the separability of the classes, and the score of the study.
COMBINATION = ("headroom", "linear_probe", "iimm")
MEAN = "the mean"
BASELINES = (MEAN, "headroom", "combination")
FEWEST_TASKS = 3  # that leaving one out needs
CURVE_SIZES = (2, 3, 5, 8, 12, 16, 20)  # numbers of training tasks of a learning curve


@dataclass(frozen=True)
class PredictorQuality:
    """How well one predictor predicts one target under one technique.

    tasks: with each task left out in turn.  models: with each model left out in turn, None for fewer than three models.
    """

    technique: str
    target: str
    predictor: str
    tasks: Quality
    models: Quality | None


@dataclass(frozen=True)
class LearningCurve:
    """points: number of training tasks to mean absolute error and R² on the other tasks."""

    technique: str
    target: str
    predictor: str
    points: dict[int, tuple[float, float]]


@dataclass(frozen=True)
class Predictions:
    """The predictors of a suite. models, tasks: their numbers."""

    suite: str
    models: int
    tasks: int
    lines: tuple[PredictorQuality, ...]
    curves: tuple[LearningCurve, ...]


def feature_table(scores: pl.DataFrame, measured: Measured, names: Sequence[str]) -> Floats:
    """(tasks, models, len(names)) scores that are valid for every technique, NaN where a scorer abstained.

    scores: columns `leaderboard.tables.SCORES`; its tasks and models may be more, or in another order, than those of `measured`.
    """
    table = np.full((len(measured.tasks), len(measured.models), len(names)), np.nan)
    axes: dict[str, Sequence[str]] = {"task": measured.tasks, "model": measured.models, "scorer": names}
    selected = scores.filter(
        pl.col("technique") == "",
        pl.col("score").is_not_null(),
        *(pl.col(axis).is_in(list(values)) for axis, values in axes.items()),
    )
    index = {axis: {name: i for i, name in enumerate(values)} for axis, values in axes.items()}
    places = tuple(np.array([index[axis][name] for name in selected[axis]], np.intp) for axis in axes)
    table[places] = selected["score"].to_numpy()
    return table


def check_tasks(measured: Measured) -> None:
    """Raise LedgerError if the ledger has too few tasks for leaving one out."""
    if len(measured.tasks) < FEWEST_TASKS:
        raise LedgerError(
            f"the ledger has {len(measured.tasks)} other tasks; predictions need at least {FEWEST_TASKS}, since each is left out "
            "in turn; measure more tasks, or select more with --tasks"
        )


def predict(suite: str, scores: pl.DataFrame, ledger: pl.DataFrame) -> Predictions:
    """Evaluate every scorer alone, their combination, and the mean, for every technique of the ledger.

    suite: its name.  Raises LedgerError for fewer than three tasks.
    """
    measured = leaderboard.summarise_ledger(ledger)
    check_tasks(measured)
    names = sorted(scores.filter(pl.col("technique") == "")["scorer"].unique())
    # predictor to its scores; a fit without scores is the mean
    predictors = {MEAN: [], "combination": list(COMBINATION)} | {name: [name] for name in names}
    features = {predictor: feature_table(scores, measured, columns) for predictor, columns in predictors.items()}
    lines: list[PredictorQuality] = []
    curves: list[LearningCurve] = []
    for technique in measured.techniques:
        for target in TARGETS:
            values = measured.values[technique][target].T  # (tasks, models)
            # a target without variance cannot be predicted: a linear probe forgets nothing
            if np.isfinite(values).any() and np.nanmax(values) > np.nanmin(values):
                lines += _qualities(technique, target, features, values)
                evaluated = [line.predictor for line in lines if (line.technique, line.target) == (technique, target)]
                curves += _curves(technique, target, {name: features[name] for name in evaluated}, values)
    return Predictions(suite, len(measured.models), len(measured.tasks), tuple(lines), tuple(curves))


def _qualities(technique: str, target: str, features: Mapping[str, Floats], values: Floats) -> list[PredictorQuality]:
    """features: (tasks, models, scores) for every predictor; values: (tasks, models). Skips predictors that cannot be fitted."""
    results = []
    for predictor, x in features.items():
        # (tasks, models)
        complete = np.isfinite(x).all(-1) & np.isfinite(values)
        if complete.any(1).sum() < FEWEST_TASKS:
            continue
        if x.shape[-1] and (np.ptp(x[complete], axis=0) == 0).any():
            continue  # a constant score; the mean alone has no score
        # models as groups: (models, tasks, scores) and (models, tasks)
        enough_models = complete.any(0).sum() >= 3
        models = prediction.quality(x.transpose(1, 0, 2), values.T) if enough_models else None
        results.append(PredictorQuality(technique, target, predictor, prediction.quality(x, values), models))
    return results


def _curves(technique: str, target: str, features: Mapping[str, Floats], values: Floats) -> list[LearningCurve]:
    """Learning curves of the baselines on the measured tasks; at least two are left to predict."""
    measured = np.isfinite(values).any(1)  # (tasks,)
    features, values = {name: x[measured] for name, x in features.items()}, values[measured]
    counts = [count for count in CURVE_SIZES if count <= len(values) - 2]
    return [
        LearningCurve(technique, target, predictor, prediction.learning_curve(x, values, counts))
        for predictor, x in features.items()
        if predictor in BASELINES
    ]


def predictor_names(names: Sequence[str] | None) -> list[str]:
    """The scorers to evaluate: the selected ones (None: all) and those of the combination.

    Scorers that read the ledger are excluded, since they have seen the task that is left out.
    """
    selected = [name for name, function in select_scorers(names).items() if "ledger" not in function.spec.needs]
    combination = [name for name in COMBINATION if name in scorers.registry().scorers]
    return list(dict.fromkeys([*selected, *combination]))
