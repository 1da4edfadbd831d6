"""The pages of single scorers and tasks."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from leaderboard.board import Board
from leaderboard.output.formatting import UNDEFINED, marked, number, p_value, short, short_or_undefined
from leaderboard.output.html_parts import detail_page, escape, table
from leaderboard.output.sections import AXIS_LABELS
from leaderboard.statistics.axes import AXES
from leaderboard.targets import TARGETS, Measured

MIN_GROUPS = 4  # models or tasks, of which the best and the worst three are listed


@dataclass(frozen=True)
class ScorerDescription:
    """The text of a scorer's page. definition: its docstring; predicts: its orientation in words; reference: BibTeX."""

    summary: str
    definition: str = ""
    predicts: str = ""
    reference: str = ""


@dataclass(frozen=True)
class TaskDescription:
    """The text of a task's page. samples: class names with images as PNG."""

    title: str
    classes: Sequence[str] = ()
    prompts: Sequence[str] = ()
    origin: str = ""
    samples: Sequence[tuple[str, bytes]] = field(default_factory=tuple)


def scorer_page(board: Board, name: str, description: ScorerDescription) -> str:
    """Definition, correlations by target and technique, partial correlations, best and worst groups, reference."""
    parts = _definition(description)
    correlations = table("Pearson correlation, with 95 % interval", _correlations(board, name))
    parts.append(f"<h2>Where it works, and where it fails</h2>{correlations}")
    caption = "Partial correlation with gain; an asterisk where the score is informative"
    parts.append(table(caption, _partials(board, name)))
    parts += _extremes(board, name)
    if description.reference:
        parts.append(f"<h2>Reference</h2><pre>{escape(description.reference)}</pre>")
    return detail_page(name, parts)


def _definition(description: ScorerDescription) -> list[str]:
    parts = [f'<p class="lead">{escape(description.summary)}</p>'] if description.summary else []
    if description.predicts:
        parts.append(f"<p>According to its authors, {escape(description.predicts)}.</p>")
    paragraphs = [" ".join(part.split()) for part in description.definition.split("\n\n")]
    # a docstring starts with the summary, which is shown already
    rest = "".join(f"<p>{escape(part)}</p>" for part in paragraphs if part and part != description.summary)
    if rest:
        parts.append(f"<h2>Definition</h2>{rest}")
    return parts


def _correlations(board: Board, name: str) -> list[dict[str, str]]:
    """A row per technique and target, a column per axis."""
    own = board.rows.filter(scorer=name, measure="pearson")
    index = {(row["technique"], row["target"], row["axis"]): row for row in own.iter_rows(named=True)}
    rows = []
    for technique in board.techniques:
        for target in TARGETS:
            by_axis = {axis: index.get((technique, target, axis)) for axis in AXES}
            if any(by_axis.values()):
                row = {"measured": f"{target}, {escape(technique)}"}
                rows.append(row | {f"r {AXIS_LABELS[axis]}": number(by_axis[axis]) for axis in AXES})
    return rows


def _partials(board: Board, name: str) -> list[dict[str, str]]:
    return [
        {
            "given the accuracy before": f"{escape(row['technique'])}, {AXIS_LABELS[row['axis']]}",
            "partial r": marked(row["partial"], row["informative"]),
            "on ranks": number(row["partial_rank"]),
            "p (Holm)": p_value(row["holm"]),
            "rise in R² over headroom": short_or_undefined(row["r2_rise"]),
        }
        for row in board.partials.filter(scorer=name).iter_rows(named=True)
        if row["partial"]["value"] is not None
    ]


def _extremes(board: Board, name: str) -> list[str]:
    """The tasks on which it orders the models best and worst, and the models for which it orders the tasks so."""
    # one technique stands for all: full fine-tuning where it was measured
    technique = "full" if "full" in board.techniques else board.techniques[0]
    parts = []
    for axis, group in (("models", "task"), ("tasks", "model")):
        key = {"scorer": name, "technique": technique, "target": "gain", "axis": axis, "measure": "pearson"}
        rows = board.per_group.filter(pl.col("value").is_not_null(), **key)
        if len(rows) < MIN_GROUPS:
            continue
        # by name where values are equal, so that the page is reproducible
        values = rows.sort("value", "group", descending=True).select("group", "value").rows()
        # [:-4:-1]: the last three, from the end
        best, worst = (", ".join(f"{escape(g)} ({short(v)})" for g, v in some) for some in (values[:3], values[:-4:-1]))
        parts.append(f"<p>By {group} (gain under {escape(technique)}, r over {axis}): best {best}; worst {worst}.</p>")
    return parts


def task_page(board: Board, m: Measured, task: str, description: TaskDescription) -> str:
    """Title, classes, prompts, samples, and the zero-shot accuracy and gains of each model."""
    parts = [f"<p>{escape(description.title)}.</p>"]
    if description.classes:
        parts.append(f"<p>{len(description.classes)} classes: {escape(', '.join(description.classes))}.</p>")
    if description.prompts:
        parts.append(f"<p>Prompts: {escape('; '.join(description.prompts))}.</p>")
    if description.samples:
        figures = "".join(_figure(label, png) for label, png in description.samples)
        parts.append(f'<h2>Samples</h2><ul class="samples">{figures}</ul>')
    parts.append(f"<h2>Measurements</h2>{table('Accuracy before tuning, and gains', _gains(m, task))}")
    if description.origin:
        parts.append(f"<p class='quiet'>{escape(description.origin)}</p>")
    return detail_page(task, parts)


def _figure(label: str, png: bytes) -> str:
    # inside the page, which needs no further file
    image = f'<img alt="" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
    return f"<li><figure>{image}<figcaption>{escape(label)}</figcaption></figure></li>"


def _gains(m: Measured, task: str) -> list[Mapping[str, str]]:
    """A row per model."""
    j = m.tasks.index(task)
    techniques = [k for k in m.techniques if np.isfinite(m.values[k]["gain"][:, j]).any()]
    rows: list[Mapping[str, str]] = []
    for i, model in enumerate(m.models):
        # the accuracy before does not depend on the technique: the first that is known
        before = next((m.before[k][i, j] for k in m.techniques if np.isfinite(m.before[k][i, j])), np.nan)
        row = {"model": escape(model), "zero-shot": _short(before)}
        rows.append(row | {f"gain, {k}": _short(m.values[k]["gain"][i, j]) for k in techniques})
    return rows


def _short(value: Any) -> str:
    return short(float(value)) if np.isfinite(value) else UNDEFINED
