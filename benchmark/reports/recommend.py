"""A recommendation for one's own data: which model, which technique, how much better, at what price."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import leaderboard
from benchmark.embedding.cache import Cache
from benchmark.embedding.embedder import Embedder
from benchmark.errors import LedgerError
from benchmark.execution.parallel import parallel
from benchmark.models.model import Model
from benchmark.reports import predict
from benchmark.reports.predict import COMBINATION
from benchmark.scoring import scoring as score
from benchmark.suites.suite import Suite
from benchmark.tasks.cards import Card
from leaderboard import Measured
from leaderboard.statistics import prediction
from leaderboard.statistics.prediction import Quality

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Between:
    """A predicted value and its 90 % interval; infinite bounds where the ledger has too few tasks for one."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Choice:
    """What is predicted for one model and technique. zero_shot: accuracy on the given images, as measured."""

    model: str
    technique: str
    zero_shot: float
    gain: Between
    accuracy: Between
    forgetting: Between | None


@dataclass(frozen=True)
class Trust:
    """How far such predictions can be trusted. gain, forgetting: per technique, on tasks of the suite left out in turn.

    regret: accuracy lost by taking the first choice, mean over tasks left out; static_regret: by taking what was best elsewhere.
    distance: of the images from the nearest task of the suite (see `distances`); typical, farthest: the same among those tasks.
    beyond: scores that lie outside those of all tasks of the suite, for how many models.
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
        said = []
        if self.distance > self.farthest:
            said.append(
                f"these images lie farther from every task of the suite ({self.distance:.2f}) than any of those from its nearest "
                f"({self.farthest:.2f} at most, {self.typical:.2f} on the average): nothing vouches for intervals there"
            )
        for name, models in self.beyond.items():
            said.append(
                f"'{name}' lies outside what the suite's tasks have, for {models} model{'s' * (models > 1)}: the prediction is an extrapolation"
            )
        return said


@dataclass(frozen=True)
class Recommendation:
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
    jobs: int = 1,
    quiet: bool = False,
    skipped: Sequence[str] = (),
) -> Recommendation:
    """Predict for every model and technique of the ledger, best accuracy first. The images are embedded once per model; nothing is tuned.

    A card that is a task of the suite is left out of what the predictions are fitted on.
    """
    left_out = any(task.name == card.name and task.fingerprint() == card.fingerprint() for task in suite.tasks)
    if left_out:
        ledger = ledger.filter(pl.col("trained_on") != card.name, pl.col("evaluated_on") != card.name)
        suite = suite.subset(None, [task.name for task in suite.tasks if task.name != card.name])
    m = leaderboard.summarise_ledger(ledger)
    if len(m.tasks) < 3:
        raise LedgerError(
            f"the ledger has {len(m.tasks)} tasks beside this one; predicting with each left out in turn needs at least 3"
        )
    models = [next(model for model in suite.models if model.name == name) for name in m.models]
    scores = score.score_suite(suite, list(COMBINATION), cache, jobs, quiet).scores
    known = predict.features(scores, m, COMBINATION)
    here = own_features(suite, models, card, cache, jobs)
    zero_shot = 1 - here[:, COMBINATION.index("headroom")]
    choices = []
    for technique in m.techniques:
        gain = _between(known, m.values[technique]["gain"].T, here)
        lost = m.values[technique]["forgetting"].T
        forgetting = _between(known, lost, here) if np.isfinite(lost).any() else [None] * len(models)
        for name, before, g, f in zip(m.models, zero_shot, gain, forgetting, strict=True):
            if g is not None:
                g = _within(g, -float(before), 1 - float(before))
                after = Between(before + g.value, before + g.low, before + g.high)
                choices.append(Choice(name, technique, float(before), g, after, f))
    choices.sort(key=lambda c: (-c.accuracy.value, -c.gain.value, c.model, c.technique))
    trust = _trust(suite, models, m, known, here, card, cache)
    return Recommendation(
        suite.name, card.name, card.sizes["train"], len(card.classes), list(skipped), left_out, choices, trust
    )


def own_features(suite: Suite, models: Sequence[Model], card: Card, cache: Cache, jobs: int) -> Floats:
    """(models, scores of the combination) on the train split of a card that need not be of the suite."""
    from joblib import delayed

    work = (delayed(score.score_cell)(suite, model, card, list(COMBINATION), root=cache.root) for model in models)
    found = list(parallel(work, jobs))
    return np.array([[np.nan if r[n]["score"] is None else r[n]["score"] for n in COMBINATION] for r in found])


def _between(known: Floats, target: Floats, here: Floats) -> list[Between | None]:
    fitted = prediction.fit(known, target)
    values, half = fitted.predict(here), fitted.half_width
    return [Between(float(v), float(v - half), float(v + half)) if np.isfinite(v) else None for v in values]


def _within(of: Between, least: float, most: float) -> Between:
    """No gain leads below 0 or above 1; an interval without end stays one."""
    low, high = (x if np.isinf(x) else float(np.clip(x, least, most)) for x in (of.low, of.high))
    return Between(float(np.clip(of.value, least, most)), low, high)


def _trust(
    suite: Suite, models: Sequence[Model], m: Measured, known: Floats, here: Floats, card: Card, cache: Cache
) -> Trust:
    qualities: dict[str, dict[str, Quality]] = {"gain": {}, "forgetting": {}}
    for technique in m.techniques:
        for target, found in qualities.items():
            if np.isfinite(m.values[technique][target]).any():
                found[technique] = prediction.quality(known, m.values[technique][target].T)
    low, high = np.nanmin(known, axis=0), np.nanmax(known, axis=0)
    outside = ((here < low) | (here > high)).sum(0)
    own, among = distances(suite, models, card, cache)
    return Trust(
        qualities["gain"],
        qualities["forgetting"],
        *regrets(known, m),
        own,
        float(among.mean()),
        float(among.max()),
        {name: int(count) for name, count in zip(COMBINATION, outside, strict=True) if count},
    )


def regrets(known: Floats, m: Measured) -> tuple[float, float]:
    """Accuracy lost, mean over tasks left out in turn, by the pair of model and technique predicted best and by that best elsewhere."""
    before = 1 - known[..., COMBINATION.index("headroom")]
    predicted, measured = [], []
    for technique in m.techniques:
        gain, _, _ = prediction.held_out(known, m.values[technique]["gain"].T)
        predicted.append(before + gain)
        measured.append(m.values[technique]["accuracy"].T)
    guess, truth = np.concatenate(predicted, 1), np.concatenate(measured, 1)  # (tasks, techniques x models)
    lost, lost_static = [], []
    for task in range(len(truth)):
        usable = np.isfinite(guess[task]) & np.isfinite(truth[task])
        if usable.any():
            best = truth[task][usable].max()
            lost.append(best - truth[task][usable][guess[task][usable].argmax()])
            elsewhere = np.nanmean(np.delete(truth, task, 0), axis=0)[usable]
            lost_static.append(best - truth[task][usable][elsewhere.argmax()])
    return float(np.mean(lost)), float(np.mean(lost_static))


def distances(suite: Suite, models: Sequence[Model], card: Card, cache: Cache) -> tuple[float, Floats]:
    """Distance between mean image embeddings, own to the nearest task, and of each task of the suite to its nearest; mean over models."""
    own, among = [], []
    for model in models:
        embedder = Embedder(model, cache)
        means = np.array([embedder.images(task, "train")["image"].mean(0, dtype=np.float64) for task in suite.tasks])
        here = embedder.images(card, "train")["image"].mean(0, dtype=np.float64)
        apart = np.linalg.norm(means[:, None] - means[None], axis=-1)
        np.fill_diagonal(apart, np.inf)
        among.append(apart.min(0))
        own.append(np.linalg.norm(means - here, axis=1).min())
    return float(np.mean(own)), np.mean(among, axis=0)


def render(found: Recommendation, form: str) -> str:
    """The recommendation in one of `leaderboard.FORMATS`."""
    if form == "json":
        return json.dumps(_finite(asdict(found) | {"warnings": found.trust.warnings}), indent=1) + "\n"
    if form == "csv":
        return _csv(found)
    from tabulate import tabulate

    bold = "**" if form == "md" else ""
    first = found.choices[0]
    parts = [
        f"{bold}{leaderboard.escaped(found.task) if form == 'md' else found.task}{bold}: {found.images} images of {found.classes} classes, "
        f"suite {found.suite}. First choice: {bold}{first.model} with {first.technique}{bold}, predicted accuracy "
        f"{_points(first.accuracy)} % after {100 * first.zero_shot:.1f} % zero-shot."
    ]
    if found.left_out:
        parts.append("This is a task of the suite; it was left out of what the predictions are fitted on.")
    parts += [f"{bold}Warning{bold}: {said}." for said in found.trust.warnings]
    if found.skipped:
        named = "; ".join(leaderboard.escaped(line) if form == "md" else line for line in found.skipped[:5])
        parts.append(f"{len(found.skipped)} images were skipped: {named}.")
    table = [
        [
            rank,
            c.model,
            c.technique,
            f"{100 * c.zero_shot:.1f}",
            _points(c.gain),
            _points(c.accuracy),
            _points(c.forgetting),
        ]
        for rank, c in enumerate(found.choices, 1)
    ]
    head = ["", "model", "technique", "zero-shot", "predicted gain", "predicted accuracy", "predicted forgetting"]
    style = "pipe" if form == "md" else "simple"
    aligned = ["right", "left", "left", *["right"] * 4]
    parts.append(tabulate(table, head, style, disable_numparse=True, colalign=aligned))
    parts.append(
        "Points of accuracy, with 90 % intervals. On the suite's own tasks, each left out in turn, such predictions were off by "
        f"{_off(found.trust.gain)} (gain) and {_off(found.trust.forgetting)} (forgetting); taking the first choice lost "
        f"{100 * found.trust.regret:.1f} points against the best model and technique, and taking what is best elsewhere "
        f"{100 * found.trust.static_regret:.1f}. Distance from the suite's tasks: {found.trust.distance:.2f} (among them "
        f"{found.trust.typical:.2f} on the average, {found.trust.farthest:.2f} at most)."
    )
    return "\n\n".join(parts) + "\n"


def _finite(value: Any) -> Any:
    """JSON knows no infinity: an interval without end is null."""
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _points(of: Between | None) -> str:
    if of is None:
        return "–"
    texts = [f"{100 * x:.1f}".replace("-", "−") for x in (of.value, of.low, of.high)]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]" if np.isfinite(of.low) else f"{texts[0]} [–]"


def _off(qualities: dict[str, Quality]) -> str:
    return ", ".join(f"{100 * q.mae:.1f} under {technique}" for technique, q in qualities.items()) or "–"


def _csv(found: Recommendation) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    targets = ("gain", "accuracy", "forgetting")
    writer.writerow(
        ["rank", "model", "technique", "zero_shot", *(f"{t}{end}" for t in targets for end in ("", "_low", "_high"))]
    )
    for rank, c in enumerate(found.choices, 1):
        numbers = [getattr(getattr(c, t), part, "") for t in targets for part in ("value", "low", "high")]
        writer.writerow([rank, c.model, c.technique, c.zero_shot, *numbers])
    return text.getvalue()


def plot(found: Recommendation, path: Path) -> None:
    """Predicted accuracy with its interval for every model and technique, beside zero-shot, and predicted forgetting; by the suffix of `path`."""
    from matplotlib.figure import Figure

    techniques = list(dict.fromkeys(c.technique for c in found.choices))
    models = list(dict.fromkeys(c.model for c in found.choices))
    figure = Figure(figsize=(9, 1.2 + 0.16 * len(models) * (len(techniques) + 1)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for k, technique in enumerate(techniques):
        of = [c for c in found.choices if c.technique == technique]
        places = [models.index(c.model) + 0.8 * ((k + 0.5) / len(techniques) - 0.5) for c in of]
        for axes, values in ((left, [c.accuracy for c in of]), (right, [c.forgetting for c in of])):
            shown = [(p, v) for p, v in zip(places, values, strict=True) if v is not None]
            axes.errorbar(
                [100 * v.value for _, v in shown],
                [p for p, _ in shown],
                xerr=np.array(
                    [[100 * max(0.0, v.value - v.low), 100 * max(0.0, v.high - v.value)] for _, v in shown]
                ).T,
                fmt="o",
                markersize=4,
                linewidth=1,
                color=f"C{k}",
                label=technique,
            )
    zero_shot = {c.model: 100 * c.zero_shot for c in found.choices}
    left.scatter(
        list(zero_shot.values()),
        [models.index(m) for m in zero_shot],
        marker="|",
        s=220,
        color="black",
        label="zero-shot",
    )
    left.set_yticks(range(len(models)), models)
    left.invert_yaxis()
    left.set_xlim(0, 100)
    left.set_xlabel("accuracy after tuning, % (predicted, 90 % interval)")
    right.axvline(0, color="gray", linewidth=0.8)
    right.set_xlabel("forgetting, points (predicted)")
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
