"""Publishing a board: its files, its page and its figures in one folder."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

import leaderboard
from benchmark import files
from benchmark.reports.descriptions import describe_scorers
from leaderboard import Board, Measured
from leaderboard.output.detail_pages import TaskDescription
from leaderboard.output.page import write_page


def publish_board(
    board: Board,
    folder: Path,
    *,
    command: str,
    scores: pl.DataFrame,
    measured: Measured,
    tasks: Mapping[str, TaskDescription] | None = None,
    figures: bool = False,
) -> list[Path]:
    """Write a board as Markdown, CSV and JSON, as a page, and with `figures` as SVG and PNG; returns the paths.

    command: the command line that computes the board again.  scores, measured: those of the board.  tasks: what the page shows of
    each task (`descriptions.describe_tasks`).
    """
    # once, so that all files name the same date and versions
    provenance = leaderboard.provenance(command)
    paths = []
    for form in ("md", "csv", "json"):
        paths.append(folder / f"board.{form}")
        files.write(paths[-1], leaderboard.render(board, form, provenance=provenance))
    paths.append(files.write_sums(folder, [path.name for path in paths]))
    paths.append(
        write_page(folder, board, scores, measured, provenance=provenance, scorers=describe_scorers(), tasks=tasks)
    )
    if figures:
        from leaderboard.output.figures import write_figures

        paths += write_figures(folder / "figures", board, scores, measured)
    return paths
