"""`run`: the whole pipeline, from embeddings to the board."""

import argparse

from benchmark.commands import options

HELP = "embed, score and rank against the measured ledger; print and write the board"
EXAMPLES = (
    "run --scorers all",
    "run --scorers iimm,logme --models clip-things,clip-signs",
    "run --suite iimm --dry-run",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_scorers(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be fetched and computed, with sizes and time, and stop"
    )
    options.add_suite(parser)
    options.add_execution(parser)
    options.add_output(parser, options.BOARD_FORMATS, figures=True)


def run(args: argparse.Namespace) -> None:
    from benchmark.reports.run import run
    from benchmark.scoring.selection import report_load_failures

    suite, cache = options.load_suite(args), options.open_cache(args)
    if args.dry_run:
        from benchmark.reports.plan import plan

        print(plan(suite, args.scorers, cache), end="")
        return
    # before the run, since --scorers all leaves these out
    report_load_failures()
    board, paths = run(
        suite,
        args.scorers,
        cache,
        options.output_folder(args, suite),
        jobs=args.jobs,
        quiet=args.quiet,
        command=args.command_line,
        figures=args.figures,
    )
    options.print_board(args, board)
    options.log_written(paths)
