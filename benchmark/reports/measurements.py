"""The measurements that a suite is ranked against: its own ledger, or one that others published."""

import polars as pl

from benchmark.embedding.keys import Keys
from benchmark.errors import LedgerError
from benchmark.finetuning.conditions import checked_rows
from benchmark.finetuning.planning import planned_runs
from benchmark.suites.suite import Suite
from leaderboard.literature import clip_rows


def suite_ledger(suite: Suite, *, keys: Keys | None = None) -> pl.DataFrame:
    """The rows of a suite's ledger for its models, tasks and techniques; columns `leaderboard.tables.LEDGER`.

    Raises LedgerError for a missing ledger, for one without such rows, and for runs that were measured under other conditions than
    the suite declares now.
    """
    if suite.published:
        return _published_ledger(suite)
    if not suite.ledger.is_dir():
        raise LedgerError(
            f"{suite.ledger}: there is no ledger yet; `python -m benchmark measure --suite {suite.requested or suite.name}` creates it"
        )
    tasks = [task.name for task in suite.tasks]
    ledger = checked_rows(suite, planned_runs(suite), keys=keys).filter(
        pl.col("technique").is_in([technique.name for technique in suite.techniques]),
        pl.col("trained_on").is_in(tasks),
        # forgetting is the mean over the selected tasks
        pl.col("evaluated_on").is_in(tasks),
    )
    if ledger.is_empty():
        raise LedgerError(
            f"{suite.ledger}: contains no runs of the selected models, tasks and techniques; `python -m benchmark measure` adds them"
        )
    return ledger


def _published_ledger(suite: Suite) -> pl.DataFrame:
    """Published rows, with this suite's names for models and techniques."""
    # published tables name models as open_clip loads them, ARCHITECTURE/TAG
    model_names = {model.load: model.name for model in suite.models}
    tasks = [task.name for task in suite.tasks]
    tables = []
    for technique in suite.techniques:
        # a suite may list several sources of one technique, each under a name of its own
        source, _, published_name = suite.published[technique.name].partition("/")
        rows = clip_rows(source, published_name).filter(
            pl.col("model").is_in(list(model_names)),
            pl.col("trained_on").is_in(tasks),
            pl.col("evaluated_on").is_in(tasks),
        )
        tables.append(
            rows.with_columns(pl.col("model").replace_strict(model_names), pl.lit(technique.name).alias("technique"))
        )
    ledger = pl.concat(tables)
    if ledger.is_empty():
        raise LedgerError(
            f"suite '{suite.name}': nothing is published on the selected models, tasks and techniques; select more of them"
        )
    return ledger
