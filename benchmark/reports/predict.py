"""Predicting gain and forgetting from scores: how well it goes on tasks, and for models, that were never seen."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

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
# What there is to win, what the embeddings hold, and the paper's score; chosen before looking at any result.
COMBINATION = ("headroom", "linear_probe", "iimm")
SHOWN = 8  # single scores that the tables of text and Markdown show
BASELINES = ("the mean", "headroom", "combination")


@dataclass(frozen=True)
class Line:
    """How well one predictor did for one technique and target. tasks, models: with each task, or each model, left out in turn."""

    technique: str
    target: str
    predictor: str
    tasks: Quality
    models: Quality | None


@dataclass(frozen=True)
class Curve:
    """Mean absolute error and R² on unseen tasks by the number of tasks known."""

    technique: str
    target: str
    predictor: str
    points: dict[int, tuple[float, float]]


@dataclass(frozen=True)
class Predictions:
    suite: str
    models: int
    tasks: int
    lines: tuple[Line, ...]
    curves: tuple[Curve, ...]


def features(scores: pl.DataFrame, m: Measured, names: Sequence[str]) -> Floats:
    """(tasks, models, len(names)) scores that hold for every technique, NaN where a scorer abstained."""
    table = np.full((len(m.tasks), len(m.models), len(names)), np.nan)
    axes = {"task": m.tasks, "model": m.models, "scorer": names}
    used = scores.filter(
        pl.col("technique") == "",
        pl.col("score").is_not_null(),
        *(pl.col(axis).is_in(list(values)) for axis, values in axes.items()),
    )
    index = {axis: {name: i for i, name in enumerate(values)} for axis, values in axes.items()}
    places = tuple(np.array([index[axis][name] for name in used[axis]], np.intp) for axis in axes)
    table[places] = used["score"].to_numpy()
    return table


def predict(suite: str, scores: pl.DataFrame, ledger: pl.DataFrame) -> Predictions:
    """Every scorer of `scores` alone, the combination, and the mean, for every technique of the ledger."""
    m = leaderboard.summarise_ledger(ledger)
    if len(m.tasks) < 3:
        raise LedgerError(
            f"the ledger has {len(m.tasks)} tasks beside this one; predicting with each left out in turn needs at least 3"
        )
    names = sorted(scores.filter(pl.col("technique") == "")["scorer"].unique())
    sets = {"the mean": [], "combination": list(COMBINATION)} | {name: [name] for name in names}
    tables = {predictor: features(scores, m, of) for predictor, of in sets.items()}
    lines, curves = [], []
    known = [n for n in (2, 3, 5, 8, 12, 16, 20) if n <= len(m.tasks) - 2]
    for technique in m.techniques:
        for target in TARGETS:
            values = m.values[technique][target].T
            if not np.isfinite(values).any() or np.nanmax(values) == np.nanmin(values):
                continue  # nothing is forgotten by a probe
            for predictor, table in tables.items():
                line = _line(technique, target, predictor, table, values)
                if line is None:
                    continue
                lines.append(line)
                if predictor in BASELINES:
                    points = prediction.learning_curve(table, values, known)
                    curves.append(Curve(technique, target, predictor, points))
    return Predictions(suite, len(m.models), len(m.tasks), tuple(lines), tuple(curves))


def _line(technique: str, target: str, predictor: str, x: Floats, y: Floats) -> Line | None:
    """None for a scorer that scored too little, or is the same everywhere."""
    known = np.isfinite(x).all(-1) & np.isfinite(y)
    if known.any(1).sum() < 3 or (x.shape[-1] and (np.ptp(x[known], axis=0) == 0).any()):
        return None
    models = None
    if known.any(0).sum() >= 3:
        models = prediction.quality(x.transpose(1, 0, 2), y.T)
    return Line(technique, target, predictor, prediction.quality(x, y), models)


EXPLANATION = """\
Each predictor is a regression of what was measured on one score, fitted on all tasks but one and asked about that one (**task left out**),
or on all models but one (**model left out**). **Error** is the mean absolute error in points of accuracy, with its 95 % interval from
resampling whole tasks (or models). **R²** is 1 − squared error over that of predicting the mean of the known tasks: the mean has 0, and
what is worse than it is negative. **90 % interval** is how often it held what was measured, and its mean half width in points; with
fewer than nine known groups no honest one is to be had (–). **Combination** is a ridge regression on headroom, linear_probe and iimm.
Of {count} scores the {shown} with the smallest errors are shown; the best of many flatters itself a little."""


def render(found: Predictions, form: str) -> str:
    """The predictions in one of `leaderboard.FORMATS`."""
    if form == "json":
        return json.dumps(asdict(found), indent=1, default=float) + "\n"
    if form == "csv":
        return _csv(found)
    from tabulate import tabulate

    style = "pipe" if form == "md" else "simple"
    count = len({line.predictor for line in found.lines} - {"the mean", "combination"})
    said = EXPLANATION.format(count=count, shown=SHOWN)
    parts = [said if form == "md" else said.replace("**", "")]
    for technique, target in dict.fromkeys((line.technique, line.target) for line in found.lines):
        lines = [line for line in found.lines if (line.technique, line.target) == (technique, target)]
        lines.sort(key=lambda line: line.tasks.mae)
        singles = [line.predictor for line in lines if line.predictor not in BASELINES][:SHOWN]
        table = [
            [line.predictor, *_cells(line.tasks), *_cells(line.models)]
            for line in lines
            if line.predictor in BASELINES or line.predictor in singles
        ]
        head = [
            "predictor",
            "task left out: error",
            "R²",
            "90 % interval",
            "model left out: error",
            "R²",
            "90 % interval",
        ]
        title = f"Predicting {target} under {technique}, {found.models} models, {found.tasks} tasks"
        parts.append(f"### {title}" if form == "md" else title)
        parts.append(tabulate(table, head, style, disable_numparse=True, colalign=["left", *["right"] * 6]))
        curves = [c for c in found.curves if (c.technique, c.target) == (technique, target)]
        if curves and curves[0].points:
            known = list(curves[0].points)
            parts.append(f"Error (R²) on unseen tasks, by the number of tasks known: {target} under {technique}")
            body = [
                [c.predictor, *(f"{100 * c.points[k][0]:.1f} ({_r2(c.points[k][1])})" for k in known)] for c in curves
            ]
            parts.append(tabulate(body, ["predictor", *known], style, disable_numparse=True))
    return "\n\n".join(parts) + "\n"


def _cells(q: Quality | None) -> list[str]:
    if q is None:
        return ["–"] * 3
    held = "–" if q.coverage is None or q.half_width is None else f"{q.coverage:.0%}, ±{100 * q.half_width:.1f}"
    return [f"{100 * q.mae:.1f} [{100 * q.low:.1f}, {100 * q.high:.1f}]", _r2(q.r2), held]


def _r2(value: float) -> str:
    return "0.00" if round(value, 2) == 0 else f"{value:.2f}".replace("-", "−")


def _csv(found: Predictions) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ("mae", "low", "high", "r2", "coverage", "half_width", "n")
    writer.writerow(["technique", "target", "predictor", "left_out", *columns])
    for line in found.lines:
        for left_out, q in (("task", line.tasks), ("model", line.models)):
            if q is not None:
                numbers: list[Any] = [getattr(q, column) for column in columns]
                writer.writerow(
                    [line.technique, line.target, line.predictor, left_out, *("" if v is None else v for v in numbers)]
                )
    return text.getvalue()


def scores_for_all_techniques(names: Sequence[str] | None) -> list[str]:
    """The scorers asked for, and those of the combination; without those that read the ledger, which knows the task left out."""
    known = select_scorers(names)
    asked = [name for name, function in known.items() if "ledger" not in function.spec.needs]
    return list(dict.fromkeys([*asked, *(n for n in COMBINATION if n in scorers.registry().scorers)]))
