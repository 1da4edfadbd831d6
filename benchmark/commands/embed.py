"""`embed`: compute the embeddings of a suite."""

import argparse

from benchmark.commands import options

HELP = "compute the embeddings that scorers read and store them in the cache; continues where it stopped"
EXAMPLES = ("embed --suite pocket --jobs 2",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_suite(parser)
    options.add_execution(parser)


def run(args: argparse.Namespace) -> None:
    from benchmark.embedding.jobs import embed_suite

    images = embed_suite(options.load_suite(args), options.open_cache(args), args.jobs, args.quiet)
    options.logger.info("embed: %s", f"{images} images encoded" if images else "all embeddings are in the cache")
