"""Recommending a model and a technique for a user's own images: predicted gain, accuracy and forgetting, without fine-tuning."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

import leaderboard
from benchmark.embedding.cache import Cache
from benchmark.embedding.embedder import Embedder
from benchmark.embedding.keys import Keys
from benchmark.errors import InputError
from benchmark.execution.parallel import parallel
from benchmark.models.model import Model
from benchmark.reports.predict import COMBINATION, FEWEST_TASKS, check_tasks, feature_table
from benchmark.scoring.scoring import score_cell, score_suite
from benchmark.suites.suite import Suite
from benchmark.tasks.cards import Card
from leaderboard import Measured
from leaderboard.statistics import prediction
from leaderboard.statistics.prediction import Quality

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A predicted value, as a fraction, and its 90 % interval; infinite bounds if the ledger has too few tasks for one."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Choice:
    """The prediction for one model and technique. zero_shot: measured accuracy on the given images."""

    model: str
    technique: str
    zero_shot: float
    gain: Interval
    accuracy: Interval
    forgetting: Interval | None


@dataclass(frozen=True)
class Trust:
    """How reliable the predictions are.

    gain, forgetting: per technique, their quality on the suite's tasks, each left out in turn.
    regret: accuracy lost by the first choice, mean over left-out tasks.  static_regret: by the best choice on the other tasks.
    distance: from the images to the nearest task of the suite (see `distances`).  typical, farthest: the mean and the maximum of the
    same distance among the tasks of the suite.
    beyond: scores outside the range of the suite's tasks, and for how many models.
    """

    gain: dict[str, Quality]
    forgetting: dict[str, Quality]
    regret: float
    static_regret: float
    distance: float
    typical: float
    farthest: float
    beyond: dict[str, int]

    @property
    def warnings(self) -> list[str]:
        lines = []
        if self.distance > self.farthest:
            lines.append(
                f"these images are farther from every task of the suite ({self.distance:.2f}) than any task is from its nearest one "
                f"(at most {self.farthest:.2f}, {self.typical:.2f} on average); the intervals may not be valid"
            )
        for scorer, models in self.beyond.items():
            lines.append(
                f"'{scorer}' is outside the range of the suite's tasks for {models} model{'s' * (models > 1)}; the prediction is an "
                "extrapolation"
            )
        return lines


@dataclass(frozen=True)
class Recommendation:
    """The choices for one data set, highest predicted accuracy first.

    images, classes: their numbers.  skipped: a line per unreadable image.  left_out: whether the data set is a task of the suite, in
    which case the predictions were fitted without it.
    """

    suite: str
    task: str
    images: int
    classes: int
    skipped: list[str]
    left_out: bool
    choices: list[Choice]
    trust: Trust


def recommend(
    suite: Suite,
    ledger: pl.DataFrame,
    card: Card,
    cache: Cache,
    *,
    jobs: int = 1,
    quiet: bool = False,
    skipped: Sequence[str] = (),
    keys: Keys | None = None,
) -> Recommendation:
    """Predict for every model and technique of the ledger. Every model embeds the images once; nothing is fine-tuned.

    ledger: columns `leaderboard.tables.LEDGER`.  card: of the images, all in its train split.  A card that is a task of the suite is
    left out of the tasks that predictions are fitted on. Raises LedgerError for fewer than three other tasks.
    """
    keys = keys or Keys()
    # by content too: a card that only has the name of a task is another data set
    left_out = any(task.name == card.name and task.fingerprint() == card.fingerprint() for task in suite.tasks)
    if left_out:
        # also where it was evaluated on, since it is part of the forgetting of the other tasks
        ledger = ledger.filter(pl.col("trained_on") != card.name, pl.col("evaluated_on") != card.name)
        suite = suite.subset(None, [task.name for task in suite.tasks if task.name != card.name])
    ledger = _with_enough_tasks(ledger)
    measured = leaderboard.summarise_ledger(ledger)
    check_tasks(measured)
    # in the order of the ledger, which is that of the arrays below
    models = [next(model for model in suite.models if model.name == name) for name in measured.models]
    scores = score_suite(suite, list(COMBINATION), cache, jobs, quiet, keys=keys).scores
    # (tasks, models, scores) of the suite, below (models, scores) of the images
    suite_features = feature_table(scores, measured, COMBINATION)
    features = own_features(suite, models, card, cache, jobs=jobs, keys=keys)
    own_distance, suite_distances = distances(suite, models, card, cache, keys=keys)
    regret, static_regret = regrets(suite_features, measured)
    trust = Trust(
        gain=_qualities(suite_features, measured, "gain"),
        forgetting=_qualities(suite_features, measured, "forgetting"),
        regret=regret,
        static_regret=static_regret,
        distance=own_distance,
        typical=float(suite_distances.mean()),
        farthest=float(suite_distances.max()),
        beyond=_out_of_range(suite_features=suite_features, features=features),
    )
    choices = _choices(measured, suite_features=suite_features, features=features)
    if not choices:
        raise InputError(
            f"task '{card.name}': nothing can be predicted from {card.sizes['train']} images of {len(card.classes)} classes, since "
            f"one of the scores {', '.join(COMBINATION)} abstains on them",
            "give more images of each class",
        )
    return Recommendation(
        suite=suite.name,
        task=card.name,
        images=card.sizes["train"],
        classes=len(card.classes),
        skipped=list(skipped),
        left_out=left_out,
        choices=choices,
        trust=trust,
    )


def _with_enough_tasks(ledger: pl.DataFrame) -> pl.DataFrame:
    """The ledger without techniques that were measured on too few tasks for a prediction, unless all were."""
    tasks = ledger.group_by("technique").agg(pl.col("trained_on").n_unique())
    enough = tasks.filter(pl.col("trained_on") >= FEWEST_TASKS)["technique"].to_list()
    return ledger.filter(pl.col("technique").is_in(enough)) if enough else ledger


def own_features(
    suite: Suite, models: Sequence[Model], card: Card, cache: Cache, *, jobs: int, keys: Keys | None = None
) -> Floats:
    """(models, scores of COMBINATION) on the train split of a card, which need not be a task of the suite; NaN for abstentions."""
    from joblib import delayed

    names, keys = list(COMBINATION), keys or Keys()
    calls = (delayed(score_cell)(suite, model, card, names, root=cache.root, keys=keys) for model in models)
    results = parallel(calls, jobs)
    rows = [[result[name]["score"] for name in COMBINATION] for result in results]
    return np.array(rows, float)  # None becomes NaN


def _choices(measured: Measured, *, suite_features: Floats, features: Floats) -> list[Choice]:
    """Predictions for every model and technique, highest accuracy first.

    suite_features: (tasks, models, scores), which the fits see.  features: (models, scores) of the images.
    """
    # (models,); headroom is 1 − zero-shot accuracy on the train split
    zero_shot = 1 - features[:, COMBINATION.index("headroom")]
    choices = []
    for technique in measured.techniques:
        gains = _predict(suite_features, measured.values[technique]["gain"].T, features)
        forgotten = measured.values[technique]["forgetting"].T
        # forgotten (tasks, models) has no number where runs were evaluated on their own task alone
        measures_forgetting = bool(np.isfinite(forgotten).any())
        forgetting = _predict(suite_features, forgotten, features) if measures_forgetting else [None] * len(gains)
        for model, before, gain, lost in zip(measured.models, zero_shot, gains, forgetting, strict=True):
            # a score of the combination is missing
            if gain is None:
                continue
            gain = _clip(gain, -float(before), 1 - float(before))
            # before is measured, so the interval of the gain moves with it
            accuracy = Interval(before + gain.value, before + gain.low, before + gain.high)
            choices.append(Choice(model, technique, float(before), gain=gain, accuracy=accuracy, forgetting=lost))
    return sorted(choices, key=lambda c: (-c.accuracy.value, -c.gain.value, c.model, c.technique))


def _predict(suite_features: Floats, target: Floats, features: Floats) -> list[Interval | None]:
    """The prediction for each model; None where a score is missing. target: (tasks, models)."""
    fit = prediction.fit(suite_features, target)
    half = fit.half_width
    return [
        Interval(float(value), float(value - half), float(value + half)) if np.isfinite(value) else None
        for value in fit.predict(features)
    ]


def _clip(interval: Interval, low: float, high: float) -> Interval:
    """Clip a gain to what keeps the accuracy in 0..1. Infinite bounds, which mean that there is no interval, stay infinite."""
    bounds = [end if np.isinf(end) else float(np.clip(end, low, high)) for end in (interval.low, interval.high)]
    return Interval(float(np.clip(interval.value, low, high)), bounds[0], bounds[1])


def _qualities(suite_features: Floats, measured: Measured, target: str) -> dict[str, Quality]:
    """Per technique that measures the target, the quality of predictions on tasks of the suite left out in turn."""
    return {
        technique: prediction.quality(suite_features, measured.values[technique][target].T)
        for technique in measured.techniques
        if np.isfinite(measured.values[technique][target]).any()
    }


def _out_of_range(*, suite_features: Floats, features: Floats) -> dict[str, int]:
    """The scores of the images outside the range over the suite's tasks, and for how many models.

    suite_features: (tasks, models, scores).  features: (models, scores).
    """
    # (models, scores), since scores of different models differ in range; a comparison with NaN is false
    low, high = np.nanmin(suite_features, axis=0), np.nanmax(suite_features, axis=0)
    counts = ((features < low) | (features > high)).sum(0)
    return {scorer: int(count) for scorer, count in zip(COMBINATION, counts, strict=True) if count}


def regrets(suite_features: Floats, measured: Measured) -> tuple[float, float]:
    """Accuracy lost against the best pair of model and technique, mean over tasks left out in turn.

    First by the pair with the highest predicted accuracy, then by the pair with the highest mean accuracy on the other tasks.
    suite_features: (tasks, models, scores).
    """
    # (tasks, models)
    before = 1 - suite_features[..., COMBINATION.index("headroom")]
    predicted_tables, accuracy_tables = [], []
    for technique in measured.techniques:
        gain, _, _ = prediction.held_out(suite_features, measured.values[technique]["gain"].T)
        predicted_tables.append(before + gain)
        accuracy_tables.append(measured.values[technique]["accuracy"].T)
    predicted = np.concatenate(predicted_tables, 1)  # (tasks, techniques × models)
    accuracy = np.concatenate(accuracy_tables, 1)
    lost, lost_static = [], []
    for task in range(len(accuracy)):
        usable = np.isfinite(predicted[task]) & np.isfinite(accuracy[task])
        if usable.any():
            outcomes = accuracy[task][usable]
            # (usable pairs,) the static choice sees the other tasks only
            others = np.delete(accuracy, task, 0)[:, usable]
            # a pair that was measured on this task only has no mean elsewhere
            counts = np.isfinite(others).sum(0)
            elsewhere = np.where(counts > 0, np.nansum(others, 0) / np.maximum(counts, 1), -np.inf)
            lost.append(outcomes.max() - outcomes[predicted[task][usable].argmax()])
            lost_static.append(outcomes.max() - outcomes[elsewhere.argmax()])
    return float(np.mean(lost)), float(np.mean(lost_static))


def distances(suite: Suite, models: Sequence[Model], card: Card, cache: Cache, *, keys: Keys) -> tuple[float, Floats]:
    """Euclidean distances between mean image embeddings, averaged over models.

    First from the card to the nearest task of the suite, then (tasks,) from each task to its nearest other task.
    """
    own, among = [], []
    for model in models:
        embedder = Embedder(model, cache, keys)
        # (tasks, D) and (D,); rows are float32, summed in float64
        means = np.array(
            [embedder.images(task, "train")["image"].mean(0, dtype=np.float64) for task in suite.training_tasks]
        )
        mean = embedder.images(card, "train")["image"].mean(0, dtype=np.float64)
        pairwise = np.linalg.norm(means[:, None] - means[None], axis=-1)  # (tasks, tasks)
        np.fill_diagonal(pairwise, np.inf)
        # (tasks,); the same minimum for the images, so that the two are comparable
        among.append(pairwise.min(0))
        own.append(np.linalg.norm(means - mean, axis=1).min())
    return float(np.mean(own)), np.mean(among, axis=0)
