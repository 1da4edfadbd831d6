"""A board as text, Markdown, CSV or JSON. The same board gives the same bytes."""

import csv
import io
import json
import re
from typing import Any

from leaderboard.board import Board, Line

FORMATS = ("text", "md", "csv", "json")
NOTHING = "–"

EXPLANATION = """\
Each model was fine-tuned on each task with each technique. **Gain** is test accuracy after minus before on that task, **accuracy** is
that after tuning, **forgetting** is the accuracy lost on the other tasks. A scorer looks at the train split's embeddings alone and gives one
number per model and task; the table says how well that number goes along with what was measured.

**r over tasks** is Pearson's correlation over the tasks of one model, averaged over the models (does the score say *where* tuning pays?);
**over models** runs over the models of one task, averaged over the tasks (does it say *which model* to take?); **pooled** takes all points at once.
**τw** is scipy's weighted Kendall. Scores are turned first so that higher predicts more, where their authors say which way. Brackets hold 95 %
intervals from resampling whole tasks. A number that has no honest interval is not shown (–).

Gain is after − before, so whatever knows *before* goes along with it by construction: `headroom` (one minus zero-shot accuracy) and `static_rank`
(the model's mean rank on the other tasks) stand in the table, and the column **over headroom** gives the lead over the former, bold where its
interval excludes zero."""


def render(board: Board, form: str) -> str:
    """The board in one of FORMATS; raises ValueError for another."""
    if form == "json":
        return json.dumps(_rounded(as_dict(board)), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if form == "csv":
        return _csv(board)
    if form == "md":
        return f"{EXPLANATION}\n\n" + "\n\n".join(_section(board, k, "pipe") for k in board.techniques) + "\n"
    if form == "text":
        return "\n\n".join(_section(board, k, "simple") for k in board.techniques) + "\n"
    raise ValueError(f"format '{form}' is not known; known: {', '.join(FORMATS)}")


def as_dict(board: Board) -> dict[str, Any]:
    rows = [
        {name: value for name, value in vars(line).items() if name != "over"}
        | {f"over_{base}": {"difference": d, "low": low, "high": high} for base, (d, low, high) in line.over.items()}
        for line in board.lines
    ]
    meta = {
        name: getattr(board, name)
        for name in ("suite", "models", "tasks", "techniques", "seeds", "resamples", "outcomes", "ranking")
    }
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
    writer.writerow(columns)
    for line in board.lines:
        writer.writerow([_cell(getattr(line, column)) for column in columns])
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


def _number(line: Line | None, interval: bool = False) -> str:
    if line is None or line.value is None or line.low is None or line.high is None:
        return NOTHING
    value = _short(line.value)
    return f"{value} [{_short(line.low)}, {_short(line.high)}]" if interval else value


def _short(value: float) -> str:
    return f"{value:+.2f}".replace("+0.", "+.").replace("-0.", "−.").replace("-", "−")


def _lead(line: Line, markdown: bool) -> str:
    if "headroom" not in line.over:
        return NOTHING
    difference, low, high = line.over["headroom"]
    text = f"{_short(difference)} [{_short(low)}, {_short(high)}]"
    if low > 0 or high < 0:
        return f"**{text}**" if markdown else f"{text} *"
    return text


def _section(board: Board, technique: str, form: str) -> str:
    from tabulate import tabulate

    markdown = form == "pipe"
    index = {(x.scorer, x.target, x.axis, x.measure): x for x in board.lines if x.technique == technique}
    table = []
    for rank, name in enumerate(board.ranking[technique], 1):
        first = index[name, "gain", "tasks", "pearson"]
        cells = [
            rank,
            escaped(name) if markdown else name,
            _number(first, interval=True),
            _lead(first, markdown),
            _number(index.get((name, "gain", "models", "pearson"))),
            _number(index.get((name, "gain", "pooled", "pearson"))),
            _number(index.get((name, "gain", "tasks", "weighted_kendall"))),
            _number(index.get((name, "accuracy", "models", "weighted_kendall"))),
            _number(index.get((name, "forgetting", "tasks", "pearson"))),
            f"{first.coverage:.0%}" + (" constant" if first.constant else ""),
            f"{board.seconds[name] * 1000:.1f}" if name in board.seconds else NOTHING,
        ]
        table.append(cells)
    headers = [
        "",
        "scorer",
        "gain: r over tasks [95 %]",
        "over headroom",
        "over models",
        "pooled",
        "τw over tasks",
        "accuracy: τw over models",
        "forgetting: r over tasks",
        "covers",
        "ms",
    ]
    out = board.outcomes[technique]
    size = (
        f"{len(board.models)} models, {len(board.tasks)} tasks, {len(board.seeds)} seed{'s' * (len(board.seeds) > 1)}"
    )
    title = f"### {escaped(technique)}: {size}" if markdown else f"{technique}: {size}"
    span = f"{_short(out['smallest gain'])} to {_short(out['largest gain'])}"
    facts = f"Mean gain {_short(out['mean gain'])} ({span}), negative in {out['share of losses']:.0%} of the runs"
    if "mean forgetting" in out:
        facts += f"; mean forgetting {_short(out['mean forgetting'])}, at most {_short(out['largest forgetting'])}"
    aligned = ["right", "left", *["right"] * (len(headers) - 2)]
    return f"{title}\n\n{facts}.\n\n{tabulate(table, headers, tablefmt=form, disable_numparse=True, colalign=aligned)}"
