"""The picture of the README. Its numbers are stored in the PNG file, so that `--check` can compare them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docs.board import pocket
from docs.common import DOCS, FIRST, MIRRORED
from docs.compare import CLOSE
from docs.readme import top

PICTURE = DOCS / "images" / "leaderboard.png"
INK, GREY, BLUE, ORANGE = "#1f2430", "#9aa3b2", "#1f6feb", "#d9480f"

PANELS = (
    ("How much will\nfine-tuning gain?", "gain", "tasks", "correlation with gain, over tasks"),
    ("Which model\nshould I take?", "accuracy", "models", "correlation with accuracy, over models"),
    ("What will it\ncost elsewhere?", "forgetting", "tasks", "correlation with forgetting, over tasks"),
)


def picture_content() -> dict[str, Any]:
    """Scorers in the order of the leaderboard, and per panel [value, low, high] of each, rounded."""
    board, *_ = pocket()
    names = top(board)
    for _, target, axis, _ in PANELS[1:]:  # `top` has those of the first panel
        names += _best(target, axis)
    names += ["iimm", "logme", "h_score", "random"]
    names = sorted(dict.fromkeys(names), key=board.ranking(FIRST, "gain").index)  # without repetitions
    values: dict[str, list[list[float | None]]] = {}  # by target: (scorers, 3), value, low and high
    for _, target, axis, _ in PANELS:
        rows = [board.row(name, FIRST, target, axis) or {} for name in names]
        values[target] = [
            [None if row.get(k) is None else round(row[k], 2) for k in ("value", "low", "high")] for row in rows
        ]
    return {"scorers": names, "values": values}


def _best(target: str, axis: str, count: int = 3) -> list[str]:
    """The scorers that correlate most with a target, of those that have an interval."""
    board, *_ = pocket()
    rows = {name: board.row(name, FIRST, target, axis) for name in board.ranking(FIRST, target) if name != MIRRORED}
    values = {name: row["value"] for name, row in rows.items() if row and row["low"] is not None}
    return sorted(values, key=values.__getitem__, reverse=True)[:count]


def draw(path: Path) -> None:
    """Draw the leaderboard: one row per scorer, one panel per question. The numbers are stored in the file."""
    import matplotlib

    # draws without a display
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    content = picture_content()
    names = content["scorers"]
    plt.rcParams.update({"font.size": 11, "font.family": "DejaVu Sans", "text.color": INK, "axes.labelcolor": INK})
    figure, axes = plt.subplots(1, 3, figsize=(10, 0.28 * len(names) + 1.9), sharey=True)
    for axis, (title, target, _, label) in zip(axes, PANELS, strict=True):
        _draw_intervals(axis, names, content["values"][target])
        _style_panel(axis, title, label)
    axes[0].set_yticks(range(len(names)), names)
    # inverted: the first scorer on top
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    figure.tight_layout(w_pad=1.6, rect=(0, 0.03, 1, 1))
    legend = "Bars: 95 % intervals. Blue: excludes zero. Orange: baselines."
    figure.text(0.995, 0.006, legend, ha="right", fontsize=10, color="#5b6472")
    path.parent.mkdir(parents=True, exist_ok=True)
    # no software version in the file, which would change with every release of matplotlib
    figure.savefig(path, dpi=160, facecolor="white", metadata={"Software": None, "Description": json.dumps(content)})
    plt.close(figure)


def _draw_intervals(axis: Any, names: Sequence[str], values: Sequence[Sequence[float | None]]) -> None:
    axis.axvline(0, color=GREY, linewidth=1)
    for place, (name, (value, low, high)) in enumerate(zip(names, values, strict=True)):
        # a score that is constant along the axis, or too few points
        if value is None or low is None or high is None:
            axis.text(0.03, place, "not defined", color=GREY, va="center", fontsize=9)
            continue
        # blue: the interval excludes zero
        colour = ORANGE if name in ("headroom", "random") else BLUE if low > 0 or high < 0 else GREY
        axis.plot([low, high], [place, place], color=colour, linewidth=2.2, solid_capstyle="round", alpha=0.75)
        axis.plot(value, place, "o", color=colour, markersize=6.5)


def _style_panel(axis: Any, title: str, label: str) -> None:
    axis.set(xlim=(-1, 1), xticks=(-1, -0.5, 0, 0.5, 1))
    axis.set_xticklabels(["−1", "−.5", "0", ".5", "1"])
    axis.set_title(title, fontsize=13, fontweight="bold", loc="left", color=INK)
    axis.set_xlabel(label, fontsize=10)
    axis.grid(axis="x", color="#e8ebf0", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(length=0, colors=INK)
    axis.spines[:].set_visible(False)


def picture_numbers(path: Path) -> dict[str, Any]:
    """The numbers that a drawn picture shows."""
    from PIL import Image

    with Image.open(path) as image:
        content: dict[str, Any] = json.loads(image.info["Description"])  # a text chunk of the PNG
    return content


def picture_differences() -> list[str]:
    """A line for each number of the picture that is out of date."""
    if not PICTURE.exists():
        return ["is missing"]
    old, new = picture_numbers(PICTURE), picture_content()
    if set(old["scorers"]) != set(new["scorers"]):
        return ["shows other scorers"]
    out = []
    for target, rows in new["values"].items():
        shown = dict(zip(old["scorers"], old["values"][target], strict=True))
        out += [
            f"{target}, {name}: {shown[name]} instead of {values}"
            for name, values in zip(new["scorers"], rows, strict=True)
            if not all(_close(a, b) for a, b in zip(shown[name], values, strict=True))
        ]
    return out


def _close(a: float | None, b: float | None) -> bool:
    return a == b or (a is not None and b is not None and abs(a - b) <= CLOSE)
