"""The rows of a board: the correlations of all scorers with one target, under one technique, along one axis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leaderboard.schemas import LEADS, PER_GROUP, ROWS, table
from leaderboard.statistics import correlation
from leaderboard.statistics.axes import AXES, Clusters, leave_one_out, move_axis, over_groups
from leaderboard.statistics.correlation import MEASURES
from leaderboard.statistics.first_choice import first_choices
from leaderboard.statistics.intervals import estimate, holm
from leaderboard.statistics.partial import BASELINES
from leaderboard.statistics.permutation import p_values
from leaderboard.statistics.reliability import ceilings

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
FISHER = frozenset(MEASURES)  # the measures with intervals on Fisher's scale


@dataclass(frozen=True)
class Pairing:
    """Scores of S scorers, oriented, and the target that they should predict under one technique.

    names: S scorers.  x: (S, models, tasks).  y: (models, tasks), by_seed: (models, tasks, seeds).
    """

    names: tuple[str, ...]
    models: tuple[str, ...]
    tasks: tuple[str, ...]
    technique: str
    target: str
    x: Floats
    y: Floats
    by_seed: Floats

    @property
    def defined(self) -> Booleans:
        """(S, models, tasks) cells with score and target."""
        return np.isfinite(self.x) & np.isfinite(self.y)


class CorrelationTables(NamedTuple):
    """Tables with the columns `schemas.ROWS`, `PER_GROUP` and `LEADS`."""

    rows: pl.DataFrame
    per_group: pl.DataFrame
    leads: pl.DataFrame


class _Measure(NamedTuple):
    """One measure of all scorers. groups: (S, G) values per group; means: (S, B) over the groups, by selection; clusters: of the selections."""

    groups: Floats
    means: Floats
    clusters: Clusters


def correlation_tables(pairing: Pairing, permutations: int, seed: int) -> CorrelationTables:
    """The tables of all axes, one after the other."""
    return concat_tables([_along_axis(pairing, axis, permutations, seed) for axis in AXES])


def concat_tables(parts: Sequence[CorrelationTables]) -> CorrelationTables:
    """The rows of all parts, in their order; empty tables for no part."""
    return CorrelationTables(
        rows=pl.concat([pl.DataFrame(schema=ROWS), *(part.rows for part in parts)]),
        per_group=pl.concat([pl.DataFrame(schema=PER_GROUP), *(part.per_group for part in parts)]),
        leads=pl.concat([pl.DataFrame(schema=LEADS), *(part.leads for part in parts)]),
    )


def _along_axis(pairing: Pairing, axis: str, permutations: int, seed: int) -> CorrelationTables:
    """One table of S rows per measure, and the leads over each baseline among the scorers."""
    measures = _measures(pairing, axis)
    common = _common_columns(pairing, axis)
    p = _p_values(pairing, axis, permutations, seed)
    top = ceilings(pairing.by_seed, axis)
    points = np.isfinite(move_axis(axis, np.where(np.isfinite(pairing.y), pairing.x, np.nan))).sum(-1)  # (S, G)
    # measures without a permutation test
    undefined = np.full(len(pairing.names), np.nan)
    rows, groups = [], []
    for measure, values in measures.items():
        used = np.isfinite(values.groups)
        columns = common | {"measure": measure, "ceiling": top.get(measure)}
        columns |= {"p": p.get(measure, undefined), "holm": holm(p.get(measure, undefined))}
        # points count in the groups that have a value
        columns |= {"n": (points * used).sum(1), "groups": used.sum(1)}
        interval = estimate(values.means, values.clusters, pairing.defined, fisher=measure in FISHER)
        columns |= {"value": interval.value, "low": interval.low, "high": interval.high}
        rows.append(table(columns, ROWS))
        groups.append(_per_group(pairing, axis, measure, values.groups))
    leads = [_leads(pairing, axis, measures, baseline) for baseline in BASELINES if baseline in pairing.names]
    return CorrelationTables(pl.concat(rows), pl.concat(groups), pl.concat([pl.DataFrame(schema=LEADS), *leads]))


def _measures(pairing: Pairing, axis: str) -> dict[str, _Measure]:
    """The correlations and the slope; over models also regret@1 and, of an accuracy, rel@1."""
    models, tasks = pairing.y.shape
    x, y = move_axis(axis, pairing.x), move_axis(axis, pairing.y)
    keep, clusters = leave_one_out(models, tasks, axis)
    selected = correlation.correlations(x, y, keep) | {"slope": correlation.slope(x, y, keep)}  # (S, G, B) each
    # selection 0 keeps all points
    measures = {name: _Measure(values[..., 0], over_groups(values), clusters) for name, values in selected.items()}
    if axis == "models" and pairing.target != "forgetting":
        # a choice has one value per task, so that its mean is over tasks and its jackknife leaves out tasks
        keep_tasks, task_clusters = leave_one_out(models, tasks, "tasks")
        relative = pairing.target == "accuracy"
        for name, by_task in first_choices(pairing.x, pairing.y, relative=relative).items():
            means = over_groups(np.where(keep_tasks.T > 0, by_task[..., None], np.nan))  # (S, B)
            measures[name] = _Measure(by_task, means, task_clusters)
    return measures


def _common_columns(pairing: Pairing, axis: str) -> dict[str, Any]:
    """The columns that are the same for every measure."""
    defined = pairing.defined
    constant = [
        bool(cells.any() and np.ptp(scores[cells]) == 0) for scores, cells in zip(pairing.x, defined, strict=True)
    ]
    return {
        "scorer": list(pairing.names),
        "target": pairing.target,
        "technique": pairing.technique,
        "axis": axis,
        "coverage": defined.sum((1, 2)) / np.isfinite(pairing.y).sum(),  # (S,), in 0..1
        "constant": constant,
        "ties": _ties(move_axis(axis, np.where(np.isfinite(pairing.y), pairing.x, np.nan))),
    }


def _p_values(pairing: Pairing, axis: str, permutations: int, seed: int) -> dict[str, Floats]:
    """(S,) by measure. `static_rank` has none: it is a function of y, which every permutation would have to recompute."""
    p = p_values(pairing.x, pairing.y, axis, permutations, seed)
    if "static_rank" in pairing.names:
        for values in p.values():
            values[pairing.names.index("static_rank")] = np.nan
    return p


def _per_group(pairing: Pairing, axis: str, measure: str, values: Floats) -> pl.DataFrame:
    """(S, G) values as S · G rows; pooled there is one group, which has no name and no row."""
    if axis == "pooled":
        return pl.DataFrame(schema=PER_GROUP)
    groups = pairing.models if axis == "tasks" else pairing.tasks
    columns = {
        "scorer": np.repeat(pairing.names, len(groups)),
        "target": pairing.target,
        "technique": pairing.technique,
        "axis": axis,
        "measure": measure,
        "group": list(groups) * len(pairing.names),
        "value": values.ravel(),
    }
    return table(columns, PER_GROUP)


def _ties(x: Floats) -> Floats:
    """(S,) share of the pairs of points within a group that are equal, from (S, G, P); 0 without pairs."""
    i, j = np.triu_indices(x.shape[-1], 1)
    pairs = np.isfinite(x[..., i]) & np.isfinite(x[..., j])
    equal = pairs & (x[..., i] == x[..., j])
    return np.asarray(equal.sum((1, 2)) / np.maximum(1, pairs.sum((1, 2))))


def _leads(pairing: Pairing, axis: str, measures: Mapping[str, _Measure], baseline: str) -> pl.DataFrame:
    """Each scorer's value minus the baseline's, with the interval of the difference; only differences that have one."""
    rival = pairing.names.index(baseline)
    common = pairing.defined & pairing.defined[rival]
    tables = []
    for measure, differences in _differences(pairing, axis, measures, rival).items():
        # not on Fisher's scale: a difference of two correlations lies in −2..2
        lead = estimate(differences, measures[measure].clusters, common, fisher=False)
        columns = {
            "scorer": list(pairing.names),
            "target": pairing.target,
            "technique": pairing.technique,
            "axis": axis,
            "measure": measure,
            "baseline": baseline,
            "value": lead.value,
            "low": lead.low,
            "high": lead.high,
            "p": lead.p,
        }
        tables.append(table(columns, LEADS))
    leads = pl.concat(tables)
    return leads.filter(pl.col("low").is_not_null(), pl.col("scorer") != baseline)


def _differences(pairing: Pairing, axis: str, measures: Mapping[str, _Measure], rival: int) -> dict[str, Floats]:
    """(S, B) by measure: the means of each scorer minus those of the rival, both on the cells that both have."""
    # a slope is in units of the score: those of two scorers have no difference
    differences = {name: values.means - values.means[rival] for name, values in measures.items() if name != "slope"}
    defined = pairing.defined
    # scorers with other cells than the rival are recomputed, like the rival, on the cells in common
    unequal = np.flatnonzero((defined != defined[rival]).any((1, 2)))
    if len(unequal):
        keep, _ = leave_one_out(len(pairing.models), len(pairing.tasks), axis)
        common, y = defined[unequal] & defined[rival], move_axis(axis, pairing.y)
        own, other = (
            correlation.correlations(move_axis(axis, np.where(common, x, np.nan)), y, keep)
            for x in (pairing.x[unequal], pairing.x[rival])
        )
        for name, values in differences.items():
            values[unequal] = over_groups(own[name]) - over_groups(other[name]) if name in own else np.nan
    return differences
