"""A recommendation as text, Markdown, CSV and JSON, and as a plot."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import leaderboard
from benchmark.reports.recommend import Choice, Interval, Recommendation
from benchmark.reports.tables import format_table, null_infinities, points
from leaderboard.statistics.prediction import Quality

PREDICTED = ("gain", "accuracy", "forgetting")
SKIPPED_SHOWN = 5  # unreadable images that are named
HEADERS = ("", "model", "technique", "zero-shot", *(f"predicted {target}" for target in PREDICTED))


def render(recommendation: Recommendation, form: str) -> str:
    """The recommendation in one of `leaderboard.FORMATS`."""
    if form == "json":
        # the warnings are a property, which asdict leaves out
        content = asdict(recommendation) | {"warnings": recommendation.trust.warnings}
        return json.dumps(null_infinities(content), indent=1) + "\n"
    if form == "csv":
        return choice_table(recommendation).write_csv()

    def escape(text: str) -> str:
        return leaderboard.escaped(text) if form == "md" else text

    bold = "**" if form == "md" else ""
    first, trust = recommendation.choices[0], recommendation.trust
    parts = [
        f"{bold}{escape(recommendation.task)}{bold}: {recommendation.images} images of {recommendation.classes} classes, "
        f"suite {recommendation.suite}. First choice: {bold}{first.model} with {first.technique}{bold}, predicted accuracy "
        f"{_interval(first.accuracy)} % after {points(first.zero_shot)} % zero-shot."
    ]
    if recommendation.left_out:
        parts.append("This data set is a task of the suite; the predictions were fitted without it.")
    parts += [f"{bold}Warning{bold}: {warning}." for warning in trust.warnings]
    if recommendation.skipped:
        examples = "; ".join(escape(line) for line in recommendation.skipped[:SKIPPED_SHOWN])
        parts.append(f"{len(recommendation.skipped)} images were skipped: {examples}.")
    parts.append(_choice_text(recommendation, form))
    parts.append(
        "Points of accuracy, with 90 % intervals. On the suite's own tasks, each left out in turn, the mean absolute error of such "
        f"predictions was {_errors(trust.gain)} (gain) and {_errors(trust.forgetting)} (forgetting); the first choice lost "
        f"{points(trust.regret)} points against the best model and technique, and the best choice on the other tasks lost "
        f"{points(trust.static_regret)}. Distance from the suite's tasks: {trust.distance:.2f} (among them {trust.typical:.2f} on "
        f"average, {trust.farthest:.2f} at most)."
    )
    return "\n\n".join(parts) + "\n"


def choice_table(recommendation: Recommendation) -> pl.DataFrame:
    """One row per choice, best first; of each predicted target the value and the bounds, as fractions."""
    rows = []
    for rank, choice in enumerate(recommendation.choices, 1):
        row: dict[str, Any] = {"rank": rank, "model": choice.model, "technique": choice.technique}
        row["zero_shot"] = choice.zero_shot
        for target in PREDICTED:
            for part, suffix in (("value", ""), ("low", "_low"), ("high", "_high")):
                # None where the technique has no forgetting
                row[f"{target}{suffix}"] = getattr(getattr(choice, target), part, None)
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


def _choice_text(recommendation: Recommendation, form: str) -> str:
    rows = [
        {"rank": str(rank), "model": choice.model, "technique": choice.technique, "zero-shot": points(choice.zero_shot)}
        | {target: _interval(getattr(choice, target)) for target in PREDICTED}
        for rank, choice in enumerate(recommendation.choices, 1)
    ]
    return format_table(pl.DataFrame(rows), form, HEADERS, right=["rank", "zero-shot", *PREDICTED])


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return "–"
    # too few tasks for an interval
    if not np.isfinite(interval.low):
        return f"{points(interval.value)} [–]"
    return f"{points(interval.value)} [{points(interval.low)}, {points(interval.high)}]"


def _errors(qualities: Mapping[str, Quality]) -> str:
    return ", ".join(f"{points(quality.mae)} under {technique}" for technique, quality in qualities.items()) or "–"


def plot(recommendation: Recommendation, path: Path) -> None:
    """Plot predicted accuracy beside zero-shot accuracy, and predicted forgetting, in the format of the path's suffix."""
    # not pyplot: a figure alone needs no display and leaves no global state
    from matplotlib.figure import Figure

    techniques = list(dict.fromkeys(choice.technique for choice in recommendation.choices))
    models = list(dict.fromkeys(choice.model for choice in recommendation.choices))
    # inches: a row per model, as high as its techniques and a gap
    figure = Figure(figsize=(9, 1.2 + 0.16 * len(models) * (len(techniques) + 1)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for k, technique in enumerate(techniques):
        choices = [choice for choice in recommendation.choices if choice.technique == technique]
        # the techniques of a model share its row, one below the other
        offset = 0.8 * ((k + 0.5) / len(techniques) - 0.5)
        style = {"color": f"C{k}", "label": technique}
        _plot_intervals(left, {models.index(c.model) + offset: c.accuracy for c in choices}, style)
        _plot_intervals(right, {models.index(c.model) + offset: c.forgetting for c in choices}, style)
    _plot_zero_shot(left, recommendation.choices, models)
    left.set_yticks(range(len(models)), models)
    left.invert_yaxis()
    left.set_xlim(0, 100)
    left.set_xlabel("accuracy after fine-tuning, % (predicted, 90 % interval)")
    # left of 0 the other tasks improve
    right.axvline(0, color="gray", linewidth=0.8)
    right.set_xlabel("forgetting, points (predicted)")
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def _plot_intervals(axes: Any, intervals: Mapping[float, Interval | None], style: Mapping[str, str]) -> None:
    """Points with error bars. intervals: by their height in the plot."""
    shown = {height: interval for height, interval in intervals.items() if interval is not None}
    # lengths of the two arms; rounding may make one negative, which errorbar refuses
    below = [100 * max(0.0, interval.value - interval.low) for interval in shown.values()]
    above = [100 * max(0.0, interval.high - interval.value) for interval in shown.values()]
    axes.errorbar(
        [100 * interval.value for interval in shown.values()],
        list(shown),
        xerr=np.array([below, above]),
        fmt="o",
        markersize=4,
        linewidth=1,
        **style,
    )


def _plot_zero_shot(axes: Any, choices: list[Choice], models: list[str]) -> None:
    accuracies = {choice.model: 100 * choice.zero_shot for choice in choices}
    axes.scatter(
        list(accuracies.values()),
        [models.index(model) for model in accuracies],
        marker="|",
        s=220,
        color="black",
        label="zero-shot",
    )
