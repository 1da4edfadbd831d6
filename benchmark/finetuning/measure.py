"""Measuring a suite: perform the runs that its ledger is missing, and add them."""

import logging
from dataclasses import replace
from pathlib import Path

from benchmark.embedding.cache import Cache
from benchmark.embedding.jobs import embed_suite
from benchmark.errors import InputError, UsageError, unknown_name
from benchmark.execution.progress import progress
from benchmark.finetuning import ledger
from benchmark.finetuning.planning import pending_runs, planned_runs, time_estimate
from benchmark.finetuning.runs import perform_runs
from benchmark.suites.suite import Suite
from benchmark.suites.techniques import load_techniques
from benchmark.tasks.cards import SPLITS

LOG = logging.getLogger("benchmark.measure")


def measure(suite: Suite, *, part: Suite, root: Path, jobs: int, quiet: bool = False, dry_run: bool = False) -> int:
    """Measure every run of `part` that the ledger of the full suite is missing; returns how many were added.

    root: the folder of the cache.  dry_run: log how many runs are missing and how long they will take, and add none.
    """
    if suite.published:
        raise UsageError(f"suite '{suite.name}' reads a published ledger, so there is nothing to measure")
    # before anything slow: a typing error is reported at once
    check_measurable(part)
    pending = pending_runs(suite, part=part)
    if dry_run or not pending:
        estimate = time_estimate(replace(suite, models=part.models), pending, jobs)
        LOG.info("measure: %d of %d runs left%s", len(pending), len(planned_runs(part)), estimate)
        return 0
    # before any run, so that workers with the same model do not wait for one of them to embed
    embed_suite(replace(suite, models=part.models), Cache(root), jobs, quiet, splits=SPLITS)
    added = 0
    for result in progress(perform_runs(suite, pending, root, jobs), len(pending), "measure", quiet):
        added += ledger.append(suite.ledger, result.run, before=result.before, after=result.after, notes=result.notes)
    return added


def check_measurable(suite: Suite) -> None:
    """Raise UsageError for a technique that is not installed, InputError for a model that has no zero-shot accuracy."""
    techniques = load_techniques()
    for technique in suite.techniques:
        if technique.name not in techniques:
            raise unknown_name("technique", technique.name, techniques)
    for model in suite.models:
        if model.vision_only:
            raise InputError(
                f"model '{model.name}' is vision-only: without texts it has no zero-shot accuracy, and so no gain",
                "leave it out with --models, or rank its scores against accuracies of your own with `rank --scores --gains`",
            )
