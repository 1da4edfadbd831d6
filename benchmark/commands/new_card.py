"""`new-card`: write the card of a data set."""

import argparse
import math
from pathlib import Path

from benchmark.commands import options

HELP = "write the card of a data set: a folder of images by class, or tar shards on disk, over HTTP or on the Hugging Face Hub"
EXAMPLES = ("new-card my_images --name birds", "new-card https://example.org/shards --name birds")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH|URL|hub:ORG/NAME", help="location of the images")
    parser.add_argument("--name", required=True, help="name of the task; the card is NAME.toml")
    parser.add_argument(
        "--template",
        help="prompt, with {c} for the class name (default: the prompts next to the shards, else 'a photo of a {c}')",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", default=Path(), help="folder for the card (default: the current folder)"
    )
    parser.add_argument(
        "--max-bad",
        type=_percentage,
        default=0.01,
        metavar="PERCENT",
        help="share of the images in a folder that may be unreadable and are left out (default: 1)",
    )
    options.add_data(parser)


def _percentage(text: str) -> float:
    """A percentage as a fraction, for `type=`."""
    try:
        value = float(text) / 100
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to 100")
    return value


def run(args: argparse.Namespace) -> None:
    from benchmark.tasks.new_card import new_card

    path, summary = new_card(
        args.path, args.name, args.template, args.out, options.logger.info, max_unreadable=args.max_bad
    )
    print(path)
    # to stderr, so that stdout has the path alone
    options.logger.info(
        "%s; next: add it to the `tasks` of a suite, or run `python -m benchmark recommend %s`", summary, path
    )
