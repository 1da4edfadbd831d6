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
    options.add_execution(parser, device=False, precision=False)


def run(args: argparse.Namespace) -> None:
    from joblib import delayed

    from benchmark.errors import unknown_name
    from benchmark.execution.parallel import parallel
    from benchmark.pocket.families import WEIGHTS
    from benchmark.pocket.pretrain import RECIPES, pretrain, write_vocabulary

    for name in args.models or ():
        if name not in RECIPES:
            raise unknown_name("model", name, RECIPES)
    write_vocabulary()
    folder = args.out or WEIGHTS
    list(parallel((delayed(pretrain)(name, folder / name) for name in args.models or RECIPES), args.jobs))
    print(f"the pretrained models are in {folder}")
