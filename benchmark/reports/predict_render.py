"""The predictions of a suite as text, Markdown, CSV and JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import polars as pl

from benchmark.reports.predict import BASELINES, MEAN, LearningCurve, Predictions, PredictorQuality
from benchmark.reports.tables import format_table, null_infinities, points
from leaderboard.statistics.prediction import Quality

SHOWN = 8  # single scores in the tables of text and Markdown
COLUMNS = ("mae", "low", "high", "r2", "coverage", "half_width", "n")  # of a Quality, in the CSV
HEADERS = (
    "predictor",
    *("task left out: error", "R²", "90 % interval"),
    *("model left out: error", "R²", "90 % interval"),
)
EXPLANATION = """\
Each predictor is a regression of the measurements on one score, fitted on all tasks but one and evaluated on that one (**task left out**),
or on all models but one (**model left out**). **Error** is the mean absolute error in points of accuracy, with its 95 % interval from
resampling whole tasks (or models). **R²** is 1 − squared error over that of predicting the mean of the training tasks: the mean has 0, and
a predictor worse than the mean is negative. **90 % interval** is the share of measurements inside the intervals, and their mean half width
in points; with fewer than nine training groups a valid interval cannot be computed (–). **Combination** is a ridge regression on headroom,
linear_probe and iimm. Of {count} scores the {shown} with the smallest errors are shown; the best of many is slightly optimistic."""


def render(predictions: Predictions, form: str) -> str:
    """The predictions in one of `leaderboard.FORMATS`."""
    if form == "json":
        return json.dumps(null_infinities(asdict(predictions)), indent=1, default=float, allow_nan=False) + "\n"
    if form == "csv":
        return quality_table(predictions).write_csv()
    count = len({line.predictor for line in predictions.lines} - {MEAN, "combination"})
    explanation = EXPLANATION.format(count=count, shown=SHOWN)
    parts = [explanation if form == "md" else explanation.replace("**", "")]
    for technique, target in dict.fromkeys((line.technique, line.target) for line in predictions.lines):
        title = f"Predicting {target} under {technique}, {predictions.models} models, {predictions.tasks} tasks"
        lines = [line for line in predictions.lines if (line.technique, line.target) == (technique, target)]
        curves = [curve for curve in predictions.curves if (curve.technique, curve.target) == (technique, target)]
        parts.append(f"### {title}" if form == "md" else title)
        parts.append(_quality_text(lines, form))
        # without points where the suite has fewer than four tasks
        if curves and curves[0].points:
            parts.append(f"Error (R²) on unseen tasks, by the number of training tasks: {target} under {technique}")
            parts.append(_curve_text(curves, form))
    return "\n\n".join(parts) + "\n"


def quality_table(predictions: Predictions) -> pl.DataFrame:
    """One row per predictor and left-out axis (task, model), with the numbers of its `Quality`."""
    rows = [
        {"technique": line.technique, "target": line.target, "predictor": line.predictor, "left_out": axis}
        | {column: getattr(quality, column) for column in COLUMNS}
        for line in predictions.lines
        # no row for models left out where they are fewer than three
        for axis, quality in (("task", line.tasks), ("model", line.models))
        if quality is not None
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def _quality_text(lines: Sequence[PredictorQuality], form: str) -> str:
    """The baselines and the best single scores, smallest error first."""
    ordered = sorted(lines, key=lambda line: line.tasks.mae)
    best = [line.predictor for line in ordered if line.predictor not in BASELINES][:SHOWN]
    rows = [
        [line.predictor, *_quality_cells(line.tasks), *_quality_cells(line.models)]
        for line in ordered
        if line.predictor in BASELINES or line.predictor in best
    ]
    # numbered columns: a data frame has distinct names, and HEADERS repeats some
    table = pl.DataFrame(rows, schema=[str(column) for column in range(len(HEADERS))], orient="row")
    return format_table(table, form, HEADERS, right=table.columns[1:])


def _curve_text(curves: Sequence[LearningCurve], form: str) -> str:
    rows = [
        {"predictor": curve.predictor}
        | {str(count): f"{points(error)} ({_r2(r2)})" for count, (error, r2) in curve.points.items()}
        for curve in curves
    ]
    return format_table(pl.DataFrame(rows), form)


def _quality_cells(quality: Quality | None) -> list[str]:
    # a cell for each header of a group
    if quality is None:
        return ["–"] * 3
    error = f"{points(quality.mae)} [{points(quality.low)}, {points(quality.high)}]"
    if quality.coverage is None or quality.half_width is None:
        return [error, _r2(quality.r2), "–"]
    return [error, _r2(quality.r2), f"{quality.coverage:.0%}, ±{points(quality.half_width)}"]


def _r2(value: float) -> str:
    # the mean has an R² of 0 up to rounding; −0.00 would look like a result
    return "0.00" if round(value, 2) == 0 else f"{value:.2f}".replace("-", "−")
