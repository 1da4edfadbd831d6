"""`recommend`: a model and a technique for a user's own images."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.commands import options

if TYPE_CHECKING:
    from benchmark.tasks.cards import Card

HELP = "recommend a model and a technique for a folder of images, without fine-tuning"
EXAMPLES = ("recommend my_images --template 'a photo of a {c}'", "recommend my_card.toml --technique full")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", type=Path, metavar="PATH", help="a folder with one sub-folder of images per class, or a task card"
    )
    parser.add_argument(
        "--template", default="a photo of a {c}", help="prompt, with {c} for the class name (default: %(default)s)"
    )
    parser.add_argument(
        "--names",
        type=Path,
        metavar="FILE",
        help="class names: a CSV of lines `folder,class name` (default: the names of the folders)",
    )
    options.add_suite(parser, techniques=True)
    options.add_execution(parser)
    options.add_output(parser, options.TABLE_FORMATS)


def run(args: argparse.Namespace) -> None:
    from benchmark import files
    from benchmark.embedding.jobs import embed_suite
    from benchmark.embedding.keys import Keys
    from benchmark.reports.measurements import suite_ledger
    from benchmark.reports.recommend import recommend
    from benchmark.reports.recommend_render import plot, render

    suite, cache = options.load_suite(args), options.open_cache(args)
    keys = Keys()
    # ledger and card first: either may be unusable, and encoding takes longest
    ledger = suite_ledger(suite, keys=keys)
    card, skipped = _read_card(args)
    embed_suite(suite, cache, args.jobs, args.quiet, keys=keys)
    recommendation = recommend(suite, ledger, card, cache, jobs=args.jobs, quiet=args.quiet, skipped=skipped, keys=keys)
    folder = args.out or Path("results") / "recommend" / card.name
    tables = [folder / f"recommend.{form}" for form in ("md", "csv", "json")]
    plots = [folder / f"recommend.{form}" for form in ("png", "svg")]
    for path in tables:
        files.write(path, render(recommendation, path.suffix[1:]))
    for path in plots:
        plot(recommendation, path)
    print(render(recommendation, args.format), end="")
    options.log_written([*tables, *plots])


def _read_card(args: argparse.Namespace) -> "tuple[Card, list[str]]":
    """The card of the images, and a line for each unreadable image. A path that does not exist may be the name of a card."""
    from benchmark.tasks import cards, image_folder, sources

    if args.path.suffix == ".toml" or (not args.path.exists() and str(args.path) in cards.card_names()):
        return sources.resolve_source(cards.load(str(args.path)), args.source), []
    return image_folder.card_from_folder(args.path, args.template, args.names)
