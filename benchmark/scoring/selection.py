"""Selecting scorers by name, and reporting those that failed."""

import logging
from collections.abc import Sequence

import polars as pl

import scorers
from benchmark.errors import unknown_name

LOG = logging.getLogger("benchmark.scoring")


def select_scorers(names: Sequence[str] | None) -> dict[str, scorers.AnyScorer]:
    """The scorers of these names; None or "all" selects every one. Raises UsageError for an unknown name."""
    registered = scorers.registry().scorers
    if names is None or list(names) == ["all"]:
        return dict(registered)
    for name in names:
        if name not in registered:
            raise unknown_name("scorer", name, registered)
    return {name: registered[name] for name in dict.fromkeys(names)}


def report_load_failures() -> None:
    """Warn about installed scorers that could not be loaded."""
    for name, reason in scorers.registry().failures.items():
        LOG.warning("scorer '%s' %s; the others are not affected", name, reason)


def report_raised(scores: pl.DataFrame) -> None:
    """Warn about scorers that raised an exception, which is a fault of theirs, where an abstention is none."""
    raised = scores.filter(pl.col("raised") != "")
    for (name,), rows in raised.group_by("scorer", maintain_order=True):
        LOG.warning("scorer '%s' abstains on %d cells: %s", name, len(rows), rows["abstained"][0])
