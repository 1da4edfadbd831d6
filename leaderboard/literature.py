"""Boards of published measurements: fine-tuned CLIPs, the pools that scores are ranked on, published scores.

The figures are in `published/`, their sources in `published/README.md`.
"""

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from leaderboard.baselines import baselines
from leaderboard.board import Board, make_board
from leaderboard.schemas import POOLS
from leaderboard.statistics.pool import pool_summary
from leaderboard.tables import LEDGER, measurement_table, score_table
from leaderboard.targets import Measured, summarise, summarise_ledger

FOLDER = Path(__file__).parent / "published"
EXCLUDED = {("DTD", "nce")}  # the printed column repeats LogME's


@cache
def _published(name: str) -> pl.DataFrame:
    """One published table; types are inferred from all its rows."""
    return pl.read_csv(FOLDER / f"{name}.csv", infer_schema_length=None)


def clip_sources() -> list[tuple[str, str]]:
    """Each source of fine-tuned CLIPs with each of its techniques."""
    pairs = _published("clip_finetuning").select("source", "technique").unique(maintain_order=True)
    return [(source, technique) for source, technique in pairs.iter_rows()]


def clip_rows(source: str, technique: str) -> pl.DataFrame:
    """The ledger of one source's fine-tuned CLIPs, models named ARCHITECTURE/TAG; only runs that were evaluated on their own task."""
    table = _published("clip_finetuning").filter(
        (pl.col("source") == source) & (pl.col("technique") == technique),
    )
    ledger = table.select(
        pl.format("{}/{}", "model", "pretrained").alias("model"),
        pl.lit(0, pl.Int64).alias("seed"),  # published figures have none
        pl.col("technique", "trained_on", "evaluated_on"),
        pl.col("before", "after").cast(pl.Float64),
    ).select(LEDGER.names())
    own = ledger.filter(pl.col("trained_on") == pl.col("evaluated_on")).select("model", "trained_on").unique()
    return ledger.join(own, on=["model", "trained_on"], how="semi", maintain_order="left")


def clip(source: str, technique: str) -> Measured:
    """Gains, and forgetting where it was measured, of one source's fine-tuned CLIPs."""
    return summarise_ledger(clip_rows(source, technique))


def sizes() -> dict[str, tuple[float, float]]:
    """Millions of parameters, and billions of floating-point operations per image with text, of open_clip's models (ARCHITECTURE/TAG)."""
    table = _published("openclip_zeroshot").select("name", "pretrained", "params (M)", "FLOPs (B)")
    return {f"{name}/{tag}": (float(size), float(cost)) for name, tag, size, cost in table.iter_rows()}


def clip_board(source: str, technique: str, permutations: int = 2000) -> Board:
    """Correlations of headroom, size, the static ranking and other sources' measurements with one source's measurements.

    The other sources are an external noise ceiling: the correlation that a second measurement of the same models and tasks has.
    """
    m = clip(source, technique)
    size = sizes()
    rows = [
        {"scorer": "n_parameters", "model": model, "task": task, "score": size[model][0]}  # millions
        for model in m.models
        for task in m.tasks
        if model in size
    ]
    tables = [baselines(m), score_table(rows)]
    for other, same in clip_sources():
        if same == technique and other != source:
            tables.append(_as_scores(clip(other, same), f"as measured by {other}"))
    return make_board(pl.concat(tables), m, permutations=permutations, suite=f"{source}, {technique}")


def _as_scores(m: Measured, name: str) -> pl.DataFrame:
    """Measurements in the form of a scorer's table."""
    return score_table(
        {"scorer": name, "model": m.models[i], "task": m.tasks[j], "score": float(table[i, j])}
        | {"technique": technique, "target": target}
        for technique, targets in m.values.items()
        for target, table in targets.items()
        for i, j in np.argwhere(np.isfinite(table))
    )


def pools() -> pl.DataFrame:
    """The pools of models that the literature ranks, columns `pool` ("source, technique") and those of `schemas.POOLS`."""
    table = _published("vision_finetuning").filter(pl.col("trained_on") == pl.col("evaluated_on"))
    measured = [
        (source, summarise(_accuracies(rows, "technique", "trained_on", pl.col("after"))))
        for (source,), rows in table.group_by("source", maintain_order=True)
    ]
    # a single model has no order
    clips = [(source, clip(source, technique)) for source, technique in clip_sources()]
    measured += [(source, m) for source, m in clips if len(m.models) > 1]
    summaries = [
        {"pool": f"{source}, {technique}"} | pool_summary(technique, m.values[technique]["accuracy"], m.models)
        for source, m in measured
        for technique in m.techniques
    ]
    return pl.DataFrame(summaries, schema={"pool": pl.String, **POOLS})


def published_scores(source: str, permutations: int = 2000) -> Board:
    """The scores printed by `tllib` or `chaves`, with the accuracies printed beside them."""
    table = _published(f"scores_{source}")
    # one source prints percent, the other fractions
    percent = pl.lit(100 if table["accuracy"].max() > 1 else 1)  # type: ignore[operator]
    measured = table.with_columns(pl.lit("full").alias("technique"))
    m = summarise(_accuracies(measured, "technique", "dataset", pl.col("accuracy") / percent))
    excluded = pl.struct("dataset", "scorer").is_in([{"dataset": task, "scorer": name} for task, name in EXCLUDED])
    rows = table.filter(pl.col("score").is_not_null() & ~excluded).select("scorer", "model", "dataset", "score")
    scores = score_table(
        {"scorer": name, "model": model, "task": task, "score": float(score)}
        for name, model, task, score in rows.iter_rows()
    )
    return make_board(pl.concat([scores, baselines(m)]), m, permutations=permutations, suite=f"scores of {source}")


def _accuracies(table: pl.DataFrame, technique: str, task: str, accuracy: pl.Expr) -> pl.DataFrame:
    """Measurements of the accuracy after fine-tuning alone."""
    selected = table.select(
        "model", pl.col(task).alias("task"), pl.col(technique).alias("technique"), accuracy.alias("accuracy")
    )
    unique = selected.unique(["model", "task", "technique"], keep="last", maintain_order=True)
    return measurement_table(unique.iter_rows(named=True))
