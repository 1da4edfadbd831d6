"""The runs of a suite: all of them, those that the ledger is missing, and how long these will take."""

from collections.abc import Sequence

from benchmark.execution.progress import duration
from benchmark.finetuning import ledger
from benchmark.finetuning.conditions import checked_rows
from benchmark.finetuning.ledger import Run
from benchmark.suites.suite import Suite


def planned_runs(suite: Suite) -> list[Run]:
    """Every run of the suite.

    Seed by seed, so that an interruption leaves complete ledgers of fewer seeds; then model by model, so that a worker seldom loads
    another model.
    """
    return [
        Run(model.name, technique.name, seed, card.name)
        for seed in suite.seeds
        for model in suite.models
        for technique in suite.techniques
        for card in suite.training_tasks
    ]


def pending_runs(suite: Suite, *, part: Suite) -> list[Run]:
    """The runs of `part` that the ledger of the full suite is missing, or that are not evaluated on all of its tasks.

    Repairs files that an interruption has torn. Raises LedgerError for a run that was measured under other conditions.
    """
    complete: set[Run] = set()
    tasks = [card.name for card in suite.tasks]
    for model in part.models:
        # before reading: a torn last run counts as pending, not as an error
        ledger.repair(suite.ledger, model.name)
        complete |= ledger.complete_runs(suite.ledger, model.name, tasks)
    # a ledger must not mix conditions, so nothing is planned on top of other ones
    checked_rows(part, planned_runs(part))
    return [run for run in planned_runs(part) if run not in complete]


def time_estimate(suite: Suite, pending: Sequence[Run], jobs: int) -> str:
    """How long the pending runs will take, as the end of a sentence; blank where nothing is pending or nothing was measured before.

    From the mean seconds of the runs of each technique so far; for a technique without runs from the mean of all.
    """
    # technique to the seconds of its runs, each on one core
    seconds: dict[str, list[float]] = {}
    for model in suite.models:
        for run, notes in ledger.read_notes(suite.ledger, model.name).items():
            seconds.setdefault(run.technique, []).append(notes["seconds"])
    if not seconds or not pending:
        return ""
    means = {technique: sum(values) / len(values) for technique, values in seconds.items()}
    every = [value for values in seconds.values() for value in values]
    # a technique without runs is assumed to be as slow as the average
    total = sum(means.get(run.technique, sum(every) / len(every)) for run in pending)
    return f", about {duration(total / jobs)} with {jobs} jobs"
