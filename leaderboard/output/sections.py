"""The content of a board, section by section, independent of the output format."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from leaderboard.board import Board
from leaderboard.output.formatting import (
    UNDEFINED,
    marked,
    number,
    p_value,
    short,
    short_or_undefined,
    starred,
)
from leaderboard.statistics.axes import AXES

MAX_PREDICTORS = 3  # scorers listed that predict a technique's forgetting

TITLES = {
    "gain": "Gain: test accuracy after tuning minus before",
    "accuracy": "Accuracy after tuning",
    "forgetting": "Forgetting: accuracy lost on the other tasks",
}
AXIS_LABELS = {"tasks": "over tasks", "models": "over models", "pooled": "pooled"}
SYMBOLS = {"pearson": "r", "spearman": "ρ", "kendall": "τb", "weighted_kendall": "τw"}
Row = Mapping[str, Any]


class Name(str):
    """A name from a table or a plugin, which a format has to escape."""


CellText = str | tuple[str, ...]  # in parts where names stand between other words


@dataclass(frozen=True)
class Heading:
    parts: CellText


@dataclass(frozen=True)
class Text:
    words: str


@dataclass(frozen=True)
class Table:
    """Columns in the order of each row's keys; those in `left` contain text and are aligned left."""

    title: CellText
    rows: tuple[dict[str, CellText], ...]
    left: tuple[str, ...]


Section = Heading | Text | Table


def sections(board: Board, measures: Sequence[str]) -> Iterator[Section]:
    """For each technique its outcomes, the facts about the pool and a table per target; then a table of forgetting."""
    for technique in board.techniques:
        yield from _technique(board, technique, measures)
    yield from _forgetting(board)


def _technique(board: Board, technique: str, measures: Sequence[str]) -> Iterator[Section]:
    seeds = f"{len(board.seeds)} seed{'s' * (len(board.seeds) > 1)}"
    yield Heading((Name(technique), f": {len(board.models)} models, {len(board.tasks)} tasks, {seeds}"))
    for facts in (_outcomes(board, technique), _pool_facts(board, technique)):
        if facts:
            yield Text(_sentence(facts))
    for target, names in board.ranking[technique].items():
        rows = board.rows.filter(technique=technique, target=target)
        # a table only where at least one value is defined
        if rows["value"].null_count() < len(rows):
            yield from _target(board, technique, target, measures)
        elif names:
            yield Text(f"No score can be ranked by {target}: it is the same everywhere, or there are too few cells.")


def _sentence(parts: Sequence[str]) -> str:
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "."


def _outcomes(board: Board, technique: str) -> list[str]:
    """Means and extremes of gain and forgetting."""
    outcomes, facts = board.outcomes[technique], []
    if "mean gain" in outcomes:
        extremes = f"{short(outcomes['smallest gain'])} to {short(outcomes['largest gain'])}"
        facts.append(
            f"Mean gain {short(outcomes['mean gain'])} ({extremes}), negative in {outcomes['share of losses']:.0%} of the cases"
        )
    if "mean forgetting" in outcomes:
        mean, largest = short(outcomes["mean forgetting"]), short(outcomes["largest forgetting"])
        facts.append(f"mean forgetting {mean}, at most {largest}")
    return facts


def _pool_facts(board: Board, technique: str) -> list[str]:
    """The pool's ability to distinguish scores, and the stability of their ranking."""
    pool = board.pools.filter(technique=technique).row(0, named=True)
    facts = []
    if pool["dispersion"] is not None and pool["headroom"] is not None:
        facts.append(
            f"dispersion of the models' order {short(pool['dispersion'])}, headroom of choosing {short(pool['headroom'])}"
        )
    if pool["static"] is not None:
        facts.append(f"the static ranking reaches τw {short(pool['static'])}")
    if changes := board.stability.get(technique, {}):
        taus = ", ".join(f"{change} {short(tau)}" for change, tau in changes.items())
        facts.append(f"stability of this ranking, mean τb to that with {taus}")
    return facts


def _target(board: Board, technique: str, target: str, measures: Sequence[str]) -> Iterator[Section]:
    """A row per scorer, best first by Pearson over tasks, and the noise ceilings of the columns."""
    rows = board.rows.filter(technique=technique, target=target)
    index = {(row["scorer"], row["axis"], row["measure"]): row for row in rows.iter_rows(named=True)}
    columns = _columns(rows, target, measures)
    further = _GainColumns(board, technique) if target == "gain" else None
    lines = []
    for rank, name in enumerate(board.ranking[technique][target], 1):
        cells: dict[str, CellText] = {"": str(rank), "scorer": Name(name)}
        cells |= {head: number(index.get((name, *place))) for head, place in columns.items()}
        first = index.get((name, "tasks", "pearson"))
        if first is not None:
            cells["p"] = p_value(first["holm"])
        if further:
            # coverage and constancy are the same on every axis
            any_row = first or next(row for row in index.values() if row["scorer"] == name)
            cells |= further.cells(any_row, over_tasks=first is not None)
        lines.append(cells)
    yield Table((f"{TITLES[target]}, ", Name(technique)), tuple(lines), ("scorer",))
    # a property of the measurements: the same for every scorer
    ceilings = {(row["axis"], row["measure"]): row["ceiling"] for row in index.values()}
    top = [f"{head} {short(ceilings[place])}" for head, place in columns.items() if ceilings.get(place) is not None]
    if top:
        yield Text(f"Noise ceiling: {', '.join(top)}.")


def _columns(rows: pl.DataFrame, target: str, measures: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Heading to (axis, measure)."""
    axes = [axis for axis in AXES if axis in rows["axis"]]
    columns = {f"{SYMBOLS[measure]} {AXIS_LABELS[axis]}": (axis, measure) for measure in measures for axis in axes}
    # a choice of model, hence over models only; accuracy in fractions
    if target == "accuracy" and "models" in axes:
        columns |= {"rel@1": ("models", "rel@1"), "regret": ("models", "regret@1")}
    return columns


class _GainColumns:
    """The columns that only the table of gain has."""

    def __init__(self, board: Board, technique: str) -> None:
        partials = board.partials.filter(technique=technique, axis="tasks")
        # the first column of the table, r over tasks
        leads = board.leads.filter(
            technique=technique, target="gain", axis="tasks", measure="pearson", baseline="headroom"
        )
        self._partials = {row["scorer"]: row for row in partials.iter_rows(named=True)}
        self._leads = {row["scorer"]: row for row in leads.iter_rows(named=True)}
        self._seconds = board.seconds

    def cells(self, row: Row, over_tasks: bool) -> dict[str, str]:
        name, cells = row["scorer"], {}
        if over_tasks:
            cells["r given before"] = marked(self._partials[name]["partial"], self._partials[name]["informative"])
            cells["lead over headroom"] = starred(self._leads.get(name))
        cells["covers"] = f"{row['coverage']:.0%}" + (" constant" if row["constant"] else "")
        cells["ms"] = f"{self._seconds[name] * 1000:.1f}" if name in self._seconds else UNDEFINED
        return cells


def _forgetting(board: Board) -> Iterator[Section]:
    """A row per technique, the one that forgets least first."""
    if board.forgetting.is_empty():
        return
    rows: list[dict[str, CellText]] = [
        {
            "technique": Name(row["technique"]),
            "mean gain": short_or_undefined(row["gain"]),
            "mean forgetting": number(row["mean"]),
            "more than full": starred(row["over_full"]),
            "worst task": (Name(row["worst_task"]), f" {short(row['worst'])}"),
            "predicted by (r over tasks)": _predictors(board, row["technique"]),
        }
        for row in board.forgetting.iter_rows(named=True)
    ]
    yield Heading("Forgetting by technique")
    left = ("technique", "worst task", "predicted by (r over tasks)")
    yield Table("What tuning costs on the other tasks", tuple(rows), left)


def _predictors(board: Board, technique: str) -> tuple[str, ...]:
    """The scorers that predict forgetting best, and the number of further ones."""
    rows = board.predictors.filter(technique=technique).to_dicts()
    if not rows:
        return ("no score",)
    parts: list[str] = []
    for i, row in enumerate(rows[:MAX_PREDICTORS]):
        parts += [", " if i else "", Name(row["scorer"]), f" {short(row['correlation']['value'] or 0.0)}"]
    if len(rows) > MAX_PREDICTORS:
        parts.append(f" and {len(rows) - MAX_PREDICTORS} more")
    return tuple(parts)
