"""The board: the correlations of every score with every target, with intervals, p values and noise ceilings."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leaderboard.board_id import board_id
from leaderboard.correlation_tables import Pairing, concat_tables, correlation_tables
from leaderboard.errors import LeaderboardError
from leaderboard.schemas import PARTIALS, POOLS
from leaderboard.score_arrays import ScoreArrays
from leaderboard.statistics import correlation
from leaderboard.statistics.axes import AXES
from leaderboard.statistics.forgetting import forgetting_predictors, forgetting_table
from leaderboard.statistics.partial import partial_correlations
from leaderboard.statistics.pool import pool_summary, stability
from leaderboard.targets import TARGETS, Measured, summarise_ledger

Floats = NDArray[np.float64]
Orientation = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, eq=False)
class Board:
    """The statistics of one suite. Tables are polars data frames; `schemas` describes their columns.

    rows: a value with interval and p per scorer, target, technique, axis and measure (ROWS).  per_group: the values of the models or tasks
    that a row averages (PER_GROUP).  leads: differences to the baselines (LEADS).  partials: partial correlations with gain given the
    accuracy before (PARTIALS).  forgetting, predictors: forgetting by technique, and the scorers that correlate with it (FORGETTING,
    PREDICTORS).  pools: the models' order, by technique (POOLS).

    ranking[technique][target]: scorers, best first, by mean Pearson correlation over tasks.  outcomes[technique]: means and extremes of gain
    and forgetting.  stability[technique]: mean Kendall τ between the ranking of scorers by gain and rankings with one thing changed.
    negated[scorer]: the targets for which its score was multiplied by −1, since less of it predicts more.  seconds[scorer]: mean time of one
    score.  id: see `board_id`.
    """

    id: str
    suite: str
    models: tuple[str, ...]
    tasks: tuple[str, ...]
    techniques: tuple[str, ...]
    seeds: tuple[int, ...]
    permutations: int
    rows: pl.DataFrame
    per_group: pl.DataFrame
    leads: pl.DataFrame
    partials: pl.DataFrame
    forgetting: pl.DataFrame
    predictors: pl.DataFrame
    pools: pl.DataFrame
    ranking: dict[str, dict[str, tuple[str, ...]]]
    outcomes: dict[str, dict[str, float]]
    stability: dict[str, dict[str, float]]
    negated: dict[str, tuple[str, ...]]
    seconds: dict[str, float]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Board):
            return NotImplemented
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        # == of data frames is by cell; `equals` counts two nulls as equal
        return all(a.equals(b) if isinstance(a, pl.DataFrame) else a == b for a, b in pairs)

    __hash__ = None  # type: ignore[assignment]  # data frames have no hash

    def find(self, scorer: str, technique: str, target: str, axis: str, measure: str) -> dict[str, Any]:
        """One row of `rows`, by column. Raises KeyError where there is none."""
        key = {"scorer": scorer, "technique": technique, "target": target, "axis": axis, "measure": measure}
        rows = self.rows.filter(**key)
        if rows.is_empty():
            raise KeyError(f"the board has no row of {key}")
        return rows.row(0, named=True)

    def informative(self, technique: str) -> pl.DataFrame:
        """The rows of `partials` over tasks that are informative, the largest absolute partial correlations first."""
        rows = self.partials.filter(pl.col("informative"), technique=technique, axis="tasks")
        strength = pl.col("partial").struct.field("value").fill_null(0.0).abs()
        return rows.sort(-strength, maintain_order=True)


def filter_board(board: Board, targets: Collection[str] | None = None, axes: Collection[str] | None = None) -> Board:
    """The board with the rows of these targets and axes only. Raises LeaderboardError for an unknown one."""
    for kind, selected, names in (("target", targets, TARGETS), ("axis", axes, AXES)):
        for name in selected or ():
            if name not in names:
                raise LeaderboardError(f"{kind} '{name}' is not known; known: {', '.join(names)}")
    targets, axes = targets or TARGETS, axes or AXES
    selection = pl.col("target").is_in(list(targets)) & pl.col("axis").is_in(list(axes))
    with_gain, with_forgetting = pl.lit("gain" in targets), pl.lit("forgetting" in targets)
    return replace(
        board,
        rows=board.rows.filter(selection),
        per_group=board.per_group.filter(selection),
        leads=board.leads.filter(selection),
        partials=board.partials.filter(with_gain & pl.col("axis").is_in(list(axes))),
        forgetting=board.forgetting.filter(with_forgetting),
        predictors=board.predictors.filter(with_forgetting),
        ranking={
            technique: {target: names for target, names in by_target.items() if target in targets}
            for technique, by_target in board.ranking.items()
        },
    )


def make_board(
    scores: pl.DataFrame,
    measurements: pl.DataFrame | Measured,
    *,
    orientation: Orientation | None = None,
    permutations: int = 2000,
    seed: int = 0,
    suite: str = "",
) -> Board:
    """Correlate scores (columns `tables.SCORES`) with measurements: a ledger (columns `tables.LEDGER`), or its summary.

    orientation[scorer][target]: −1 multiplies the score by −1 first; +1 is the default.  permutations, seed: of the p values
    (`statistics.permutation`). Raises LeaderboardError where scores and measurements have no (model, task) in common.
    """
    m = measurements if isinstance(measurements, Measured) else summarise_ledger(measurements)
    _check_common_cells(scores, m)
    signs = orientation or {}
    arrays = ScoreArrays(scores, m)
    pairings = _pairings(arrays, m, signs)
    tables = concat_tables([correlation_tables(pairing, permutations, seed) for pairing in pairings])
    of_gain = [pairing for pairing in pairings if pairing.target == "gain"]
    # given before, partial correlations with gain and with accuracy are equal: once, for gain
    partials = [partial_correlations(p.names, p.technique, p.x, p.y, m.before[p.technique]) for p in of_gain]
    return Board(
        id=board_id(scores, m, signs, permutations=permutations, seed=seed),
        suite=suite,
        models=m.models,
        tasks=m.tasks,
        techniques=m.techniques,
        seeds=m.seeds,
        permutations=permutations,
        rows=tables.rows,
        per_group=tables.per_group,
        leads=tables.leads,
        partials=pl.concat([pl.DataFrame(schema=PARTIALS), *partials]),
        forgetting=forgetting_table(m),
        predictors=forgetting_predictors(tables.rows),
        pools=pl.DataFrame([pool_summary(k, m.values[k]["accuracy"], m.models) for k in m.techniques], schema=POOLS),
        ranking={k: {target: _ranking(tables.rows, k, target) for target in TARGETS} for k in m.techniques},
        outcomes={k: _outcomes(m, k) for k in m.techniques},
        stability=_stability(of_gain, tables.rows),
        negated=_negated(arrays.names, signs),
        seconds=_seconds(scores),
    )


def _check_common_cells(scores: pl.DataFrame, m: Measured) -> None:
    if scores.filter(pl.col("model").is_in(m.models) & pl.col("task").is_in(m.tasks)).is_empty():
        raise LeaderboardError(
            "scores and measurements have no (model, task) in common; check the names in both tables"
            f" (scores: {_first_names(scores['model'])} on {_first_names(scores['task'])};"
            f" measurements: {_first_names(m.models)} on {_first_names(m.tasks)})"
        )


def _first_names(names: Iterable[str]) -> str:
    distinct = sorted(set(names))
    return ", ".join(distinct[:3]) + (", ..." if len(distinct) > 3 else "")


def _pairings(arrays: ScoreArrays, m: Measured, orientation: Orientation) -> list[Pairing]:
    """One per technique and target that was measured."""
    pairings = []
    for technique in m.techniques:
        for target in TARGETS:
            y = m.values[technique][target]
            if not np.isfinite(y).any():
                continue
            signs = np.array([orientation.get(name, {}).get(target, +1) for name in arrays.names])  # (S,)
            pairings.append(
                Pairing(
                    names=tuple(arrays.names),
                    models=m.models,
                    tasks=m.tasks,
                    technique=technique,
                    target=target,
                    x=signs[:, None, None] * arrays.table(technique, target),  # (S, models, tasks)
                    y=y,
                    by_seed=m.by_seed[technique][target],
                )
            )
    return pairings


def _ranking(rows: pl.DataFrame, technique: str, target: str) -> tuple[str, ...]:
    """Scorers by mean Pearson correlation over tasks; those without an interval come last, by value."""
    own = rows.filter(technique=technique, target=target, axis="tasks", measure="pearson")
    # by name where values are equal, so that the ranking does not depend on the order of the rows
    return tuple(own.sort(pl.col("low").is_null(), -pl.col("value").fill_null(0.0), pl.col("scorer"))["scorer"])


def _stability(of_gain: list[Pairing], rows: pl.DataFrame) -> dict[str, dict[str, float]]:
    """By technique: stability against changes of models, tasks and seeds, and the agreement with other techniques."""
    means = {pairing.technique: stability(pairing.x, pairing.by_seed) for pairing in of_gain}
    for technique, tau in _agreement(rows).items():
        means[technique] |= {"another technique": tau}
    return means


def _agreement(rows: pl.DataFrame) -> dict[str, float]:
    """Mean Kendall τ between a technique's ranking of the scorers by gain and those of the other techniques."""
    by_gain = rows.filter(target="gain", axis="tasks", measure="pearson")
    techniques = by_gain["technique"].unique(maintain_order=True)
    if len(techniques) < 2:
        return {}
    # every technique has the same scorers in the same order
    values = by_gain["value"].fill_null(np.nan).to_numpy().reshape(len(techniques), -1)
    keep = np.ones((1, values.shape[1]))
    taus = correlation.rank_correlations(values[:, None], values[None], keep)["kendall"][..., 0]
    np.fill_diagonal(taus, np.nan)  # the agreement of a technique with itself
    defined = {technique: row[np.isfinite(row)] for technique, row in zip(techniques, taus, strict=True)}
    return {technique: float(row.mean()) for technique, row in defined.items() if len(row)}


def _outcomes(m: Measured, technique: str) -> dict[str, float]:
    gains, forgetting = m.values[technique]["gain"], m.values[technique]["forgetting"]
    measured = gains[np.isfinite(gains)]
    outcomes = {}
    if measured.size:
        outcomes = {
            "mean gain": measured.mean(),
            "smallest gain": measured.min(),
            "largest gain": measured.max(),
            "share of losses": (measured < 0).mean(),
        }
    if np.isfinite(forgetting).any():
        outcomes |= {"mean forgetting": np.nanmean(forgetting), "largest forgetting": np.nanmax(forgetting)}
    return {name: float(value) for name, value in outcomes.items()}


def _negated(names: Iterable[str], orientation: Orientation) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(target for target in TARGETS if orientation[name].get(target, +1) < 0)
        for name in names
        if min(orientation.get(name, {}).values(), default=+1) < 0
    }


def _seconds(scores: pl.DataFrame) -> dict[str, float]:
    """Mean seconds of a scorer per (model, task), where it was timed."""
    timed = scores.filter(pl.col("seconds").is_not_null()).group_by("scorer", maintain_order=True).agg("seconds")
    # summed in the order of the rows, so that the bytes do not depend on how polars sums
    return {name: sum(seconds) / len(seconds) for name, seconds in timed.iter_rows()}
