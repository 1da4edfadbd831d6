"""The board as figures for papers, SVG and PNG: the intervals of all scores, and scores against measurements."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leaderboard.board import Board
from leaderboard.output.fitted_line import fitted_line
from leaderboard.output.formatting import number
from leaderboard.output.html_parts import stem
from leaderboard.score_arrays import ScoreArrays
from leaderboard.targets import Measured

Floats = NDArray[np.float64]
TARGETS = ("gain", "forgetting")  # side by side
SUFFIXES = ("svg", "png")


def write_figures(folder: Path, board: Board, scores: pl.DataFrame, m: Measured) -> list[Path]:
    """Per technique the intervals of r over tasks, and scatter plots of IIMM and of the score that correlates best with gain."""
    arrays = ScoreArrays(scores, m)
    paths = []
    for technique in board.techniques:
        paths += _save(_intervals(board, technique), folder / f"{stem(technique)}-intervals")
        best = board.ranking[technique]["gain"][:1]  # no name where nothing is ranked
        # once where IIMM itself is the best
        for name in dict.fromkeys([*(["iimm"] if "iimm" in board.rows["scorer"] else []), *best]):
            if figure := _scatter(board, technique, name, arrays, m):
                paths += _save(figure, folder / f"{stem(technique)}-score-{stem(name)}")
    return paths


def _canvas(width: float, height: float) -> tuple[Any, Any]:
    """A figure of two axes side by side, in inches; drawn without a display, and with the same bytes every time."""
    import matplotlib
    from matplotlib.figure import Figure

    # a fixed salt for the identifiers in SVG, random otherwise; a $ in a name starts no formula
    matplotlib.rcParams |= {"svg.hashsalt": "transferability-benchmark", "text.parse_math": False}
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, 2)


def _save(figure: Any, path: Path) -> list[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    paths = [path.with_name(f"{path.name}.{suffix}") for suffix in SUFFIXES]
    for file in paths:
        # without a date the bytes are reproducible
        figure.savefig(file, dpi=150, metadata={"Date": None} if file.suffix == ".svg" else None)
    return paths


def _intervals(board: Board, technique: str) -> Any:
    """Scores ordered by gain, their correlations with gain and with forgetting side by side."""
    # y grows upwards: reversed, the best score is on top
    order = board.ranking[technique]["gain"][::-1]
    informative = set(board.informative(technique)["scorer"])
    # inches: title and axis, and .19 a score
    figure, axes = _canvas(9, 1.2 + 0.19 * len(order))
    for ax, target in zip(axes, TARGETS, strict=True):
        rows = board.rows.filter(
            pl.col("low").is_not_null(), technique=technique, target=target, axis="tasks", measure="pearson"
        )
        for row in rows.iter_rows(named=True):
            if row["scorer"] in order:
                height = order.index(row["scorer"])
                colour = "C1" if row["scorer"] in informative else "C0"  # orange, blue
                ax.plot([row["low"], row["high"]], [height, height], color=colour, linewidth=1.5)
                ax.plot(row["value"], height, "o", color=colour, markersize=3.5)
        ax.axvline(0, color="0.6", linewidth=0.8, zorder=0)
        ax.set(xlim=(-1, 1), ylim=(-1, len(order)), xticks=(-1, -0.5, 0, 0.5, 1), xlabel=f"r with {target} over tasks")
        ax.set_yticks(range(len(order)), order if target == "gain" else [""] * len(order), fontsize=7)
    figure.suptitle(f"{technique}: 95 % intervals; orange, informative beyond the accuracy before")
    return figure


def _scatter(board: Board, technique: str, name: str, arrays: ScoreArrays, m: Measured) -> Any:
    """Gain and forgetting against one score, a colour per model, with the fitted line and its band; None without points."""
    figure, axes = _canvas(9, 4)
    empty = True
    for ax, target in zip(axes, TARGETS, strict=True):
        x, y = arrays.table(technique, target)[arrays.names.index(name)], m.values[technique][target]
        negated = target in board.negated.get(name, ())
        ax.set(xlabel=f"{name} (r is of its negative)" if negated else name, ylabel=target)
        if not (np.isfinite(x) & np.isfinite(y)).any():
            continue
        empty = False
        for i, model in enumerate(m.models):
            # (tasks,); NaN is not drawn
            ax.plot(x[i], y[i], "o", markersize=3.5, label=model)
        if line := fitted_line(x, y):
            ax.plot(line["x"], line["y"], color="0.2", linewidth=1)
            ax.fill_between(line["x"], line["low"], line["high"], color="0.5", alpha=0.25, linewidth=0)
        ax.set_title(f"r over tasks {number(board.find(name, technique, target, 'tasks', 'pearson'))}", fontsize=9)
    if empty:
        return None
    # a model may be drawn on some of the axes only
    by_label = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(by_label.values(), by_label.keys(), loc="outside lower center", ncols=4, fontsize=7)
    figure.suptitle(f"{name} under {technique}")
    return figure
