"""`cite`: BibTeX entries."""

import argparse
from pathlib import Path

HELP = "print BibTeX for the software, and with --board for a board and its scorers"
EXAMPLES = ("cite --board results/pocket/board.json",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--board", type=Path, metavar="JSON", help="a board that `run` or `rank` wrote")


def run(args: argparse.Namespace) -> None:
    from benchmark.reports.cite import cite

    print(cite(args.board), end="")
