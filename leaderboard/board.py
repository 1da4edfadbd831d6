"""The board: every scorer's correlation with every target, with intervals from resampling whole tasks."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leaderboard.correlation import FUNCTIONS, MEASURES
from leaderboard.errors import LeaderboardError
from leaderboard.forgetting import Estimate, Forgetting, forgetting
from leaderboard.resampling import LEAST_TASKS, interval, multiplicities, weighted_mean
from leaderboard.tables import Row, Score
from leaderboard.targets import TARGETS, Measured, measured

Floats = NDArray[np.float64]
AXES = ("tasks", "models", "pooled")
LEAST_POINTS = 3  # points that a correlation needs


@dataclass(frozen=True)
class Line:
    """One number of the board. Null (None) where it is not defined: `value` without points enough, `low`, `high` without tasks enough.

    n: points that took part.  groups: models (axis tasks) or tasks (axis models) averaged over.  coverage: share of the measured
    (model, task) cells that the scorer scored.  constant: the score is the same everywhere.  over: by how much the value exceeds
    that of a baseline, with the interval of the difference (same resamples).
    """

    scorer: str
    target: str
    technique: str
    axis: str
    measure: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    groups: int
    coverage: float
    constant: bool
    per_group: dict[str, float | None]
    over: dict[str, tuple[float, float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Board:
    """ranking[technique][target]: scorers, best first, by mean Pearson correlation over tasks; a board's own order is that by gain.

    forgetting: one entry per technique, the least forgetful first.
    """

    suite: str
    models: tuple[str, ...]
    tasks: tuple[str, ...]
    techniques: tuple[str, ...]
    seeds: tuple[int, ...]
    resamples: int
    lines: tuple[Line, ...]
    ranking: dict[str, dict[str, tuple[str, ...]]]
    outcomes: dict[str, dict[str, float]]
    forgetting: tuple[Forgetting, ...]
    seconds: dict[str, float]

    def find(self, scorer: str, technique: str, target: str, axis: str, measure: str) -> Line:
        return next(
            x
            for x in self.lines
            if (x.scorer, x.technique, x.target, x.axis, x.measure) == (scorer, technique, target, axis, measure)
        )


def to_json(board: Board) -> str:
    """The board in full precision, for `from_json`."""
    return json.dumps(asdict(board))


def from_json(text: str) -> Board:
    """The board that `to_json` wrote."""
    fields = json.loads(text)
    lines = []
    for line in fields.pop("lines"):
        over = {name: tuple(lead) for name, lead in line.pop("over").items()}
        lines.append(Line(**line, over=over))
    ranking = {k: {t: tuple(names) for t, names in of.items()} for k, of in fields.pop("ranking").items()}
    names: dict[str, Any] = {name: tuple(fields.pop(name)) for name in ("models", "tasks", "techniques", "seeds")}
    forgot = tuple(_forgetting(entry) for entry in fields.pop("forgetting"))
    return Board(**fields, **names, lines=tuple(lines), ranking=ranking, forgetting=forgot)


def _forgetting(entry: dict[str, Any]) -> Forgetting:
    mean, over = Estimate(**entry.pop("mean")), entry.pop("over_full")
    telling = tuple((name, Estimate(**found)) for name, found in entry.pop("predicted_by"))
    return Forgetting(**entry, mean=mean, over_full=over and Estimate(**over), predicted_by=telling)


def make_board(
    scores: Iterable[Score],
    ledger: Iterable[Row],
    *,
    orientation: Mapping[str, Mapping[str, int]] | None = None,
    resamples: int = 1000,
    seed: int = 0,
    suite: str = "",
) -> Board:
    """Correlate scores with measurements.

    orientation[scorer][target]: −1 turns the score round first; +1 where nothing is said. Intervals are percentiles (2.5, 97.5) over
    resamples of whole tasks, the same ones for every scorer. Raises LeaderboardError where scores and ledger share nothing.
    """
    scores, m = list(scores), measured(ledger)
    if not any(s.model in m.models and s.task in m.tasks for s in scores):
        raise LeaderboardError("scores and ledger have no (model, task) in common; check the names in both tables")
    weights = multiplicities(len(m.tasks), resamples, seed)
    names = sorted({s.scorer for s in scores})
    lines: list[Line] = []
    for technique in m.techniques:
        for target in TARGETS:
            values = m.values[technique][target]
            if not np.isfinite(values).any():
                continue
            draws: dict[tuple[str, str, str], tuple[Line, Floats]] = {}
            for name in names:
                sign = (orientation or {}).get(name, {}).get(target, +1)
                table = sign * _table(scores, m, name, technique, target)
                for line, sampled in _lines(name, target, technique, table, values, weights, m):
                    draws[name, line.axis, line.measure] = line, sampled
            lines += [_compared(line, sampled, draws) for line, sampled in draws.values()]
    return Board(
        suite,
        m.models,
        m.tasks,
        m.techniques,
        m.seeds,
        resamples,
        tuple(lines),
        {k: {target: _ranking(lines, k, target) for target in TARGETS} for k in m.techniques},
        {k: _outcomes(m, k) for k in m.techniques},
        forgetting(m, weights, _correlations(lines)),
        _seconds(scores),
    )


def _table(scores: list[Score], m: Measured, name: str, technique: str, target: str) -> Floats:
    """(models, tasks) scores of one scorer, NaN where it has none."""
    table = np.full((len(m.models), len(m.tasks)), np.nan)
    models, tasks = {x: i for i, x in enumerate(m.models)}, {x: i for i, x in enumerate(m.tasks)}
    for s in scores:
        if s.scorer != name or s.score is None or s.technique not in ("", technique) or s.target not in ("", target):
            continue
        if s.model in models and s.task in tasks:
            table[models[s.model], tasks[s.task]] = s.score
    return table


def _group(x: Floats, y: Floats, weights: Floats, measure: str) -> tuple[Floats, int]:
    """(1 + B,) correlations over the points that have both numbers, and their count; all NaN where they are too few or constant."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if len(x) < LEAST_POINTS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.full(len(weights), np.nan), int(known.sum())
    return FUNCTIONS[measure](x, y, weights[:, known]), len(x)


def _lines(
    name: str, target: str, technique: str, table: Floats, values: Floats, weights: Floats, m: Measured
) -> Iterable[tuple[Line, Floats]]:
    cells = np.isfinite(values)
    known = cells & np.isfinite(table)
    coverage = known.sum() / cells.sum()
    constant = bool(known.any() and np.ptp(table[known]) == 0)
    for axis in AXES:
        for measure in MEASURES:
            if axis == "tasks":
                groups = [_group(table[i], values[i], weights, measure) for i in range(len(m.models))]
                labels = m.models
                sampled = weighted_mean(np.stack([g for g, _ in groups], 1))
            elif axis == "models":
                groups = [
                    _group(table[:, j], values[:, j], np.ones((1, len(m.models))), measure) for j in range(len(m.tasks))
                ]
                labels = m.tasks
                sampled = weighted_mean(np.stack([g for g, _ in groups], 1), weights)
            else:
                groups, labels = (
                    [_group(table.ravel(), values.ravel(), np.tile(weights, len(m.models)), measure)],
                    ("all",),
                )
                sampled = groups[0][0]
            firsts = {label: _plain(g[0]) for label, (g, _) in zip(labels, groups, strict=True)}
            used = [n for g, n in groups if np.isfinite(g[0])]
            low, high = interval(sampled, int(known.any(0).sum()))
            yield (
                Line(
                    name,
                    target,
                    technique,
                    axis,
                    measure,
                    _plain(sampled[0]),
                    low,
                    high,
                    sum(used),
                    len(used),
                    float(coverage),
                    constant,
                    firsts if axis != "pooled" else {},
                ),
                sampled,
            )


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _compared(line: Line, sampled: Floats, draws: Mapping[tuple[str, str, str], tuple[Line, Floats]]) -> Line:
    """The line with its lead over the baselines."""
    over = {}
    for baseline in ("headroom", "static_rank"):
        rival = draws.get((baseline, line.axis, line.measure))
        if rival is None or baseline == line.scorer or line.value is None or rival[0].value is None:
            continue
        both = line.low is not None and rival[0].low is not None
        low, high = interval(sampled - rival[1], LEAST_TASKS if both else 0)
        if low is not None and high is not None:
            over[baseline] = (line.value - rival[0].value, low, high)
    return Line(**{**vars(line), "over": over})


def _correlations(lines: Iterable[Line]) -> dict[str, list[tuple[str, Estimate]]]:
    """technique to every scorer's correlation with forgetting, as the ranking reads it."""
    found: dict[str, list[tuple[str, Estimate]]] = {}
    for x in lines:
        if (x.target, x.axis, x.measure) == ("forgetting", "tasks", "pearson") and x.value is not None:
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
    gain, forgetting = m.values[technique]["gain"], m.values[technique]["forgetting"]
    known = gain[np.isfinite(gain)]
    out = {
        "mean gain": known.mean(),
        "smallest gain": known.min(),
        "largest gain": known.max(),
        "share of losses": (known < 0).mean(),
    }
    if np.isfinite(forgetting).any():
        out |= {"mean forgetting": np.nanmean(forgetting), "largest forgetting": np.nanmax(forgetting)}
    return {name: float(value) for name, value in out.items()}


def _seconds(scores: Iterable[Score]) -> dict[str, float]:
    """Mean seconds of a scorer per (model, task), where the table says."""
    spent: dict[str, list[float]] = {}
    for s in scores:
        if s.seconds is not None:
            spent.setdefault(s.scorer, []).append(s.seconds)
    return {name: sum(several) / len(several) for name, several in spent.items()}
