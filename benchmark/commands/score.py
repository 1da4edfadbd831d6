"""`score`: compute scores, for a suite or for a file of embeddings."""

import argparse
import json
from pathlib import Path

from benchmark.commands import options

HELP = "score a suite, or the embeddings in a file: an .npz, a .safetensors, or a folder of .npy files"
EXAMPLES = ("score embeddings.npz --scorers all --format json", "score --suite pocket --scorers iimm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="embeddings with the fields image and labels, and optionally text, source_probs, class_names, logit_scale "
        "(default: those of the suite)",
    )
    options.add_scorers(parser)
    parser.add_argument(
        # not by `add_output`: the default depends on what is scored
        "--format",
        choices=["text", "json", "csv"],
        help="format of the printed scores (default: text for a file, csv for a suite)",
    )
    options.add_suite(parser)
    options.add_execution(parser)
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    from benchmark.scoring.selection import report_load_failures

    report_load_failures()
    if args.file:
        _score_file(args)
    else:
        _score_suite(args)


def _score_suite(args: argparse.Namespace) -> None:
    import leaderboard
    from benchmark import files
    from benchmark.embedding.jobs import embed_suite
    from benchmark.embedding.keys import Keys
    from benchmark.reports.tables import format_table, text_column
    from benchmark.scoring.scoring import score_suite
    from benchmark.scoring.selection import report_raised

    suite, cache = options.load_suite(args), options.open_cache(args)
    keys = Keys()
    embed_suite(suite, cache, args.jobs, args.quiet, keys=keys)
    scores = score_suite(suite, args.scorers, cache, args.jobs, args.quiet, keys=keys).scores
    path = options.output_folder(args, suite) / "scores.csv"
    files.write(path, leaderboard.scores_to_csv(scores))
    files.write_sums(path.parent, [path.name])
    report_raised(scores)
    if args.format == "json":
        print(json.dumps(scores.to_dicts(), indent=1))
    elif args.format == "text":
        table = scores.select("scorer", "model", "task", text_column("score", "{:.6g}".format), "abstained")
        print(format_table(table, headers=[*table.columns[:-1], "reason for abstaining"], right=["score"]))
    # csv, also without --format
    else:
        print(leaderboard.scores_to_csv(scores), end="")
    options.log_written([path])


def _score_file(args: argparse.Namespace) -> None:
    import polars as pl

    import scorers
    from benchmark import files
    from benchmark.reports.tables import format_table, text_column
    from benchmark.scoring import isolation
    from benchmark.scoring.selection import select_scorers

    result = isolation.score(scorers.load_embeddings(args.file), list(select_scorers(args.scorers)))
    if args.out:
        files.write(args.out / "scores.json", json.dumps(result, indent=1) + "\n")
        options.log_written([args.out / "scores.json"])
    if args.format == "json":
        print(json.dumps(result, indent=1))
        return
    table = pl.DataFrame(
        [
            {
                "scorer": name,
                "score": value,
                # seconds to milliseconds
                "ms": 1000 * result["seconds"][name],
                "abstained": result["abstained"].get(name, ""),
            }
            for name, value in result["scores"].items()
        ],
        # all scores may be None, of which no type follows
        schema_overrides={"score": pl.Float64},
    )
    if args.format == "csv":
        # without run times, which differ from run to run
        print(table.drop("ms").write_csv(), end="")
        return
    texts = table.with_columns(text_column("score", "{:.6g}".format), text_column("ms", "{:.1f}".format))
    print(format_table(texts, headers=[*table.columns[:-1], "reason for abstaining"], right=["score", "ms"]))
