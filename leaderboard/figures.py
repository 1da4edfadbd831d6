"""The board as figures for papers: intervals of all scores, and a score against what was measured; SVG and PNG."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leaderboard.board import Board
from leaderboard.layout import Layout
from leaderboard.page import fitted, stem
from leaderboard.sections import number
from leaderboard.targets import Measured

Floats = NDArray[np.float64]
SIDES = ("gain", "forgetting")
KINDS = ("svg", "png")


def write_figures(folder: Path, board: Board, scores: pl.DataFrame, m: Measured) -> list[Path]:
    """Per technique the intervals of r over tasks, and of IIMM and the score that goes along best with gain the points themselves."""
    layout = Layout(scores, m)
    names = {x.scorer for x in board.lines}
    paths = []
    for technique in board.techniques:
        paths += _saved(_intervals(board, technique), folder / f"{stem(technique)}-intervals")
        first = board.ranking[technique]["gain"][:1]
        for name in dict.fromkeys([*(n for n in ("iimm",) if n in names), *first]):
            if figure := _scatter(board, technique, name, layout, m):
                paths += _saved(figure, folder / f"{stem(technique)}-score-{stem(name)}")
    return paths


def _canvas(width: float, height: float) -> tuple[Any, Any]:
    """A figure of two axes side by side, drawn without a display and the same bytes every time."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams |= {"svg.hashsalt": "transferability-benchmark", "text.parse_math": False}
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, 2)


def _saved(figure: Any, path: Path) -> list[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    paths = [path.with_name(f"{path.name}.{kind}") for kind in KINDS]
    for file in paths:
        figure.savefig(file, dpi=150, metadata={"Date": None} if file.suffix == ".svg" else None)
    return paths


def _intervals(board: Board, technique: str) -> Any:
    """Scores from best to worst by gain, their correlations with gain and with forgetting beside each other."""
    order = board.ranking[technique]["gain"][::-1]
    informative = {e.scorer for e in board.informative(technique)}
    figure, axes = _canvas(9, 1.2 + 0.19 * len(order))
    for ax, target in zip(axes, SIDES, strict=True):
        found = {
            x.scorer: x
            for x in board.lines
            if (x.technique, x.target, x.axis, x.measure) == (technique, target, "tasks", "pearson")
        }
        for place, name in enumerate(order):
            x = found.get(name)
            if x is not None and x.value is not None and x.low is not None and x.high is not None:
                colour = "C1" if name in informative else "C0"
                ax.plot([x.low, x.high], [place, place], color=colour, linewidth=1.5)
                ax.plot(x.value, place, "o", color=colour, markersize=3.5)
        ax.axvline(0, color="0.6", linewidth=0.8, zorder=0)
        ax.set(xlim=(-1, 1), ylim=(-1, len(order)), xticks=(-1, -0.5, 0, 0.5, 1), xlabel=f"r with {target} over tasks")
        ax.set_yticks(range(len(order)), order if target == "gain" else [""] * len(order), fontsize=7)
    figure.suptitle(f"{technique}: 95 % intervals; orange, informative beyond the accuracy before")
    return figure


def _scatter(board: Board, technique: str, name: str, layout: Layout, m: Measured) -> Any:
    """Gain and forgetting against one score, a colour per model, with the line of all points and its band."""
    figure, axes = _canvas(9, 4)
    drawn = False
    for ax, target in zip(axes, SIDES, strict=True):
        x, y = layout.table(technique, target)[layout.names.index(name)], m.values[technique][target]
        turned = target in board.turned.get(name, ())
        ax.set(xlabel=f"{name} (r is of its negative)" if turned else name, ylabel=target)
        if not (np.isfinite(x) & np.isfinite(y)).any():
            continue
        drawn = True
        for i, model in enumerate(m.models):
            ax.plot(x[i], y[i], "o", markersize=3.5, label=model)
        if line := fitted(x, y):
            ax.plot(line["x"], line["y"], color="0.2", linewidth=1)
            ax.fill_between(line["x"], line["low"], line["high"], color="0.5", alpha=0.25, linewidth=0)
        ax.set_title(f"r over tasks {number(board.find(name, technique, target, 'tasks', 'pearson'))}", fontsize=9)
    if not drawn:
        return None
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=7)
    figure.suptitle(f"{name} under {technique}")
    return figure
