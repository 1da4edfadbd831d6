"""The board: how every score goes along with every target, with intervals, p values and what the ledger's own noise allows."""

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leaderboard import choice, correlation
from leaderboard.axes import AXES, leave_one_out, move_axis, or_null, over_groups
from leaderboard.beyond import BASELINES, GivenBefore, given_before
from leaderboard.correlation import MEASURES
from leaderboard.errors import LeaderboardError
from leaderboard.forgetting import Forgetting, forgetting
from leaderboard.intervals import Estimate, estimate, holm
from leaderboard.layout import Layout
from leaderboard.permutation import p_values
from leaderboard.pool import PoolSummary, pool_summary, stability
from leaderboard.reliability import ceilings
from leaderboard.tables import SCORE_KEY
from leaderboard.targets import TARGETS, Measured, summarise_ledger

Floats = NDArray[np.float64]
PROCEDURE = 1  # raised when the same tables would give other numbers
FISHER = frozenset(MEASURES)  # what has an interval on Fisher's scale


@dataclass(frozen=True)
class Line:
    """One number of the board. Null (None) where it is not defined: `value` without points enough, the interval without clusters enough.

    measure: one of correlation.MEASURES, "slope" (of target on score), and over models "rel@1" and "regret@1" (`choice`).  p: by
    permutation; holm: adjusted over the scorers.  ceiling: the highest value that the noise between seeds allows.  n: points that took
    part.  groups: models (axis tasks) or tasks (axis models) averaged over.  coverage: share of the measured (model, task) cells that
    the scorer scored.  constant: the score is the same everywhere.  ties: share of the pairs of points of a group that the score leaves tied.  over: by how much the value exceeds that of a baseline.
    """

    scorer: str
    target: str
    technique: str
    axis: str
    measure: str
    value: float | None
    low: float | None
    high: float | None
    p: float | None
    holm: float | None
    ceiling: float | None
    n: int
    groups: int
    coverage: float
    constant: bool
    ties: float
    per_group: dict[str, float | None]
    over: dict[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True)
class Board:
    """ranking[technique][target]: scorers, best first, by mean Pearson correlation over tasks; a board's own order is that by gain.

    forgetting: one entry per technique, the least forgetful first.  beyond: what scores say of gain that is not in the accuracy before.
    pools: can the pool tell scores apart, per technique.  stability[technique]: mean Kendall τ between the ranking of scorers and those
    with one thing changed.  turned: scorer to the targets for which its score was turned round, since less of it predicts more.  id: the first 12 digits of a hash of all that decides the board: scores, measurements and procedure.
    """

    id: str
    suite: str
    models: tuple[str, ...]
    tasks: tuple[str, ...]
    techniques: tuple[str, ...]
    seeds: tuple[int, ...]
    permutations: int
    lines: tuple[Line, ...]
    ranking: dict[str, dict[str, tuple[str, ...]]]
    outcomes: dict[str, dict[str, float]]
    forgetting: tuple[Forgetting, ...]
    beyond: tuple[GivenBefore, ...]
    pools: tuple[PoolSummary, ...]
    stability: dict[str, dict[str, float]]
    turned: dict[str, tuple[str, ...]]
    seconds: dict[str, float]

    def informative(self, technique: str) -> list[GivenBefore]:
        """Over tasks, what is informative beyond the accuracy before: the largest partial correlations first."""
        told = [e for e in self.beyond if (e.technique, e.axis) == (technique, "tasks") and e.informative]
        return sorted(told, key=lambda e: -abs(e.partial.value or 0.0))

    def find(self, scorer: str, technique: str, target: str, axis: str, measure: str) -> Line:
        return next(
            x
            for x in self.lines
            if (x.scorer, x.technique, x.target, x.axis, x.measure) == (scorer, technique, target, axis, measure)
        )


def filter_board(board: Board, targets: Collection[str] | None = None, axes: Collection[str] | None = None) -> Board:
    """The board with the lines of these targets and axes alone. Raises LeaderboardError for one that there is not."""
    for what, wanted, known in (("target", targets, TARGETS), ("axis", axes, AXES)):
        for name in set(wanted or ()) - set(known):
            raise LeaderboardError(f"{what} '{name}' is not known; known: {', '.join(known)}")
    lines = [x for x in board.lines if x.target in (targets or TARGETS) and x.axis in (axes or AXES)]
    beyond = [x for x in board.beyond if "gain" in (targets or TARGETS) and x.axis in (axes or AXES)]
    forgot = board.forgetting if "forgetting" in (targets or TARGETS) else ()
    ranking = {k: {t: names for t, names in of.items() if t in (targets or TARGETS)} for k, of in board.ranking.items()}
    return replace(board, lines=tuple(lines), ranking=ranking, beyond=tuple(beyond), forgetting=forgot)


def to_json(board: Board) -> str:
    """The board in full precision, for `from_json`."""
    return json.dumps(asdict(board))


def from_json(text: str) -> Board:
    """The board that `to_json` wrote."""
    board: Board = _built(Board, json.loads(text))
    return board


@lru_cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


@lru_cache
def _isor_null(kind: Any) -> bool:
    """Whether JSON gives such a value back as it was: no class and no tuple is in it."""
    if dataclasses.is_dataclass(kind) or typing.get_origin(kind) is tuple:
        return False
    return all(_isor_null(part) for part in typing.get_args(kind))


def _built(kind: Any, value: Any) -> Any:
    """A value of a declared type from what JSON made of it."""
    if _isor_null(kind):
        return value
    of = typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        types_of = _hints(kind)  # type: ignore[arg-type]
        return kind(**{name: _built(types_of[name], item) for name, item in value.items()})  # type: ignore[operator]
    if typing.get_origin(kind) is tuple:
        kinds = [of[0]] * len(value) if of[-1] is Ellipsis else of
        return tuple(_built(k, item) for k, item in zip(kinds, value, strict=True))
    if typing.get_origin(kind) is dict:
        return {name: _built(of[1], item) for name, item in value.items()}
    if isinstance(kind, types.UnionType) and value is not None:
        return _built(next(k for k in of if k is not type(None)), value)
    return value


def make_board(
    scores: pl.DataFrame,
    measurements: pl.DataFrame | Measured,
    *,
    orientation: Mapping[str, Mapping[str, int]] | None = None,
    permutations: int = 2000,
    seed: int = 0,
    suite: str = "",
) -> Board:
    """Correlate scores (columns `tables.SCORES`) with measurements: a ledger (columns `tables.LEDGER`), or its summary.

    orientation[scorer][target]: −1 turns the score round first; +1 where nothing is said. Intervals are those of `intervals`, p values
    those of `permutation`. Raises LeaderboardError where scores and ledger share nothing.
    """
    m = measurements if isinstance(measurements, Measured) else summarise_ledger(measurements)
    if scores.filter(pl.col("model").is_in(m.models) & pl.col("task").is_in(m.tasks)).is_empty():
        raise LeaderboardError(
            "scores and measurements have no (model, task) in common; check the names in both tables"
            f" (scores: {_some(scores['model'])} on {_some(scores['task'])};"
            f" measurements: {_some(m.models)} on {_some(m.tasks)})"
        )
    layout = Layout(scores, m)
    names = layout.names
    lines: list[Line] = []
    further: list[GivenBefore] = []
    steady: dict[str, dict[str, float]] = {}
    for technique in m.techniques:
        for target in TARGETS:
            if not np.isfinite(m.values[technique][target]).any():
                continue
            signs = [(orientation or {}).get(name, {}).get(target, +1) for name in names]
            x = np.array(signs)[:, None, None] * layout.table(technique, target)
            for axis in AXES:
                lines += _lines(names, target, technique, axis, x, m, permutations, seed)
            if target == "gain":
                further += given_before(names, technique, x, m.values[technique]["gain"], m.before[technique])
                steady[technique] = stability(x, m.by_seed[technique]["gain"])
    for k, others in _between_techniques(lines).items():
        steady[k] = steady.get(k, {}) | others
    ranking = {k: {target: _ranking(lines, k, target) for target in TARGETS} for k in m.techniques}
    return Board(
        _id(scores, m, orientation, permutations, seed),
        suite,
        m.models,
        m.tasks,
        m.techniques,
        m.seeds,
        permutations,
        tuple(lines),
        ranking,
        {k: _outcomes(m, k) for k in m.techniques},
        forgetting(m, _of_forgetting(lines)),
        tuple(further),
        tuple(pool_summary(k, m.values[k]["accuracy"], m.models) for k in m.techniques),
        steady,
        {
            name: tuple(t for t in TARGETS if (orientation or {}).get(name, {}).get(t, +1) < 0)
            for name in names
            if min((orientation or {}).get(name, {}).values(), default=1) < 0
        },
        _seconds(scores),
    )


def _id(
    scores: pl.DataFrame,
    m: Measured,
    orientation: Mapping[str, Mapping[str, int]] | None,
    permutations: int,
    seed: int,
) -> str:
    table = sorted([*key, repr(score)] for *key, score in scores.select(*SCORE_KEY, "score").iter_rows())
    named = {name for name, *_ in table}
    turned = {name: dict(of) for name, of in (orientation or {}).items() if name in named}
    values = {k: {t: of.tolist() for t, of in targets.items()} for k, targets in m.by_seed.items()}
    procedure = [turned, permutations, seed, PROCEDURE]
    known = [table, m.models, m.tasks, m.seeds, values, {k: of.tolist() for k, of in m.before.items()}, procedure]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:12]


def _some(names: Iterable[str]) -> str:
    known = sorted(set(names))
    return ", ".join(known[:3]) + (", ..." if len(known) > 3 else "")


def _lines(
    names: list[str], target: str, technique: str, axis: str, x: Floats, m: Measured, permutations: int, seed: int
) -> list[Line]:
    y = m.values[technique][target]
    models, tasks = y.shape
    known = np.isfinite(x) & np.isfinite(y)
    xs, ys = move_axis(axis, x), move_axis(axis, y)
    keep, clusters = leave_one_out(models, tasks, axis)
    grouped = correlation.correlations(xs, ys, keep) | {"slope": correlation.slope(xs, ys, keep)}
    means = {measure: over_groups(values) for measure, values in grouped.items()}
    selections = dict.fromkeys(means, clusters)
    if axis == "models" and target != "forgetting":
        per_task, of_tasks = leave_one_out(models, tasks, "tasks")
        for measure, values in choice.first_choices(x, y, relative=target == "accuracy").items():
            grouped[measure] = values[..., None]
            means[measure] = over_groups(np.where(per_task.T > 0, values[..., None], np.nan))
            selections[measure] = of_tasks
    places = {name: i for i, name in enumerate(names)}
    leads_of = {base: _leads(means, x, y, known, places[base], axis, keep) for base in BASELINES if base in places}
    p = p_values(x, y, axis, permutations, seed)
    if "static_rank" in places:  # made of y itself, which a permutation would have to make it of again
        for values in p.values():
            values[places["static_rank"]] = np.nan
    top = ceilings(m.by_seed[technique][target], axis)
    labels = {"tasks": m.models, "models": m.tasks, "pooled": ()}[axis]
    points = (np.isfinite(xs) & np.isfinite(ys)).sum(-1)
    ties = _ties(np.where(np.isfinite(ys), xs, np.nan))
    coverage = known.sum((1, 2)) / np.isfinite(y).sum()
    constant = [k.any() and np.ptp(scores[k]) == 0 for scores, k in zip(x, known, strict=True)]
    lines = []
    for measure, values in means.items():
        of = {name: or_null(p[measure][i]) if measure in p else None for i, name in enumerate(names)}
        adjusted = holm(of)
        leads = {
            base: estimate(of_base[measure], selections[measure], known & known[places[base]], fisher=False)
            for base, of_base in leads_of.items()
            if measure in of_base
        }
        for i, e in enumerate(estimate(values, selections[measure], known, measure in FISHER)):
            name = names[i]
            used = np.isfinite(grouped[measure][i, :, 0])
            over = {base: of_all[i] for base, of_all in leads.items() if base != name and of_all[i].low is not None}
            lines.append(
                Line(
                    name,
                    target,
                    technique,
                    axis,
                    measure,
                    e.value,
                    e.low,
                    e.high,
                    of[name],
                    adjusted[name],
                    top.get(measure),
                    int(points[i][used].sum()),
                    int(used.sum()),
                    float(coverage[i]),
                    bool(constant[i]),
                    float(ties[i]),
                    {label: or_null(v) for label, v in zip(labels, grouped[measure][i, :, 0], strict=bool(labels))},
                    over,
                )
            )
    return lines


def _ties(x: Floats) -> Floats:
    """(S,) of (S, groups, points): the share of pairs within a group that are equal; 0 without pairs."""
    i, j = np.triu_indices(x.shape[-1], 1)
    pairs = np.isfinite(x[..., i]) & np.isfinite(x[..., j])
    equal = pairs & (x[..., i] == x[..., j])
    return np.asarray(equal.sum((1, 2)) / np.maximum(1, pairs.sum((1, 2))))


def _leads(
    means: dict[str, Floats], x: Floats, y: Floats, known: NDArray[np.bool_], j: int, axis: str, keep: Floats
) -> dict[str, Floats]:
    """measure to (S, B): each scorer's values less those of scorer j, both on the cells that both have."""
    values = {measure: of - of[j] for measure, of in means.items() if measure != "slope"}
    other = np.flatnonzero((known != known[j]).any((1, 2)))
    if len(other):
        both = known[other] & known[j]
        own, rival = (
            correlation.correlations(move_axis(axis, np.where(both, of, np.nan)), move_axis(axis, y), keep)
            for of in (x[other], x[j])
        )
        for measure, of in values.items():
            of[other] = over_groups(own[measure]) - over_groups(rival[measure]) if measure in own else np.nan
    return values


def _between_techniques(lines: Iterable[Line]) -> dict[str, dict[str, float]]:
    """For each technique the mean Kendall τ between its ranking of the scorers by gain and those of the other techniques."""
    values: dict[str, dict[str, float]] = {}
    for x in lines:
        if (x.target, x.axis, x.measure) == ("gain", "tasks", "pearson"):
            values.setdefault(x.technique, {})[x.scorer] = float("nan") if x.value is None else x.value
    if len(values) < 2:
        return {}
    names = sorted(set().union(*values.values()))
    table = np.array([[of.get(name, np.nan) for name in names] for of in values.values()])
    taus = correlation.rank_correlations(table[:, None], table[None], np.ones((1, len(names))))["kendall"][..., 0]
    np.fill_diagonal(taus, np.nan)
    known = {k: row[np.isfinite(row)] for k, row in zip(values, taus, strict=True)}
    return {k: {"another technique": float(row.mean())} for k, row in known.items() if len(row)}


def _of_forgetting(lines: Iterable[Line]) -> dict[str, list[tuple[str, Estimate]]]:
    """technique to every scorer's correlation with forgetting, as the ranking reads it."""
    found: dict[str, list[tuple[str, Estimate]]] = {}
    for x in lines:
        place = x.target, x.axis, x.measure
        if place == ("forgetting", "tasks", "pearson") and x.holm is not None and x.holm < 0.05:
            found.setdefault(x.technique, []).append((x.scorer, Estimate(x.value, x.low, x.high)))
    return found


def _ranking(lines: Iterable[Line], technique: str, target: str) -> tuple[str, ...]:
    """A number without its interval does not rank."""
    of = {
        x.scorer: x
        for x in lines
        if (x.technique, x.target, x.axis, x.measure) == (technique, target, "tasks", "pearson")
    }

    def key(name: str) -> tuple[bool, float, str]:
        value = of[name].value
        return of[name].low is None, 0.0 if value is None else -value, name

    return tuple(sorted(of, key=key))


def _outcomes(m: Measured, technique: str) -> dict[str, float]:
    gain, forgotten = m.values[technique]["gain"], m.values[technique]["forgetting"]
    known, out = gain[np.isfinite(gain)], {}
    if known.size:
        out = {
            "mean gain": known.mean(),
            "smallest gain": known.min(),
            "largest gain": known.max(),
            "share of losses": (known < 0).mean(),
        }
    if np.isfinite(forgotten).any():
        out |= {"mean forgetting": np.nanmean(forgotten), "largest forgetting": np.nanmax(forgotten)}
    return {name: float(value) for name, value in out.items()}


def _seconds(scores: pl.DataFrame) -> dict[str, float]:
    """Mean seconds of a scorer per (model, task), where they are known."""
    known = scores.filter(pl.col("seconds").is_not_null()).group_by("scorer", maintain_order=True).agg("seconds")
    return {name: sum(seconds) / len(seconds) for name, seconds in known.iter_rows()}
