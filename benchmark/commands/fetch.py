"""`fetch`: download the models and data sets of a suite."""

import argparse

from benchmark.commands import options

HELP = "download the models and data sets of a suite; continues an interrupted download"
EXAMPLES = ("fetch --suite clip-published --tasks eurosat,gtsrb",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_suite(parser)


def run(args: argparse.Namespace) -> None:
    from benchmark.embedding.jobs import fetch_suite

    fetch_suite(options.load_suite(args), args.quiet)
    options.logger.info("fetch: all models and data sets are on this machine")
