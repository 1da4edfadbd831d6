"""The board as a folder of pages that opens from disk: a table and plots, a page per scorer and per task.

The table is DataTables as itables packs it, the plots are Plotly's; both are copied beside the page, which needs no network.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import stdtrit

from leaderboard.axes import AXES
from leaderboard.beyond import BASELINES
from leaderboard.board import Board
from leaderboard.correlation import MEASURES
from leaderboard.layout import Layout
from leaderboard.provenance import Provenance
from leaderboard.sections import AXIS_WORDS, EXPLANATION, NOTHING, TITLES, marked, number, p_value, short, starred
from leaderboard.targets import TARGETS, Measured

Floats = NDArray[np.float64]
WEB = Path(__file__).parent / "web"
SHOWN = (*MEASURES, "slope", "rel@1", "regret@1")
GRID = 21  # points of a fitted line


@dataclass(frozen=True)
class ScorerWords:
    """What is to be said of a scorer. definition: its docstring; reference: BibTeX."""

    summary: str
    definition: str = ""
    predicts: str = ""
    reference: str = ""


@dataclass(frozen=True)
class TaskWords:
    """What is to be said of a task. samples: class names with images as PNG."""

    title: str
    classes: Sequence[str] = ()
    prompts: Sequence[str] = ()
    origin: str = ""
    samples: Sequence[tuple[str, bytes]] = field(default_factory=tuple)


def write_page(
    folder: Path,
    board: Board,
    scores: pl.DataFrame,
    m: Measured,
    made: Provenance,
    scorers: Mapping[str, ScorerWords] | None = None,
    tasks: Mapping[str, TaskWords] | None = None,
) -> Path:
    """Write `index.html` and, in `page/`, all that it needs. The scores and measurements are those of the board.

    Scorers and tasks of which nothing is said get a page with their numbers alone. Returns the path of `index.html`.
    """
    import itables
    import plotly.offline

    bundle = Path(itables.__file__).parent / "html"
    inner = folder / "page"
    for sub in ("scorers", "tasks"):
        (inner / sub).mkdir(parents=True, exist_ok=True)
    names = sorted({line.scorer for line in board.lines})
    for name in ("page.css", "page.js"):
        (inner / name).write_text((WEB / name).read_text(encoding="utf-8"), encoding="utf-8")
    (inner / "plotly.min.js").write_text(plotly.offline.get_plotlyjs(), encoding="utf-8")
    (inner / "table.css").write_text((bundle / "dt_bundle.css").read_text(encoding="utf-8"), encoding="utf-8")
    source = json.dumps((bundle / "dt_bundle.js").read_text(encoding="utf-8"))
    (inner / "table.js").write_text(f"const TABLE_MODULE = {source};\n", encoding="utf-8")
    layout = Layout(scores, m)
    (inner / "data.js").write_text(
        f"const BOARD = {json.dumps(_data(board, layout, m), ensure_ascii=False, allow_nan=False)};\n", encoding="utf-8"
    )
    for name in names:
        words = (scorers or {}).get(name, ScorerWords(""))
        (inner / "scorers" / _file(name)).write_text(_scorer(board, name, words), encoding="utf-8")
    for task in board.tasks:
        of_task = (tasks or {}).get(task, TaskWords(task))
        (inner / "tasks" / _file(task)).write_text(_task(board, m, task, of_task), encoding="utf-8")
    index = folder / "index.html"
    index.write_text(_index(board, names, made), encoding="utf-8")
    return index


def stem(name: str) -> str:
    """A name for a file, from any name: what is not plain and in lower case is replaced, and a hash keeps it apart."""
    plain = re.sub(r"[^a-z0-9_-]", "_", name.lower())[:60]
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _file(name: str) -> str:
    return f"{stem(name)}.html"


def _escaped(text: str) -> str:
    return html.escape(text, quote=True)


def _index(board: Board, names: Sequence[str], made: Provenance) -> str:
    links = [f'<a href="page/scorers/{_file(n)}">{_escaped(n)}</a>' for n in names]
    of_tasks = [f'<a href="page/tasks/{_file(t)}">{_escaped(t)}</a>' for t in board.tasks]
    seeds = f"{len(board.seeds)} seed{'s' * (len(board.seeds) > 1)}"
    return (
        (WEB / "index.html")
        .read_text(encoding="utf-8")
        .format(
            title=_escaped(f"Board of {board.suite or 'scores'}"),
            lead=_escaped(lead(board)),
            facts=_escaped(
                f"{len(board.models)} models, {len(board.tasks)} tasks, {len(board.techniques)} techniques, {seeds}."
            ),
            forgetting=_forgetting(board),
            scorers=", ".join(links),
            tasks=", ".join(of_tasks),
            explanation=_paragraphs(EXPLANATION),
            origin=_escaped(f"Board {board.id}, {made}."),
        )
    )


def lead(board: Board) -> str:
    """What the board says, in two sentences."""
    technique = "full" if "full" in board.techniques else board.techniques[0]
    ranked = board.ranking[technique]["gain"] or board.ranking[technique]["accuracy"]
    target = "gain" if board.ranking[technique]["gain"] else "accuracy"
    if not ranked:
        return "Nothing was measured that a score could be ranked by. Measure more models or tasks."
    first = board.find(ranked[0], technique, target, "tasks", "pearson")
    if first.low is None:
        one = f"No correlation with {target} under {technique} has an honest interval."
    else:
        one = f"Under {technique}, {ranked[0]} goes along best with {target} over tasks: r {number(first)}."
    asked = [
        e
        for e in board.beyond
        if (e.technique, e.axis) == (technique, "tasks") and e.partial.low is not None and e.scorer not in BASELINES
    ]
    if not asked:
        return f"{one} What scores say beyond the accuracy before cannot be told from these measurements."
    best = board.informative(technique)
    told = ", ".join(e.scorer for e in best[:5]) + (f" and {len(best) - 5} more" if len(best) > 5 else "")
    two = f"{len(best)} of {len(asked)} scores say something of the gain that the accuracy before does not"
    return f"{one} {two}{': ' + told if told else ''}."


def _paragraphs(markdown: str) -> str:
    """The explanation's few marks of Markdown as HTML."""
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", _escaped(markdown), flags=re.S)
    text = re.sub(r"\*(\w[^*]*?)\*", r"<em>\1</em>", text)
    text = re.sub(r"`(.+?)`", r"<code>\1</code>", text)
    return "\n".join(f"<p>{part}</p>" for part in text.split("\n\n"))


def _table(caption: str, rows: Sequence[Mapping[str, str]], words: Sequence[str] = ()) -> str:
    """Cells are HTML already; the first column names the row."""
    if not rows:
        return ""
    kind = [' class="words"' if head in words else "" for head in rows[0]]
    head = "".join(f'<th scope="col"{k}>{_escaped(h)}</th>' for h, k in zip(rows[0], kind, strict=True))
    body = ""
    for row in rows:
        first, *rest = row.values()
        cells = "".join(f"<td{k}>{cell}</td>" for cell, k in zip(rest, kind[1:], strict=True))
        body += f'<tr><th scope="row">{first}</th>{cells}</tr>\n'
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{_escaped(caption)}"><table>'
        f"<caption>{_escaped(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>"
    )


def _forgetting(board: Board) -> str:
    rows = [
        {
            "technique": _escaped(f.technique),
            "mean gain": NOTHING if f.gain is None else short(f.gain),
            "mean forgetting": number(f.mean),
            "more than full": starred(f.over_full),
            "worst task": f"{_escaped(f.worst_task)} {short(f.worst)}",
            "predicted by (r over tasks)": ", ".join(
                f"{_escaped(n)} {short(r.value or 0.0)}" for n, r in f.predicted_by[:5]
            )
            or "no score",
        }
        for f in board.forgetting
    ]
    words = ("worst task", "predicted by (r over tasks)")
    return (
        _table("What tuning on one task costs on the others", rows, words)
        or "<p>No run was evaluated on other tasks.</p>"
    )


def _scorer(board: Board, name: str, words: ScorerWords) -> str:
    rows, own = [], [x for x in board.lines if (x.scorer, x.measure) == (name, "pearson")]
    for technique in board.techniques:
        for target in TARGETS:
            found = {x.axis: x for x in own if (x.technique, x.target) == (technique, target)}
            if found:
                row = {"measured": f"{target}, {_escaped(technique)}"}
                rows.append(row | {f"r {AXIS_WORDS[axis]}": number(found.get(axis)) for axis in AXES})
    parts = [f'<p class="lead">{_escaped(words.summary)}</p>'] if words.summary else []
    if words.predicts:
        parts.append(f"<p>Its authors say: {_escaped(words.predicts)}.</p>")
    if words.definition:
        told = [" ".join(part.split()) for part in words.definition.split("\n\n")]
        rest = "".join(f"<p>{_escaped(part)}</p>" for part in told if part != words.summary)
        parts.append(f"<h2>Definition</h2>{rest}" if rest else "")
    parts.append(
        f"<h2>Where it works, and where it fails</h2>{_table('Pearson correlation, with 95 % interval', rows)}"
    )
    beyond = [
        {
            "given the accuracy before": f"{_escaped(e.technique)}, {AXIS_WORDS[e.axis]}",
            "partial r": marked(e.partial, e.informative),
            "on ranks": number(e.partial_rank),
            "p (Holm)": p_value(e.holm),
            "rise in R² over headroom": NOTHING if e.r2_rise is None else short(e.r2_rise),
        }
        for e in board.beyond
        if e.scorer == name and e.partial.value is not None
    ]
    parts.append(_table("Partial correlation with gain; an asterisk where the score is informative", beyond))
    parts += _extremes(board, name)
    if words.reference:
        parts.append(f"<h2>Reference</h2><pre>{_escaped(words.reference)}</pre>")
    return _leaf(name, parts)


def _extremes(board: Board, name: str) -> list[str]:
    """On which tasks it orders the models best and worst, and on which models the tasks."""
    technique = "full" if "full" in board.techniques else board.techniques[0]
    parts = []
    for axis, of in (("models", "task"), ("tasks", "model")):
        for x in board.lines:
            if (x.scorer, x.technique, x.target, x.axis, x.measure) != (name, technique, "gain", axis, "pearson"):
                continue
            known = sorted(((v, g) for g, v in x.per_group.items() if v is not None), reverse=True)
            if len(known) >= 4:
                best, worst = (
                    ", ".join(f"{_escaped(g)} ({short(v)})" for v, g in some) for some in (known[:3], known[:-4:-1])
                )
                parts.append(
                    f"<p>By {of} (gain under {_escaped(technique)}, r over {axis}): best {best}; worst {worst}.</p>"
                )
    return parts


def _task(board: Board, m: Measured, task: str, words: TaskWords) -> str:
    parts = [f"<p>{_escaped(words.title)}.</p>"]
    if words.classes:
        parts.append(f"<p>{len(words.classes)} classes: {_escaped(', '.join(words.classes))}.</p>")
    if words.prompts:
        parts.append(f"<p>Prompts: {_escaped('; '.join(words.prompts))}.</p>")
    if words.samples:
        figures = "".join(
            f'<li><figure><img alt="" src="data:image/png;base64,{base64.b64encode(png).decode()}"><figcaption>{_escaped(label)}</figcaption></figure></li>'
            for label, png in words.samples
        )
        parts.append(f'<h2>Samples</h2><ul class="samples">{figures}</ul>')
    j = m.tasks.index(task)
    known = [k for k in m.techniques if np.isfinite(m.values[k]["gain"][:, j]).any()]
    rows = []
    for i, model in enumerate(m.models):
        before = next((m.before[k][i, j] for k in m.techniques if np.isfinite(m.before[k][i, j])), float("nan"))
        row = {"model": _escaped(model), "zero-shot": _plain(before)}
        rows.append(row | {f"gain, {k}": _plain(m.values[k]["gain"][i, j]) for k in known})
    parts.append(f"<h2>What was measured</h2>{_table('Accuracy before tuning, and gains', rows)}")
    if words.origin:
        parts.append(f"<p class='quiet'>{_escaped(words.origin)}</p>")
    return _leaf(task, parts)


def _plain(value: float) -> str:
    return short(float(value)) if np.isfinite(value) else "–"


def _leaf(title: str, parts: Sequence[str]) -> str:
    return (WEB / "leaf.html").read_text(encoding="utf-8").format(title=_escaped(title), body="\n".join(parts))


def _data(board: Board, layout: Layout, m: Measured) -> dict[str, Any]:
    """What page.js reads. Names are numbered; NaN is null."""
    names = layout.names
    places = [{name: i for i, name in enumerate(of)} for of in (names, board.techniques, TARGETS, AXES, SHOWN)]
    lines = [
        [
            *(
                place[getattr(x, what)]
                for place, what in zip(places, ("scorer", "technique", "target", "axis", "measure"), strict=True)
            ),
            *(
                None if v is None else float(f"{v:.5g}")
                for v in (x.value, x.low, x.high, x.holm, x.ceiling, x.coverage)
            ),
        ]
        for x in board.lines
    ]
    scores: dict[str, Any] = {}
    fits: dict[str, Any] = {}
    measured: dict[str, Any] = {}
    for k, technique in enumerate(board.techniques):
        for t, target in enumerate(TARGETS):
            y = m.values[technique][target]
            if not np.isfinite(y).any():
                continue
            measured[f"{k}/{t}"] = _nested(y)
            for i, table in enumerate(layout.table(technique, target)):
                scores[f"{i}/{k}/{t}"] = _nested(table)
                if fit := fitted(table, y):
                    fits[f"{i}/{k}/{t}"] = fit
    for i in range(len(names)):  # one that is the same everywhere is said once
        mine = [key for key in scores if key.startswith(f"{i}/")]
        if len({json.dumps(scores[key]) for key in mine}) == 1:
            scores[f"{i}"] = scores[mine[0]]
            for key in mine:
                del scores[key]
    return {
        "scorers": list(names),
        "pages": [f"page/scorers/{_file(name)}" for name in names],
        "models": list(board.models),
        "tasks": list(board.tasks),
        "techniques": list(board.techniques),
        "targetNames": list(TARGETS),
        "targetWords": [TITLES[target] for target in TARGETS],
        "axisWords": [AXIS_WORDS[axis] for axis in AXES],
        "measures": list(SHOWN),
        "turned": {f"{names.index(n)}/{TARGETS.index(t)}": True for n, of in board.turned.items() for t in of},
        "lines": lines,
        "beyond": {
            f"{names.index(e.scorer)}/{board.techniques.index(e.technique)}/{AXES.index(e.axis)}": [
                round(e.partial.value, 4),
                e.informative,
            ]
            for e in board.beyond
            if e.partial.value is not None and e.partial.low is not None
        },
        "scores": scores,
        "measured": measured,
        "fits": fits,
    }


def _nested(table: Floats) -> list[list[float | None]]:
    return [[float(f"{v:.5g}") if np.isfinite(v) else None for v in row] for row in table]


def fitted(x: Floats, y: Floats) -> dict[str, list[float]] | None:
    """The least-squares line of all points, with the 95 % band that leaving out one task at a time gives."""
    known = np.isfinite(x) & np.isfinite(y)
    columns = np.flatnonzero(known.any(0))
    if len(columns) < 6 or np.ptp(x[known]) == 0:
        return None
    grid = np.linspace(x[known].min(), x[known].max(), GRID)
    sums = np.stack([np.where(known, part, 0.0).sum(0) for part in (np.ones_like(x), x, y, x * x, x * y)])  # (5, tasks)
    n, sx, sy, sxx, sxy = np.column_stack([sums.sum(1), sums.sum(1, keepdims=True) - sums[:, columns]])
    spread = sxx - sx**2 / n
    if (spread <= 1e-12 * sxx).any():
        return None
    slope = (sxy - sx * sy / n) / spread
    lines = ((sy - slope * sx) / n)[:, None] + slope[:, None] * grid
    count = len(columns)
    error = np.sqrt((count - 1) / count * ((lines[1:] - lines[1:].mean(0)) ** 2).sum(0))
    reach = stdtrit(count - 1, 0.975) * error
    return {
        name: [float(f"{v:.5g}") for v in values]
        for name, values in (("x", grid), ("y", lines[0]), ("low", lines[0] - reach), ("high", lines[0] + reach))
    }
