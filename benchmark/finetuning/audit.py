"""Auditing a ledger: repeat some of its runs and compare."""

import random
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import LedgerError
from benchmark.execution.progress import progress
from benchmark.finetuning import ledger
from benchmark.finetuning.conditions import checked_rows
from benchmark.finetuning.ledger import Run
from benchmark.finetuning.planning import planned_runs
from benchmark.finetuning.runs import RunResult, perform_runs
from benchmark.suites.suite import Suite


@dataclass(frozen=True)
class Deviation:
    """The deviation of a repeated run from the ledger, in accuracy after fine-tuning.

    in_domain: absolute difference on the task that was trained on.  elsewhere: mean absolute difference on the others.
    """

    run: Run
    in_domain: float
    elsewhere: float


def audit(
    suite: Suite, *, part: Suite, root: Path, jobs: int, count: int, seed: int, quiet: bool = False
) -> list[Deviation]:
    """Repeat `count` recorded runs of `part`, selected at random, and compare them with the ledger of the full suite."""
    planned = planned_runs(part)
    checked_rows(part, planned)
    # run to (task evaluated on to accuracy after)
    recorded: dict[Run, dict[str, float]] = {}
    for model in part.models:
        for *run, task, after in ledger.read_rows(suite.ledger, model.name).drop("before").iter_rows():
            recorded.setdefault(Run(*run), {})[task] = after
    candidates = [run for run in planned if run in recorded]
    if not candidates:
        raise LedgerError(
            f"{suite.ledger}: nothing is measured yet for these models and tasks",
            "run `python -m benchmark measure` first",
        )
    # seeded, so that the same audit can be repeated; sorted, so that runs of one model follow each other
    selected = sorted(random.Random(seed).sample(candidates, min(count, len(candidates))))
    results = progress(perform_runs(suite, selected, root, jobs), len(selected), "audit", quiet)
    return sorted((_deviation(result, recorded[result.run]) for result in results), key=lambda d: d.run)


def _deviation(result: RunResult, recorded: dict[str, float]) -> Deviation:
    differences = {task: abs(after - recorded[task]) for task, after in result.after.items() if task in recorded}
    # accuracies of one run: its own task, then the mean of |after - recorded| over the others
    in_domain = differences.pop(result.run.trained_on)
    return Deviation(result.run, in_domain, elsewhere=sum(differences.values()) / max(1, len(differences)))
