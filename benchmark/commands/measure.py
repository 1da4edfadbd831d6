"""`measure`: fine-tune and record before and after accuracies in the ledger, or repeat recorded runs."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.commands import options

if TYPE_CHECKING:
    from benchmark.finetuning.audit import Deviation

HELP = "fine-tune, evaluate on every task and add the results to the ledger; continues where it stopped"
EXAMPLES = ("measure --techniques clip_adapter", "measure --dry-run", "measure --audit 5")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dry-run", action="store_true", help="print how many runs are missing and how long they will take, and stop"
    )
    parser.add_argument(
        "--audit",
        type=options.positive_integer,
        metavar="K",
        help="repeat K recorded runs, selected at random, and print their deviation from the ledger",
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed of the selection of --audit (default: 0)")
    options.add_suite(parser, techniques=True)
    # no --precision: of training it is an option of the technique
    options.add_execution(parser, precision=False)


def run(args: argparse.Namespace) -> None:
    from benchmark.finetuning.audit import audit
    from benchmark.finetuning.measure import measure

    # the runs of the part, each evaluated on all tasks of the full suite, whose ledger it is
    full, part = options.load_suites(args)
    root = options.open_cache(args).root
    if args.audit:
        deviations = audit(
            full, part=part, root=root, jobs=args.jobs, count=args.audit, seed=args.seed, quiet=args.quiet
        )
        _print_deviations(deviations)
        return
    added = measure(full, part=part, root=root, jobs=args.jobs, quiet=args.quiet, dry_run=args.dry_run)
    # a dry run logs its own summary
    if not args.dry_run:
        options.logger.info("measure: %d runs added to %s", added, full.ledger)


def _print_deviations(deviations: "Sequence[Deviation]") -> None:
    import polars as pl

    from benchmark.reports.tables import format_table, text_column

    # deviations are absolute differences of accuracies, as fractions
    table = pl.DataFrame(
        [
            {
                "model": deviation.run.model,
                "technique": deviation.run.technique,
                "seed": deviation.run.seed,
                "trained on": deviation.run.trained_on,
                "deviation in-domain": deviation.in_domain,
                "deviation elsewhere": deviation.elsewhere,
            }
            for deviation in deviations
        ]
    )
    numbers = ["deviation in-domain", "deviation elsewhere"]
    texts = table.with_columns(text_column(column, "{:.4f}".format) for column in numbers)
    print(format_table(texts, right=numbers))
    in_domain = [deviation.in_domain for deviation in deviations]
    print(
        f"\n{len(deviations)} runs repeated; deviation of the in-domain accuracy: mean {sum(in_domain) / len(in_domain):.4f}, "
        f"maximum {max(in_domain):.4f}"
    )
