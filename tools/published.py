"""Write leaderboard/README.md, the boards of what others measured and published: python tools/published.py"""

from pathlib import Path

from tabulate import tabulate

from leaderboard import literature
from leaderboard.board import Board
from leaderboard.output.formatting import short
from leaderboard.output.render import markdown

OUT = Path(__file__).resolve().parent.parent / "leaderboard" / "README.md"

HEAD = """\
# What the published figures say

This page is made by `tools/published.py` from the figures in `published/`, by the same statistics as every board here; `python -m benchmark rank`
does the same for any table. The explanation of the columns is in `results/pocket/board.md` after a run, and in the main README.

## Can the literature's pools tell scores apart?

Transferability scores are ranked by how well they order a pool of models by accuracy after tuning. Where the order is nearly the same on every
task (dispersion near 0), a fixed list does as well as any score can: **static** is the weighted τ that the list reaches which ranks the models by
their mean rank on the *other* tasks, and **headroom** is the accuracy that the best possible choice, task by task, adds to always taking one
model. A score cannot be worth more than that."""

CLIP = """\
## Fine-tuned CLIPs

What is already known without any score: `headroom` is one minus the zero-shot accuracy (of the test samples, the only ones published, so that
chance moves both it and the gain), `static_rank` each model's mean rank on the other tasks, `n_parameters` the size. Rows *as measured by* hold
another laboratory's measurements of the same models and tasks: the noise ceiling that a perfect score would reach. This is the bar that a
score has to clear on real CLIPs."""

SCORES = """\
## Published scores, ranked by these statistics

The scores that others printed, on the accuracies that they printed beside them."""


def page(permutations: int = 2000) -> str:
    pools = literature.pools()
    lines = [
        [
            p["pool"],
            p["models"],
            p["tasks"],
            *(short(p[column] or 0.0) for column in ("dispersion", "static")),
            f"{100 * (p['headroom'] or 0.0):.1f} points",
            p["best"],
        ]
        for p in pools.iter_rows(named=True)
    ]
    headers = ["pool", "models", "tasks", "dispersion", "static τw", "headroom", "always take"]
    aligned = ["left", *["right"] * 5, "left"]
    most = 100 * pools["headroom"].max()
    parts = [HEAD, tabulate(lines, headers, "pipe", disable_numparse=True, colalign=aligned)]
    parts.append(f"The most that any of these pools lets a score win is {most:.1f} points of accuracy.")
    parts.append(CLIP)
    parts += [_board(literature.clip_board(*source, permutations)) for source in literature.clip_sources()]
    parts.append(SCORES)
    parts += [
        _board(literature.published_scores(name, permutations), ("pearson", "weighted_kendall"))
        for name in ("tllib", "chaves")
    ]
    return "\n\n".join(parts) + "\n"


def _board(board: Board, measures: tuple[str, ...] = ("pearson",)) -> str:
    return f"### {board.suite}\n\n{markdown(board, measures, headings=False)}"


if __name__ == "__main__":
    OUT.write_text(page(), encoding="utf-8")
