"""docs/results/published.md, and the block of leaderboard/README.md."""

import json
from functools import cache
from pathlib import Path

from docs.board import Board
from docs.common import DOCS, GENERATED, ROOT
from docs.markdown import filled, points, short, table
from docs.results import technique_section


@cache
def published_boards() -> dict[str, list[Board]]:
    """Boards of fine-tuned CLIPs, and of published scores."""
    from leaderboard import literature, render

    clips = [literature.clip_board(*source) for source in literature.clip_sources()]
    scores = [literature.published_scores(name) for name in ("tllib", "chaves")]
    return {
        k: [Board(json.loads(render(board, "json"))) for board in boards]
        for k, boards in (("clip", clips), ("scores", scores))
    }


@cache
def pools_table() -> str:
    """Whether the pools of the literature can tell scores apart."""
    from leaderboard import literature

    pools = literature.pools()
    rows = [
        {
            "pool": pool["pool"],
            "models": str(pool["models"]),
            "tasks": str(pool["tasks"]),
            "dispersion": short(pool["dispersion"] or 0.0),
            "static τw": short(pool["static"] or 0.0),
            "headroom": f"{points(pool['headroom'] or 0.0)} points",
            "always take": pool["best"],
        }
        for pool in pools.iter_rows(named=True)
    ]
    most = points(max(value or 0.0 for value in pools["headroom"]))  # over all pools
    return f"{table(rows, ['pool', 'always take'])}\n\nNo score can gain more than {most} points of accuracy in any of these pools."


def published() -> dict[Path, str]:
    boards = published_boards()
    parts = [
        "# Published measurements",
        "Fine-tuning results and scores that others published, ranked by the same statistics as every board of this project. The figures and "
        "their sources are in `leaderboard/published/`. [How to read the tables](index.md#how-to-read-the-tables).",
        "## Can the pools of the literature tell scores apart?",
        "Transferability scores are usually ranked by how well they order a pool of models by accuracy after fine-tuning. Where that order is "
        "nearly the same on every task (dispersion near 0), a fixed list of models does as well as any score. **Static** is the weighted τ of "
        "the list that ranks models by their mean rank on the *other* tasks. **Headroom** is the accuracy that the best choice, task by task, "
        "adds to always taking one model: the upper limit of what a score can be worth.",
        pools_table(),
        "## Fine-tuned CLIPs",
        "Baselines only: `headroom` is one minus the zero-shot accuracy of the test samples (the only ones published, so that sampling noise "
        "moves both it and the gain), `static_rank` the model's mean rank on the other tasks, `n_parameters` the size. Rows *as measured by* "
        "are another laboratory's measurements of the same models and tasks: an external noise ceiling.",
    ]
    for title, key in (("", "clip"), ("## Published scores on published accuracies", "scores")):
        parts += [title] if title else []  # the first group follows its heading above
        for board in boards[key]:
            for technique in board.techniques:
                section = technique_section(board, technique)
                # one level down, and the source's name for the heading
                parts.append(section.replace(f"## {technique}", f"### {board.meta['suite']}", 1))
    return {
        DOCS / "results" / "published.md": "\n\n".join([GENERATED, *parts]) + "\n",
        ROOT / "leaderboard" / "README.md": filled(ROOT / "leaderboard" / "README.md", {"pools": pools_table}),
    }
