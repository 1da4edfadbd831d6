"""`check-scorer`: check the contract of a scorer."""

import argparse
import importlib
import os
import sys
from typing import Any

from benchmark.errors import BenchmarkError, UsageError

HELP = "check that a scorer satisfies the contract, and print how to fix each failure"
EXAMPLES = ("check-scorer my_package:my_score", "check-scorer logme")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="MODULE:FUNCTION", help="the scorer as module and function, or the name of a registered scorer"
    )


def run(args: argparse.Namespace) -> None:
    import scorers

    outcomes = []
    # a generator: each outcome is printed before the next check runs
    for outcome in scorers.check_scorer(_load_scorer(args.name)):
        outcomes.append(outcome)
        if outcome.failure:
            print(f"FAILED  {outcome.name}: {outcome.requirement}, but {outcome.failure}; {outcome.remedy}")
        else:
            print(f"ok      {outcome.name}: {outcome.requirement}")
    failed = [outcome.name for outcome in outcomes if outcome.failure]
    if failed:
        raise BenchmarkError(f"{len(failed)} of {len(outcomes)} checks failed: {', '.join(failed)}")


def _load_scorer(name: str) -> Any:
    """A scorer by its name, or by module:function; modules of the current folder can be imported."""
    from benchmark.scoring.selection import select_scorers

    module, colon, function = name.partition(":")
    if not colon:
        return select_scorers([name])[name]
    sys.path.insert(0, os.getcwd())
    try:
        return getattr(importlib.import_module(module), function)
    except Exception as error:  # an imported module may raise anything
        raise UsageError(f"'{name}' could not be loaded: {type(error).__name__}: {error}") from None
