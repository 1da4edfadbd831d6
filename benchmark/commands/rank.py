"""`rank`: the board of scores against measurements, of a suite or of two tables."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.commands import options
from benchmark.errors import BenchmarkError, UsageError

if TYPE_CHECKING:
    from leaderboard import Board

HELP = "rank the scores that `score` wrote against the ledger, or a table of scores against a table of measurements"
EXAMPLES = ("rank --suite pocket --format md", "rank --scores scores.csv --gains gains.csv --axis models")
DIFFERENCES_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scores",
        type=Path,
        metavar="CSV",
        help="rank this table of scores, with the columns scorer, model, task, score; requires --gains",
    )
    parser.add_argument(
        "--gains",
        type=Path,
        metavar="CSV",
        help="the measurements for --scores: a ledger, or a table with the columns model, task and any of before, accuracy, gain, forgetting",
    )
    parser.add_argument(
        "--check",
        type=Path,
        metavar="JSON",
        help="compare this published board with the one computed now; exit code 1 if they differ",
    )
    parser.add_argument(
        "--target", type=options.names, metavar="A,B", help="print only these of gain, accuracy, forgetting"
    )
    parser.add_argument("--axis", type=options.names, metavar="A,B", help="print only these of tasks, models, pooled")
    options.add_suite(parser)
    options.add_output(parser, options.BOARD_FORMATS, figures=True)


def run(args: argparse.Namespace) -> None:
    if args.scores and args.gains:
        _rank_tables(args)
    elif args.scores or args.gains:
        raise UsageError(
            "--scores and --gains belong together: a table of scores and a table of measurements; give both"
        )
    else:
        _rank_suite(args)


def _rank_suite(args: argparse.Namespace) -> None:
    import polars as pl

    import leaderboard
    from benchmark import files
    from benchmark.reports.boards import missing_scores, suite_board
    from benchmark.reports.descriptions import describe_tasks
    from benchmark.reports.ledger_scores import ledger_scores
    from benchmark.reports.measurements import suite_ledger
    from benchmark.reports.publish import publish_board

    suite, cache = options.load_suite(args), options.open_cache(args)
    folder = options.output_folder(args, suite)
    path = folder / "scores.csv"
    if not path.exists():
        raise UsageError(
            f"{path}: there are no scores yet; `python -m benchmark score --suite {args.suite}` writes them"
        )
    files.check_sum(path)
    ledger = suite_ledger(suite)
    # scores that depend on a technique are read from the ledger anew
    scores = leaderboard.read_scores(path).filter(
        pl.col("technique") == "",
        # the file may have more: --models and --tasks select a part
        pl.col("model").is_in([model.name for model in suite.models]),
        pl.col("task").is_in([task.name for task in suite.tasks]),
    )
    for note in missing_scores(scores, ledger):
        options.logger.warning(note)
    scores = pl.concat([scores, ledger_scores(ledger, None)])
    board = suite_board(suite.name, scores, ledger, cache)
    # a check publishes nothing
    if args.check:
        _check_board(args.check, board)
        return
    paths = publish_board(
        board,
        folder,
        command=args.command_line,
        scores=scores,
        measured=leaderboard.summarise_ledger(ledger),
        tasks=describe_tasks(suite, cache),
        figures=args.figures,
    )
    # the files have the whole board; --target and --axis select what is printed
    options.print_board(args, leaderboard.filter_board(board, args.target, args.axis))
    options.log_written(paths)


def _rank_tables(args: argparse.Namespace) -> None:
    """Files are written only to a folder that `--out` names."""
    import leaderboard
    from benchmark import files
    from benchmark.reports.boards import tables_board
    from benchmark.reports.publish import publish_board

    files.check_sum(args.scores)
    result = tables_board(args.scores, args.gains)
    for note in result.notes:
        options.logger.warning(note)
    if args.check:
        _check_board(args.check, result.board)
        return
    options.print_board(args, leaderboard.filter_board(result.board, args.target, args.axis))
    if args.out:
        paths = publish_board(
            result.board,
            args.out,
            command=args.command_line,
            scores=result.scores,
            measured=result.measured,
            figures=args.figures,
        )
        options.log_written(paths)


def _check_board(path: Path, board: "Board") -> None:
    from benchmark import files
    from benchmark.reports.board_check import board_differences

    files.check_sum(path)
    differences = board_differences(path, board)
    for line in differences[:DIFFERENCES_SHOWN]:
        print(line)
    if len(differences) > DIFFERENCES_SHOWN:
        print(f"and {len(differences) - DIFFERENCES_SHOWN} more")
    if differences:
        raise BenchmarkError(
            f"{path}: does not follow from these scores and measurements ({len(differences)} differences); publish the board again"
        )
    print(f"{path}: board {board.id} follows from its scores and measurements, {len(board.rows)} numbers compared")
