"""Scores of the scorers that read the ledger, such as `static_rank`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

import leaderboard
import scorers
from benchmark.scoring.selection import select_scorers


def ledger_scores(ledger: pl.DataFrame, names: Sequence[str] | None) -> pl.DataFrame:
    """One score per scorer, technique, target, model and task; columns `leaderboard.tables.SCORES`.

    names: the selected scorers (None: all); those that do not read the ledger are skipped.  A score on a task is computed from the
    other tasks only, so that it never contains the value it is compared with.
    """
    rows: list[dict[str, Any]] = []
    measured = leaderboard.summarise_ledger(ledger)
    for name, function in select_scorers(names).items():
        if "ledger" not in function.spec.needs:
            continue
        for technique, targets in measured.values.items():
            for target, values in targets.items():  # values: (models, tasks)
                pool_ranks = leaderboard.ranks(values)
                for i, j in np.ndindex(*values.shape):
                    # such a scorer reads the ranks alone; one row of zeros stands for the embeddings
                    embeddings = scorers.Embeddings([[0.0]], [0], ledger=leaderboard.ranks_elsewhere(pool_ranks, i, j))
                    # of one technique and target, unlike other scores, which are blank there
                    row = {"scorer": name, "model": measured.models[i], "task": measured.tasks[j]}
                    row |= {"technique": technique, "target": target}
                    try:
                        rows.append(row | {"score": function(embeddings)})
                    except Exception as error:  # an abstention, or a bug in a scorer; neither ends the run
                        rows.append(row | {"abstained": scorers.reason(error), "raised": scorers.raised(error)})
    return leaderboard.score_table(rows)
