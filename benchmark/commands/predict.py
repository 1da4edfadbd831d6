"""`predict`: how well scores predict gain and forgetting on unseen tasks and models."""

import argparse

from benchmark.commands import options

HELP = "evaluate how well scores predict gain and forgetting on an unseen task or model"
EXAMPLES = ("predict --suite pocket", "predict --techniques full --format md")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_scorers(parser)
    options.add_suite(parser, techniques=True)
    options.add_execution(parser)
    options.add_output(parser, options.TABLE_FORMATS)


def run(args: argparse.Namespace) -> None:
    from benchmark import files
    from benchmark.embedding.jobs import embed_suite
    from benchmark.embedding.keys import Keys
    from benchmark.reports.measurements import suite_ledger
    from benchmark.reports.predict import predict, predictor_names
    from benchmark.reports.predict_render import render
    from benchmark.scoring.scoring import score_suite

    suite, cache = options.load_suite(args), options.open_cache(args)
    keys = Keys()
    # first, so that an unusable ledger is reported before anything is encoded
    ledger = suite_ledger(suite, keys=keys)
    names = predictor_names(args.scorers)
    embed_suite(suite, cache, args.jobs, args.quiet, keys=keys)
    scores = score_suite(suite, names, cache, args.jobs, args.quiet, keys=keys).scores
    predictions = predict(suite.name, scores, ledger)
    # whole in every format; --format selects the printed one
    paths = [options.output_folder(args, suite) / f"predict.{form}" for form in ("md", "csv", "json")]
    for path in paths:
        files.write(path, render(predictions, path.suffix[1:]))
    print(render(predictions, args.format), end="")
    options.log_written(paths)
