"""`pretrain`: pretrain the models of the pocket suite."""

import argparse
from pathlib import Path

from benchmark.commands import options

HELP = "pretrain the models of the pocket suite; skips models whose weights are there"
EXAMPLES = ("pretrain --models clip-things --out weights",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", type=options.names, metavar="A,B", help="models to pretrain (default: all)")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the model folders (default: that of the pocket suite)"
    )
    parser.add_argument(
        "--generation",
        type=int,
        choices=(1, 2),
        default=1,
        help="models of the suite pocket (1) or pocket2 (2) (default: 1)",
    )
    options.add_execution(parser, device=False, precision=False)


def run(args: argparse.Namespace) -> None:
    from joblib import delayed

    from benchmark.errors import unknown_name
    from benchmark.execution.parallel import parallel
    from benchmark.pocket.families import WEIGHTS, WEIGHTS_2
    from benchmark.pocket.pretrain import RECIPES, RECIPES_2, pretrain, write_vocabulary

    recipes, default_folder = (RECIPES, WEIGHTS) if args.generation == 1 else (RECIPES_2, WEIGHTS_2)
    # all names are checked before the first model is trained
    for name in args.models or ():
        if name not in recipes:
            raise unknown_name("model", name, recipes)
    # once, before the workers start, which all read it
    write_vocabulary()
    folder = args.out or default_folder
    names = args.models or recipes
    # `parallel` is a generator, so nothing runs until it is read
    list(parallel((delayed(pretrain)(name, folder / name, recipes[name]) for name in names), args.jobs))
    print(f"the pretrained models are in {folder}")
