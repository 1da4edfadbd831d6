"""`list`: the models, tasks, scorers, techniques, sources and suites."""

import argparse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from benchmark.commands import options

if TYPE_CHECKING:
    from benchmark.suites.suite import TechniqueSettings

HELP = "list models, tasks, scorers, techniques, sources or suites"
EXAMPLES = ("list scorers", "list tasks --health")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=list(LISTS), help="what to list")
    parser.add_argument(
        "--health",
        action="store_true",
        help="with tasks: zero-shot accuracies and gains, and whether the suite can tell scores apart",
    )
    parser.add_argument("--bibtex", action="store_true", help="with scorers: print their references instead")
    options.add_suite(parser)


def run(args: argparse.Namespace) -> None:
    LISTS[args.kind](args)


def _list_models(args: argparse.Namespace) -> None:
    models = options.load_suite(args).models
    _print_table([{"model": model.name, "loaded as": model.load} for model in models])


def _list_tasks(args: argparse.Namespace) -> None:
    if args.health:
        _print_health(args)
        return
    rows = [
        {
            "task": card.name,
            "what it shows": card.title,
            "group": card.group,
            "classes": len(card.classes),
            # in the order of cards.SPLITS
            "train/val/test": "/".join(str(size) for size in card.sizes.values()),
            "prompt": card.templates[0],
        }
        for card in options.load_suite(args).tasks
    ]
    _print_table(rows)


def _print_health(args: argparse.Namespace) -> None:
    import leaderboard
    from benchmark.reports import health
    from benchmark.reports.measurements import suite_ledger
    from benchmark.reports.tables import format_table

    suite = options.load_suite(args)
    # before a suite is measured, the geometry of its models can be checked
    unmeasured = not suite.published and not suite.ledger.is_dir() and health.measured_geometry(suite)
    ledger = leaderboard.ledger_table([]) if unmeasured else suite_ledger(suite)
    print(format_table(health.task_table(suite, ledger)))
    print()
    _print_table(
        [
            {
                "health of the suite": criterion.name,
                "value": criterion.value,
                "required": criterion.required,
                "passed": "yes" if criterion.passed else "NO",
            }
            for criterion in health.criteria(suite, ledger)
        ]
    )
    if shares := health.variance(ledger):
        print("\nVariance of the gains: " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items()))


def _list_scorers(args: argparse.Namespace) -> None:
    import scorers
    from benchmark.scoring.selection import report_load_failures

    if args.bibtex:
        print(scorers.bibtex(), end="")
        return
    rows = [
        {
            "scorer": name,
            "needs": ", ".join(sorted(function.spec.needs)),
            # the sign of the orientation: + where a higher score predicts more
            "predicts": ", ".join(f"{'+' if sign > 0 else '−'}{t}" for t, sign in function.spec.predicts.items()),
            "cost": function.spec.cost,
            "citation": function.spec.cite,
            "definition": function.spec.summary,
        }
        for name, function in scorers.registry().scorers.items()
    ]
    _print_table(rows)
    report_load_failures()


def _list_techniques(args: argparse.Namespace) -> None:
    from benchmark.suites.techniques import describe_techniques

    descriptions = describe_techniques()
    settings = {technique.name: technique for technique in options.load_suite(args).techniques}
    rows = [
        {
            "technique": name,
            "what it trains": descriptions.get(name, "not installed"),
            f"hyperparameters in {args.suite}": _hyperparameters(settings[name]) if name in settings else "",
        }
        for name in dict.fromkeys([*settings, *descriptions])
    ]
    _print_table(rows)


def _hyperparameters(technique: "TechniqueSettings") -> str:
    """The options of a technique; of a family, those that differ from the others'."""
    parts = [_values(technique.options)]
    for family, values in technique.families.items():
        different = {name: value for name, value in values.items() if technique.options.get(name) != value}
        parts.append(f"{family}: {_values(different)}")
    return "; ".join(parts)


def _values(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value if isinstance(value, str) else f'{value:g}'}" for name, value in values.items())


def _list_sources(args: argparse.Namespace) -> None:
    from benchmark.tasks.sources import describe_sources

    _print_table([{"source": kind, "what it reads": text} for kind, text in sorted(describe_sources().items())])


def _list_suites(args: argparse.Namespace) -> None:
    from benchmark.suites import suite

    _print_table([{"suite": name, "description": suite.load(name).description} for name in suite.suite_names()])


def _print_table(rows: list[dict[str, Any]]) -> None:
    import polars as pl

    from benchmark.reports.tables import format_table

    print(format_table(pl.DataFrame(rows, infer_schema_length=None)))


# after the functions that it names
LISTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "models": _list_models,
    "tasks": _list_tasks,
    "scorers": _list_scorers,
    "techniques": _list_techniques,
    "sources": _list_sources,
    "suites": _list_suites,
}
