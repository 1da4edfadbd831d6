"""Publishing a board: its files, its page and its figures in one folder."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

import leaderboard
from benchmark import files
from benchmark.reports.page_words import scorer_words
from leaderboard import Board, Measured
from leaderboard.page import TaskWords, write_page


def publish_board(
    board: Board,
    folder: Path,
    *,
    command: str,
    scores: pl.DataFrame,
    measured: Measured,
    tasks: Mapping[str, TaskWords] | None = None,
    figures: bool = False,
) -> list[Path]:
    """Write a board as Markdown, CSV and JSON, as a page, and with `figures` as SVG and PNG; returns the paths.

    command: the command line that computes the board again.  scores, measured: those of the board.  tasks: what the page shows of
    each task (`page_words.task_words`).
    """
    provenance = leaderboard.provenance(command)
    paths = []
    for form in ("md", "csv", "json"):
        paths.append(folder / f"board.{form}")
        files.write(paths[-1], leaderboard.render(board, form, made=provenance))
    paths.append(write_page(folder, board, scores, measured, provenance, scorers=scorer_words(), tasks=tasks))
    if figures:
        from leaderboard.figures import write_figures

        paths += write_figures(folder / "figures", board, scores, measured)
    return paths
