"""A board as text, Markdown, CSV or JSON. The same board gives the same bytes."""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from leaderboard.axes import AXES
from leaderboard.board import Board, Line
from leaderboard.correlation import MEASURES
from leaderboard.intervals import Estimate

FORMATS = ("text", "md", "csv", "json")
NOTHING = "–"
NAMED = 3  # scores named that predict a technique's forgetting

TITLES = {
    "gain": "Gain: test accuracy after tuning minus before",
    "accuracy": "Accuracy after tuning",
    "forgetting": "Forgetting: accuracy lost on the other tasks",
}
AXIS_WORDS = {"tasks": "over tasks", "models": "over models", "pooled": "pooled"}
SIGNS = {"pearson": "r", "spearman": "ρ", "kendall": "τb", "weighted_kendall": "τw"}

EXPLANATION = """\
Each model was fine-tuned on each task with each technique. **Gain** is test accuracy after minus before on that task, **accuracy** is
that after tuning, **forgetting** is the accuracy lost on the other tasks. A scorer looks at the train split's embeddings alone and gives one
number per model and task; a table says how well that number goes along with what was measured.

**Over tasks**: the correlation over the tasks of one model, averaged over the models (does the score say *where* tuning pays?). **Over models**:
over the models of one task, averaged over the tasks (does it say *which model* to take?). **Pooled**: all points at once. **r** is Pearson's
correlation, **ρ** Spearman's, **τb** Kendall's τ-b, **τw** scipy's weighted Kendall (`rank=True`). Scores are turned first so that higher predicts
more, where their authors say which way. Brackets hold 95 % intervals: the jackknife that leaves out one task at a time (over tasks), one model
(over models) or both (pooled), on Fisher's scale with Student's t, which in simulation covers what it says where bootstraps do not
(`leaderboard/coverage.csv`). A number that has no interval is not shown (–). **p** is that of r over tasks, from permuting whole tasks, adjusted by
Holm over the scorers. The **noise ceiling** is the correlation that a perfect score would have, given how the seeds differ.

Gain is after − before, so whatever knows *before* goes along with it by construction: `headroom` (one minus zero-shot accuracy) and `static_rank`
(the model's mean rank on the other tasks) stand in the tables (over the tasks of one model `static_rank` runs backwards by construction, since
each task is left out of its own mean: read it over models), and **lead over headroom** is the difference of the first column to theirs, with
an asterisk where its interval excludes zero. **r given before** is the partial correlation over tasks of score and gain with the accuracy before
held fixed, the same number with accuracy after in the place of gain; its asterisk marks a score that is *informative*: p of that interval,
adjusted by Holm, is below .05. **Regret** is what is lost in accuracy by taking for each task the model that the score puts first, **rel@1** what
that model reaches of the best. **Covers** is the share of (model, task) pairs that got a score; **ms** is the mean time of one score, without the
statistics that scores share. About the pool of models itself: its **dispersion** is 0 where their order is the same on every task (1 − Kendall's
W), its **headroom** the accuracy that choosing a model task by task adds to the best fixed choice: a pool with little of either cannot tell
scores apart."""


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
        | {f"over_{base}": asdict(lead) for base, lead in line.over.items()}
        for line in board.lines
    ]
    meta = {
        name: getattr(board, name)
        for name in (
            *("suite", "models", "tasks", "techniques", "seeds", "permutations"),
            *("outcomes", "ranking", "stability", "seconds"),
        )
    }
    tables = {name: [asdict(entry) for entry in getattr(board, name)] for name in ("forgetting", "beyond", "pools")}
    return {"meta": meta | tables, "rows": rows}


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
        "p",
        "holm",
        "ceiling",
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


def _number(value: Line | Estimate | None) -> str:
    if value is None or value.value is None or value.low is None or value.high is None:
        return NOTHING
    return f"{_short(value.value)} [{_short(value.low)}, {_short(value.high)}]"


def _short(value: float) -> str:
    """Two decimals, without the nought before the point, as papers print correlations."""
    text = f"{value:.2f}"
    return ("0" if float(text) == 0 else text.replace("0.", ".", 1) if abs(float(text)) < 1 else text).replace("-", "−")


def _marked(value: Estimate | None, mark: bool) -> str:
    return _number(value) + "*" * mark


def _p(value: float | None) -> str:
    if value is None:
        return NOTHING
    return "< .001" if value < 0.001 else f"{value:.3f}".replace("0.", ".", 1)


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
    return "\n\n".join([f"{name}: {size}", f"{facts}.", *_about_the_pool(board, technique), *tables])


def _about_the_pool(board: Board, technique: str) -> list[str]:
    """What this pool can tell, in a sentence or two."""
    found = next(p for p in board.pools if p.technique == technique)
    said = []
    if found.dispersion is not None and found.headroom is not None:
        said.append(
            f"Dispersion of the models' order {_short(found.dispersion)}, headroom of choosing {_short(found.headroom)}"
        )
    if found.static is not None:
        said.append(f"the static ranking reaches τw {_short(found.static)}")
    steady = board.stability.get(technique, {})
    if steady:
        said.append(
            "ranking of scorers, mean τb to that with " + ", ".join(f"{k} {_short(v)}" for k, v in steady.items())
        )
    return ["; ".join(said) + "."] if said else []


def _table(board: Board, technique: str, target: str, form: str, measures: Sequence[str]) -> str:
    """One target: a row per scorer, best first by Pearson over tasks."""
    from tabulate import tabulate

    markdown = form == "pipe"
    index = {(x.scorer, x.axis, x.measure): x for x in board.lines if (x.technique, x.target) == (technique, target)}
    further = {e.scorer: e for e in board.beyond if (e.technique, e.axis) == (technique, "tasks")}
    columns = {f"{SIGNS[measure]} {AXIS_WORDS[axis]}": (axis, measure) for measure in measures for axis in AXES}
    if target == "accuracy":
        columns |= {"rel@1": ("models", "rel@1"), "regret": ("models", "regret@1")}
    lines = []
    for rank, name in enumerate(board.ranking[technique][target], 1):
        first = index[name, "tasks", "pearson"]
        cells = {"": rank, "scorer": escaped(name) if markdown else name}
        cells |= {head: _number(index.get((name, *place))) for head, place in columns.items()}
        cells["p"] = _p(first.holm)
        if target == "gain":
            lead = first.over.get("headroom")
            cells["r given before"] = _marked(further[name].partial, further[name].informative)
            cells["lead over headroom"] = _marked(lead, lead is not None and lead.sign != 0)
            cells["covers"] = f"{first.coverage:.0%}" + (" constant" if first.constant else "")
            cells["ms"] = f"{board.seconds[name] * 1000:.1f}" if name in board.seconds else NOTHING
        lines.append(cells)
    aligned = ["right", "left", *["right"] * (len(lines[0]) - 2)]
    top = [
        f"{head} {_short(x.ceiling)}"
        for head, place in columns.items()
        if (x := _first(index, place)) and x.ceiling is not None
    ]
    title = f"**{TITLES[target]}**" if markdown else f"{TITLES[target]}, {technique}"
    ceiling = f"\n\nNoise ceiling: {', '.join(top)}." if top else ""
    return f"{title}{ceiling}\n\n{tabulate(lines, 'keys', tablefmt=form, disable_numparse=True, colalign=aligned)}"


def _first(index: dict[tuple[str, str, str], Line], place: tuple[str, str]) -> Line | None:
    return next((x for (_, axis, measure), x in index.items() if (axis, measure) == place), None)


def _forgetting(board: Board, form: str) -> list[str]:
    """The section on forgetting: a row per technique, the least forgetful first."""
    from tabulate import tabulate

    if not board.forgetting:
        return []
    markdown = form == "pipe"
    lines = []
    for f in board.forgetting:
        names = [
            f"{escaped(name) if markdown else name} {_short(r.value or 0.0)}" for name, r in f.predicted_by[:NAMED]
        ]
        more = f" and {len(f.predicted_by) - NAMED} more" if len(f.predicted_by) > NAMED else ""
        over = _marked(f.over_full, f.over_full is not None and f.over_full.sign != 0)
        worst = f"{escaped(f.worst_task) if markdown else f.worst_task} {_short(f.worst)}"
        technique = escaped(f.technique) if markdown else f.technique
        lines.append([technique, _short(f.gain), _number(f.mean), over, worst, ", ".join(names) + more or "no score"])
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
