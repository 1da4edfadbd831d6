"""The board as a folder of pages that opens from disk: a table and plots, a page per scorer and per task.

The table is DataTables as itables bundles it, the plots are Plotly's; both are copied beside the page, which needs no network.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from leaderboard.board import Board
from leaderboard.output.detail_pages import ScorerDescription, TaskDescription, scorer_page, task_page
from leaderboard.output.explanation import EXPLANATION
from leaderboard.output.formatting import number, short, short_or_undefined, starred
from leaderboard.output.html_parts import WEB, escape, file_name, paragraphs, table
from leaderboard.output.page_data import page_data
from leaderboard.provenance import Provenance
from leaderboard.score_arrays import ScoreArrays
from leaderboard.statistics.partial import BASELINES
from leaderboard.targets import Measured

MAX_PREDICTORS = 5  # scorers listed that predict a technique's forgetting, or that are informative


def write_page(
    folder: Path,
    board: Board,
    scores: pl.DataFrame,
    m: Measured,
    *,
    provenance: Provenance,
    scorers: Mapping[str, ScorerDescription] | None = None,
    tasks: Mapping[str, TaskDescription] | None = None,
) -> Path:
    """Write `index.html`, and the files it needs in `page/`. Returns the path of `index.html`.

    scores, m: those of the board.  scorers, tasks: descriptions by name; without one a page has the numbers only.
    """
    inner = folder / "page"
    for subfolder in ("scorers", "tasks"):
        (inner / subfolder).mkdir(parents=True, exist_ok=True)
    _copy_libraries(inner)
    # JSON has no NaN, which would break the script
    data = json.dumps(page_data(board, ScoreArrays(scores, m), m), ensure_ascii=False, allow_nan=False)
    # a script, since a page opened from disk cannot fetch a file of JSON
    _write(inner / "data.js", f"const BOARD = {data};\n")
    names = sorted(board.rows["scorer"].unique())
    for name in names:
        description = (scorers or {}).get(name, ScorerDescription(""))
        _write(inner / "scorers" / file_name(name), scorer_page(board, name, description))
    for task in board.tasks:
        of_task = (tasks or {}).get(task, TaskDescription(task))
        _write(inner / "tasks" / file_name(task), task_page(board, m, task, of_task))
    index = folder / "index.html"
    _write(index, _index(board, names, provenance))
    return index


def _write(path: Path, text: str) -> None:
    # replaced, not written through: the page may be a link
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def _copy_libraries(folder: Path) -> None:
    """Style, script, Plotly and DataTables.

    A browser does not import a module from disk, so DataTables' is stored as a text, of which page.js makes one.
    """
    import itables
    import plotly.offline

    bundle = Path(itables.__file__).parent / "html"
    for name in ("page.css", "page.js"):
        _write(folder / name, (WEB / name).read_text(encoding="utf-8"))
    _write(folder / "plotly.min.js", plotly.offline.get_plotlyjs())
    _write(folder / "table.css", (bundle / "dt_bundle.css").read_text(encoding="utf-8"))
    module = json.dumps((bundle / "dt_bundle.js").read_text(encoding="utf-8"))
    _write(folder / "table.js", f"const TABLE_MODULE = {module};\n")


def _index(board: Board, names: Sequence[str], provenance: Provenance) -> str:
    scorers = [f'<a href="page/scorers/{file_name(name)}">{escape(name)}</a>' for name in names]
    tasks = [f'<a href="page/tasks/{file_name(task)}">{escape(task)}</a>' for task in board.tasks]
    seeds = f"{len(board.seeds)} seed{'s' * (len(board.seeds) > 1)}"
    size = f"{len(board.models)} models, {len(board.tasks)} tasks, {len(board.techniques)} techniques, {seeds}."
    template = (WEB / "index.html").read_text(encoding="utf-8")
    return template.format(
        title=escape(f"Board of {board.suite or 'scores'}"),
        lead=escape(lead(board)),
        facts=escape(size),
        forgetting=_forgetting(board),
        scorers=", ".join(scorers),
        tasks=", ".join(tasks),
        explanation=paragraphs(EXPLANATION),
        origin=escape(f"Board {board.id}, {provenance}."),
    )


def lead(board: Board) -> str:
    """The result of the board in two sentences."""
    # one technique stands for all: full fine-tuning where it was measured
    technique = "full" if "full" in board.techniques else board.techniques[0]
    target = "gain" if board.ranking[technique]["gain"] else "accuracy"
    ranking = board.ranking[technique][target]
    if not ranking:
        return "There are no measurements to rank scores by. Measure more models or tasks."
    best = board.find(ranking[0], technique, target, "tasks", "pearson")
    if best["low"] is None:
        first = f"No correlation with {target} under {technique} has an interval."
    else:
        first = f"Under {technique}, {ranking[0]} correlates best with {target} over tasks: r {number(best)}."
    return f"{first} {_informative(board, technique)}"


def _informative(board: Board, technique: str) -> str:
    """The number and the names of the scores that are informative beyond the accuracy before."""
    # informative means beyond the baselines, which are not counted
    partials = board.partials.filter(~pl.col("scorer").is_in(BASELINES), technique=technique, axis="tasks")
    # a score without an interval was not tested: the others are the denominator
    with_interval = partials.filter(pl.col("partial").struct.field("low").is_not_null())
    if with_interval.is_empty():
        return "These measurements are too few to tell which scores are informative beyond the accuracy before."
    names = board.informative(technique)["scorer"].to_list()
    listed = ", ".join(names[:MAX_PREDICTORS])
    if len(names) > MAX_PREDICTORS:
        listed += f" and {len(names) - MAX_PREDICTORS} more"
    count = f"{len(names)} of {len(with_interval)} scores are informative about the gain beyond the accuracy before"
    return f"{count}{': ' + listed if listed else ''}."


def _forgetting(board: Board) -> str:
    """The table of forgetting by technique."""
    predicted_by = "predicted by (r over tasks)"
    rows = [
        {
            "technique": escape(row["technique"]),
            "mean gain": short_or_undefined(row["gain"]),
            "mean forgetting": number(row["mean"]),
            "more than full": starred(row["over_full"]),
            "worst task": f"{escape(row['worst_task'])} {short(row['worst'])}",
            predicted_by: _predictors(board, row["technique"]),
        }
        for row in board.forgetting.iter_rows(named=True)
    ]
    text = table("Forgetting on the other tasks after fine-tuning on one", rows, ("worst task", predicted_by))
    return text or "<p>No run was evaluated on other tasks.</p>"


def _predictors(board: Board, technique: str) -> str:
    rows = board.predictors.filter(technique=technique).head(MAX_PREDICTORS).iter_rows(named=True)
    named = [f"{escape(row['scorer'])} {short(row['correlation']['value'] or 0.0)}" for row in rows]
    return ", ".join(named) or "no score"
