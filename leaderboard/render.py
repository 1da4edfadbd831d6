"""A board as text, Markdown, CSV or JSON. The same board gives the same bytes."""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from leaderboard.board import Board, Line
from leaderboard.correlation import MEASURES
from leaderboard.forgetting import Estimate

FORMATS = ("text", "md", "csv", "json")
NOTHING = "–"
NAMED = 3  # scores named that predict a technique's forgetting

TITLES = {
    "gain": "Gain: test accuracy after tuning minus before",
    "accuracy": "Accuracy after tuning",
    "forgetting": "Forgetting: accuracy lost on the other tasks",
}
AXES = {"tasks": "over tasks", "models": "over models", "pooled": "pooled"}
SIGNS = {"pearson": "r", "spearman": "ρ", "weighted_kendall": "τw"}

EXPLANATION = """\
Each model was fine-tuned on each task with each technique. **Gain** is test accuracy after minus before on that task, **accuracy** is
that after tuning, **forgetting** is the accuracy lost on the other tasks. A scorer looks at the train split's embeddings alone and gives one
number per model and task; a table says how well that number goes along with what was measured.

**Over tasks**: the correlation over the tasks of one model, averaged over the models (does the score say *where* tuning pays?). **Over models**:
over the models of one task, averaged over the tasks (does it say *which model* to take?). **Pooled**: all points at once. **r** is Pearson's
correlation, **ρ** Spearman's, **τw** scipy's weighted Kendall (`rank=True`). Scores are turned first so that higher predicts more, where their
authors say which way. Brackets hold 95 % intervals from resampling whole tasks; a number that has none is not shown (–).

Gain is after − before, so whatever knows *before* goes along with it by construction: `headroom` (one minus zero-shot accuracy) and `static_rank`
(the model's mean rank on the other tasks) stand in the tables (over the tasks of one model `static_rank` runs backwards by construction, since
each task is left out of its own mean: read it over models), and **lead over headroom** is the difference of the first column to theirs, with
an asterisk where its interval excludes zero. **Covers** is the share of (model, task) pairs that got a score; **ms** is the mean time of one
score, without the statistics that scores share."""


def render(board: Board, form: str, measures: Sequence[str] | None = None) -> str:
    """The board in one of FORMATS; raises ValueError for another.

    measures: those that the tables of "text" (by default all but Spearman) and "md" (by default all) show.
    """
    if form == "json":
        return json.dumps(_rounded(as_dict(board)), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if form == "csv":
        return _csv(board)
    if form == "md":
        tables = [_technique(board, k, "pipe", measures or MEASURES) for k in board.techniques]
        return "\n\n".join([EXPLANATION, *tables, *_forgetting(board, "pipe")]) + "\n"
    if form == "text":
        shown = measures or ("pearson", "weighted_kendall")
        tables = [_technique(board, k, "simple", shown) for k in board.techniques]
        return "\n\n".join([*tables, *_forgetting(board, "simple")]) + "\n"
    raise ValueError(f"format '{form}' is not known; known: {', '.join(FORMATS)}")


def as_dict(board: Board) -> dict[str, Any]:
    rows = [
        {name: value for name, value in vars(line).items() if name != "over"}
        | {f"over_{base}": {"difference": d, "low": low, "high": high} for base, (d, low, high) in line.over.items()}
        for line in board.lines
    ]
    meta = {
        name: getattr(board, name)
        for name in ("suite", "models", "tasks", "techniques", "seeds", "resamples", "outcomes", "ranking", "seconds")
    } | {"forgetting": [asdict(entry) for entry in board.forgetting]}
    return {"meta": meta, "rows": rows}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {str(k): _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list | tuple) else value


def _csv(board: Board) -> str:
    text = io.StringIO()
    columns = (
        "scorer",
        "target",
        "technique",
        "axis",
        "measure",
        "value",
        "low",
        "high",
        "n",
        "groups",
        "coverage",
        "constant",
    )
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns, "seconds"])
    for line in board.lines:
        writer.writerow([*(_cell(getattr(line, column)) for column in columns), _cell(board.seconds.get(line.scorer))])
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and value[:1] in "=+-@\t\r":
        return "'" + value  # a spreadsheet would take it for a formula
    return "" if value is None else value


def escaped(name: str) -> str:
    """A name as Markdown text, whatever it holds."""
    one_line = " ".join(name.split())
    return re.sub(
        r"([\\`*_\[\]|<>&])", lambda match: f"&#{ord(match[1])};" if match[1] in "<>&|`" else "\\" + match[1], one_line
    )


def _number(line: Line | None) -> str:
    if line is None or line.value is None or line.low is None or line.high is None:
        return NOTHING
    return f"{_short(line.value)} [{_short(line.low)}, {_short(line.high)}]"


def _short(value: float) -> str:
    """Two decimals, without the nought before the point, as papers print correlations."""
    text = f"{value:.2f}"
    return ("0" if float(text) == 0 else text.replace("0.", ".", 1) if abs(float(text)) < 1 else text).replace("-", "−")


def _lead(line: Line) -> str:
    if "headroom" not in line.over:
        return NOTHING
    difference, low, high = line.over["headroom"]
    return f"{_short(difference)} [{_short(low)}, {_short(high)}]" + ("*" if low > 0 or high < 0 else "")


def _technique(board: Board, technique: str, form: str, measures: Sequence[str]) -> str:
    """What one technique did, and a table per target."""
    out = board.outcomes[technique]
    size = (
        f"{len(board.models)} models, {len(board.tasks)} tasks, {len(board.seeds)} seed{'s' * (len(board.seeds) > 1)}"
    )
    name = f"### {escaped(technique)}" if form == "pipe" else technique
    span = f"{_short(out['smallest gain'])} to {_short(out['largest gain'])}"
    facts = f"Mean gain {_short(out['mean gain'])} ({span}), negative in {out['share of losses']:.0%} of the cases"
    if "mean forgetting" in out:
        facts += f"; mean forgetting {_short(out['mean forgetting'])}, at most {_short(out['largest forgetting'])}"
    targets = [t for t in board.ranking[technique] if board.ranking[technique][t]]
    tables = [_table(board, technique, target, form, measures) for target in targets]
    return "\n\n".join([f"{name}: {size}", f"{facts}.", *tables])


def _table(board: Board, technique: str, target: str, form: str, measures: Sequence[str]) -> str:
    """One target: a row per scorer, best first by Pearson over tasks."""
    from tabulate import tabulate

    markdown = form == "pipe"
    index = {(x.scorer, x.axis, x.measure): x for x in board.lines if (x.technique, x.target) == (technique, target)}
    columns = [(axis, measure) for measure in measures for axis in AXES]
    extras = ["lead over headroom", "covers", "ms"] if target == "gain" else []
    lines = []
    for rank, name in enumerate(board.ranking[technique][target], 1):
        first = index[name, "tasks", "pearson"]
        cells = [rank, escaped(name) if markdown else name, *(_number(index.get((name, *c))) for c in columns)]
        if extras:
            covers = f"{first.coverage:.0%}" + (" constant" if first.constant else "")
            cells += [
                _lead(first),
                covers,
                f"{board.seconds[name] * 1000:.1f}" if name in board.seconds else NOTHING,
            ]
        lines.append(cells)
    headers = ["", "scorer", *(f"{SIGNS[measure]} {AXES[axis]}" for axis, measure in columns), *extras]
    aligned = ["right", "left", *["right"] * (len(headers) - 2)]
    title = f"**{TITLES[target]}**" if markdown else f"{TITLES[target]}, {technique}"
    return f"{title}\n\n{tabulate(lines, headers, tablefmt=form, disable_numparse=True, colalign=aligned)}"


def _forgetting(board: Board, form: str) -> list[str]:
    """The section on forgetting: a row per technique, the least forgetful first."""
    from tabulate import tabulate

    if not board.forgetting:
        return []
    markdown = form == "pipe"
    lines = []
    for f in board.forgetting:
        names = [f"{escaped(name) if markdown else name} {_short(r.value)}" for name, r in f.predicted_by[:NAMED]]
        more = f" and {len(f.predicted_by) - NAMED} more" if len(f.predicted_by) > NAMED else ""
        over = NOTHING if f.over_full is None else _estimate(f.over_full) + ("*" if f.over_full.sign else "")
        worst = f"{escaped(f.worst_task) if markdown else f.worst_task} {_short(f.worst)}"
        technique = escaped(f.technique) if markdown else f.technique
        lines.append([technique, _short(f.gain), _estimate(f.mean), over, worst, ", ".join(names) + more or "no score"])
    headers = [
        "technique",
        "mean gain",
        "mean forgetting",
        "more than full",
        "worst task",
        "predicted by (r over tasks)",
    ]
    aligned = ["left", *["right"] * 3, *["left"] * 2]
    table = tabulate(lines, headers, tablefmt=form, disable_numparse=True, colalign=aligned)
    return ["### Forgetting by technique" if markdown else "Forgetting by technique", table]


def _estimate(e: Estimate) -> str:
    return _short(e.value) + ("" if e.low is None or e.high is None else f" [{_short(e.low)}, {_short(e.high)}]")
