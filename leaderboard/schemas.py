"""The columns of a board's tables (polars schemas), and their form in JSON."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from leaderboard.statistics.intervals import Estimates

ESTIMATE = pl.Struct({"value": pl.Float64(), "low": pl.Float64(), "high": pl.Float64(), "p": pl.Float64()})
KEY = pl.Schema(
    {
        "scorer": pl.String(),
        "target": pl.String(),  # one of targets.TARGETS
        "technique": pl.String(),
        "axis": pl.String(),  # one of axes.AXES
        "measure": pl.String(),  # one of correlation.MEASURES, "slope"; over models also "rel@1", "regret@1"
    }
)
ROWS = pl.Schema(
    {
        **KEY,
        "value": pl.Float64(),  # mean over the groups; null with too few points
        "low": pl.Float64(),  # 95 % interval; null with too few clusters
        "high": pl.Float64(),
        "p": pl.Float64(),  # by permutation
        "holm": pl.Float64(),  # p adjusted over the scorers
        "ceiling": pl.Float64(),  # the highest value that the noise between seeds allows
        "n": pl.Int64(),  # points used, over all groups
        "groups": pl.Int64(),  # models (axis tasks) or tasks (axis models) in the mean
        "coverage": pl.Float64(),  # share of the measured (model, task) cells that the scorer scored
        "constant": pl.Boolean(),  # the score is the same everywhere
        "ties": pl.Float64(),  # share of the pairs of points of a group with equal scores
    }
)
PER_GROUP = pl.Schema({**KEY, "group": pl.String(), "value": pl.Float64()})  # model (axis tasks) or task (axis models)
LEADS = pl.Schema(
    {
        **KEY,
        "baseline": pl.String(),
        "value": pl.Float64(),  # the scorer's value minus the baseline's, on the cells that both have
        "low": pl.Float64(),
        "high": pl.Float64(),
        "p": pl.Float64(),
    }
)
PARTIALS = pl.Schema(
    {
        "scorer": pl.String(),
        "technique": pl.String(),
        "axis": pl.String(),
        "partial": ESTIMATE,  # partial correlation of score and gain given the accuracy before
        "partial_rank": ESTIMATE,  # the same of ranks
        "holm": pl.Float64(),  # p of `partial`, adjusted over the scorers
        "informative": pl.Boolean(),  # holm < .05, both intervals on one side of zero, not a baseline or a restatement of headroom
        "r2_rise": pl.Float64(),  # rise in cross-validated R² of gain over headroom alone; axis pooled only
        "fidelity": ESTIMATE,  # Pearson's r of the absolute differences in score and in gain; not pooled
    }
)
FORGETTING = pl.Schema(
    {
        "technique": pl.String(),
        "mean": ESTIMATE,  # forgetting in accuracy (0..1), mean over models, seeds and tasks
        "gain": pl.Float64(),  # mean gain of the same technique
        "over_full": ESTIMATE,  # forgetting minus that under `full`, on the same runs; null for `full` itself, or without it
        "worst_task": pl.String(),  # the task after whose fine-tuning the other tasks lose most
        "worst": pl.Float64(),  # forgetting after that task
    }
)
PREDICTORS = pl.Schema(
    {
        "technique": pl.String(),
        "scorer": pl.String(),
        "correlation": ESTIMATE,  # with forgetting, over tasks; significant after Holm; p is null
    }
)
POOLS = pl.Schema(
    {
        "technique": pl.String(),
        "models": pl.Int64(),
        "tasks": pl.Int64(),
        "dispersion": pl.Float64(),  # 1 − Kendall's W of the models' order by accuracy, 0: the same order on every task
        "static": pl.Float64(),  # weighted τ between the static ranking and the accuracies, mean over tasks
        "headroom": pl.Float64(),  # accuracy that the best model per task adds to the model that is best on average
        "best": pl.String(),  # that model
    }
)


def table(columns: Mapping[str, Any], schema: pl.Schema) -> pl.DataFrame:
    """A table from columns in any order; a single value is that of every row, NaN in an array is null."""
    return pl.DataFrame({name: columns[name] for name in schema}, schema=schema, nan_to_null=True)


def estimate_column(estimates: Estimates) -> pl.Series:
    """Estimates as a column of structs (ESTIMATE), NaN as null."""
    columns = {name: getattr(estimates, name) for name in ("value", "low", "high", "p")}
    return pl.DataFrame(columns, nan_to_null=True).to_struct()


def finite_or_none(value: float) -> float | None:
    """A number, or None where it is not finite."""
    return float(value) if np.isfinite(value) else None


def encode_table(table: pl.DataFrame) -> dict[str, Any]:
    """A table as JSON values, column by column. A column of texts is a list of its distinct texts and a list of indices into it."""
    return {
        name: _encode_texts(table[name]) if kind == pl.String else table[name].to_list()
        for name, kind in table.schema.items()
    }


def decode_table(columns: dict[str, Any], schema: pl.Schema) -> pl.DataFrame:
    """The table that `encode_table` encoded."""
    return pl.DataFrame(
        {
            name: _decode_texts(columns[name]) if kind == pl.String else pl.Series(columns[name], dtype=kind)
            for name, kind in schema.items()
        },
        schema=schema,
    )


def _encode_texts(column: pl.Series) -> dict[str, list[Any]]:
    texts = column.drop_nulls().unique(maintain_order=True)
    codes = column.replace_strict(texts, pl.int_range(len(texts), eager=True), return_dtype=pl.Int64)
    return {"texts": texts.to_list(), "codes": codes.to_list()}


def _decode_texts(encoded: dict[str, list[Any]]) -> pl.Series:
    texts = pl.Series(encoded["texts"], dtype=pl.String)
    return texts.gather(pl.Series(encoded["codes"], dtype=pl.UInt32))
