"""`new-scorer`: write a working scorer with its test."""

import argparse
from pathlib import Path

from benchmark.commands import options

HELP = "write a working scorer and its test, as a starting point"
EXAMPLES = ("new-scorer my_score", "new-scorer my_score --package my-score")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name of the scorer: lower-case letters, digits and underscores")
    parser.add_argument(
        "--package", type=Path, metavar="DIR", help="write a package of its own to DIR (default: into this repository)"
    )


def run(args: argparse.Namespace) -> None:
    from benchmark.scoring.new_scorer import new_scorer

    for path in new_scorer(args.name, args.package):
        print(path)
    test = f"cd {args.package} && pytest" if args.package else f"pytest tests/scorers/test_{args.name}.py"
    options.logger.info("next: change the formula and its test, then run `%s`", test)
