"""What a board says, section by section, before it is printed one way or another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from leaderboard.axes import AXES
from leaderboard.board import Board, Line
from leaderboard.intervals import Estimate

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
Holm over the scorers; where cells are missing, on the part of the table that is whole. The **noise ceiling** is the correlation that a perfect score would have, given how the seeds differ.

Gain is after − before, so whatever knows *before* goes along with it by construction: `headroom` (one minus zero-shot accuracy) and `static_rank`
(the model's mean rank on the other tasks) stand in the tables (over the tasks of one model `static_rank` runs backwards by construction, since
each task is left out of its own mean: read it over models), and **lead over headroom** is the difference of the first column to theirs, with
an asterisk where its interval excludes zero. **r given before** is the partial correlation over tasks of score and gain with the accuracy before
held fixed, the same number with accuracy after in the place of gain; its asterisk marks a score that is *informative*: p of that interval,
adjusted by Holm, is below .05, and it holds on ranks as well (a score that restates headroom never is; one that measures the accuracy before on
other samples may be for that alone). **Regret** is what is lost in accuracy by taking for each task the model that the score puts first, **rel@1** what
that model reaches of the best. **Covers** is the share of (model, task) pairs that got a score; **ms** is the mean time of one score, without the
statistics that scores share. About the pool of models itself: its **dispersion** is 0 where their order is the same on every task (1 − Kendall's
W), its **headroom** the accuracy that choosing a model task by task adds to the best fixed choice: a pool with little of either cannot tell
scores apart."""


class Name(str):
    """A name from a table or a plugin: text, whatever it holds."""


Cell = str | tuple[str, ...]  # in parts where names stand among other words


@dataclass(frozen=True)
class Heading:
    parts: Cell


@dataclass(frozen=True)
class Text:
    words: str


@dataclass(frozen=True)
class Table:
    """Columns in the order of each row's keys; those in `left` hold words."""

    title: Cell
    rows: tuple[dict[str, Cell], ...]
    left: tuple[str, ...]


Section = Heading | Text | Table


def sections(board: Board, measures: Sequence[str]) -> Iterator[Section]:
    """Technique by technique: what it did, what the pool can tell, a table per target; then forgetting."""
    for technique in board.techniques:
        yield from _technique(board, technique, measures)
    yield from _forgetting(board)


def _technique(board: Board, technique: str, measures: Sequence[str]) -> Iterator[Section]:
    out = board.outcomes[technique]
    seeds = f"{len(board.seeds)} seed{'s' * (len(board.seeds) > 1)}"
    yield Heading((Name(technique), f": {len(board.models)} models, {len(board.tasks)} tasks, {seeds}"))
    facts = []
    if "mean gain" in out:
        span = f"{short(out['smallest gain'])} to {short(out['largest gain'])}"
        facts.append(
            f"Mean gain {short(out['mean gain'])} ({span}), negative in {out['share of losses']:.0%} of the cases"
        )
    if "mean forgetting" in out:
        facts.append(f"mean forgetting {short(out['mean forgetting'])}, at most {short(out['largest forgetting'])}")
    if facts:
        yield Text(_sentence(facts))
    if said := _about_the_pool(board, technique):
        yield Text(_sentence(said))
    for target in board.ranking[technique]:
        if any(x.value is not None for x in board.lines if (x.technique, x.target) == (technique, target)):
            yield from _target(board, technique, target, measures)
        elif board.ranking[technique][target]:
            yield Text(
                f"No score can be told from another by {target}: it is the same everywhere, or cells are too few."
            )


def _sentence(parts: Sequence[str]) -> str:
    whole = "; ".join(parts)
    return whole[:1].upper() + whole[1:] + "."


def _about_the_pool(board: Board, technique: str) -> list[str]:
    """What this pool can tell."""
    found = next(p for p in board.pools if p.technique == technique)
    said = []
    if found.dispersion is not None and found.headroom is not None:
        said.append(
            f"dispersion of the models' order {short(found.dispersion)}, headroom of choosing {short(found.headroom)}"
        )
    if found.static is not None:
        said.append(f"the static ranking reaches τw {short(found.static)}")
    if steady := board.stability.get(technique, {}):
        said.append(
            "stability of this ranking, mean τb to that with " + ", ".join(f"{k} {short(v)}" for k, v in steady.items())
        )
    return said


def _target(board: Board, technique: str, target: str, measures: Sequence[str]) -> Iterator[Section]:
    """A row per scorer, best first by Pearson over tasks."""
    index = {(x.scorer, x.axis, x.measure): x for x in board.lines if (x.technique, x.target) == (technique, target)}
    further = {e.scorer: e for e in board.beyond if (e.technique, e.axis) == (technique, "tasks")}
    axes = [axis for axis in AXES if any(x.axis == axis for x in index.values())]
    columns = {f"{SIGNS[measure]} {AXIS_WORDS[axis]}": (axis, measure) for measure in measures for axis in axes}
    if target == "accuracy" and "models" in axes:
        columns |= {"rel@1": ("models", "rel@1"), "regret": ("models", "regret@1")}
    rows = []
    for rank, name in enumerate(board.ranking[technique][target], 1):
        cells: dict[str, Cell] = {"": str(rank), "scorer": Name(name)}
        cells |= {head: number(index.get((name, *place))) for head, place in columns.items()}
        first = index.get((name, "tasks", "pearson"))
        any_line = next(x for x in index.values() if x.scorer == name)
        if first is not None:
            cells["p"] = p_value(first.holm)
        if target == "gain":
            if first is not None:
                cells["r given before"] = marked(further[name].partial, further[name].informative)
                cells["lead over headroom"] = starred(first.over.get("headroom"))
            cells["covers"] = f"{any_line.coverage:.0%}" + (" constant" if any_line.constant else "")
            cells["ms"] = f"{board.seconds[name] * 1000:.1f}" if name in board.seconds else NOTHING
        rows.append(cells)
    ceilings = {place: x.ceiling for x in index.values() if (place := (x.axis, x.measure)) and x.ceiling is not None}
    top = [f"{head} {short(ceilings[place])}" for head, place in columns.items() if place in ceilings]
    yield Table((f"{TITLES[target]}, ", Name(technique)), tuple(rows), ("scorer",))
    if top:
        yield Text(f"Noise ceiling: {', '.join(top)}.")


def _forgetting(board: Board) -> Iterator[Section]:
    """A row per technique, the least forgetful first."""
    if not board.forgetting:
        return
    rows: list[dict[str, Cell]] = []
    for f in board.forgetting:
        telling: list[str] = [] if f.predicted_by else ["no score"]
        for i, (name, r) in enumerate(f.predicted_by[:NAMED]):
            telling += [", " if i else "", Name(name), f" {short(r.value or 0.0)}"]
        if len(f.predicted_by) > NAMED:
            telling.append(f" and {len(f.predicted_by) - NAMED} more")
        rows.append(
            {
                "technique": Name(f.technique),
                "mean gain": NOTHING if f.gain is None else short(f.gain),
                "mean forgetting": number(f.mean),
                "more than full": starred(f.over_full),
                "worst task": (Name(f.worst_task), f" {short(f.worst)}"),
                "predicted by (r over tasks)": tuple(telling),
            }
        )
    yield Heading("Forgetting by technique")
    yield Table(
        "What tuning costs on the other tasks", tuple(rows), ("technique", "worst task", "predicted by (r over tasks)")
    )


def number(value: Line | Estimate | None) -> str:
    if value is None or value.value is None or value.low is None or value.high is None:
        return NOTHING
    return f"{short(value.value)} [{short(value.low)}, {short(value.high)}]"


def short(value: float) -> str:
    """Two decimals, without the nought before the point, as papers print correlations."""
    text = f"{value:.2f}"
    return ("0" if float(text) == 0 else text.replace("0.", ".", 1) if abs(float(text)) < 1 else text).replace("-", "−")


def marked(value: Estimate | None, mark: bool) -> str:
    return number(value) + "*" * mark


def starred(value: Estimate | None) -> str:
    """Marked where the interval excludes zero."""
    return marked(value, value is not None and value.sign != 0)


def p_value(value: float | None) -> str:
    if value is None:
        return NOTHING
    return "< .001" if value < 0.001 else f"{value:.3f}".replace("0.", ".", 1)
