"""Fill the generated blocks of README.md from the committed ledger and the scores: python tools/readme.py

A block stands between `<!-- begin: NAME -->` and `<!-- end: NAME -->`; what is between them is replaced.
"""

import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tabulate import tabulate

import leaderboard
from benchmark.embedding.cache import Cache
from benchmark.reports import health, predict
from benchmark.reports import ranking as rank
from benchmark.reports.run import run
from benchmark.scoring import scoring as score
from benchmark.suites import suite
from leaderboard import Board
from leaderboard.output.formatting import number, short
from leaderboard.output.render import markdown
from leaderboard.output.sections import TITLES

README = Path(__file__).resolve().parent.parent / "README.md"


def board_of(name: str = "pocket") -> Board:
    with tempfile.TemporaryDirectory() as folder:
        return run(suite.load(name), ["all"], Cache(), Path(folder), jobs=2)[0]


def _parts(board: Board, technique: str) -> dict[str, str]:
    """One technique's facts (under "") and tables by target, Pearson's r alone."""
    alone = replace(
        board,
        techniques=(technique,),
        rows=board.rows.filter(technique=technique),
        forgetting=board.forgetting.clear(),
    )
    facts, *tables = re.split(r"^\*\*(Gain|Accuracy|Forgetting)[^*]*\*\*$", markdown(alone, ["pearson"]), flags=re.M)
    return {"": facts.strip()} | {name: table.strip() for name, table in zip(tables[::2], tables[1::2], strict=True)}


def boards(board: Board) -> str:
    """The gain under full tuning; folded away, forgetting there and the gain under the other techniques."""
    full = _parts(board, "full")
    out = [
        full[""],
        f"**{TITLES['gain']}**",
        full["Gain"],
        _folded(f"{TITLES['forgetting']}, full", full["Forgetting"]),
    ]
    for technique in board.techniques:
        if technique != "full":
            parts = _parts(board, technique)
            out.append(_folded(f"Gain, {technique}", f"{parts['']}\n\n{parts['Gain']}"))
    return "\n\n".join(out)


def _folded(summary: str, body: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def tasks(board: Board) -> str:
    loaded = suite.load(board.suite)
    headers = ["task", "what it shows", "group", "classes", "zero-shot", "over models"]
    headers += [f"gain, {k}" for k in board.techniques]
    return tabulate(health.table(loaded, rank.measurements(loaded)), headers, "pipe", disable_numparse=True)


def acceptance(board: Board) -> str:
    loaded = suite.load(board.suite)
    lines = [
        [c.what, c.found, c.requested, "yes" if c.holds else "**no**"]
        for c in health.check(loaded, rank.measurements(loaded))
    ]
    return tabulate(lines, ["health of the suite", "found", "asked", "holds"], "pipe", disable_numparse=True)


def _verdict(row: dict[str, Any]) -> str:
    if row["low"] is None or row["high"] is None:
        return "no interval"
    return "holds" if row["low"] > 0 else "the opposite" if row["high"] < 0 else "not shown"


def claims(board: Board) -> str:
    """The paper's claims on IIMM, technique by technique."""
    table = []
    for technique in board.techniques:
        row = {"technique": technique}
        for target in ("gain", "forgetting"):
            line = board.find("iimm", technique, target, "tasks", "pearson")
            row[f"more IIMM, more {target}: r over tasks"] = number(line)
            row["here" if target == "gain" else "here "] = (
                _verdict(line) if line["value"] is not None else "nothing to predict"
            )
        order = board.ranking[technique]["gain"]
        row["IIMM's place for gain"] = f"{order.index('iimm') + 1} of {len(order)}"
        table.append(row)
    return tabulate(table, "keys", "pipe", disable_numparse=True)


def forgetting(board: Board) -> str:
    alone = replace(board, techniques=(), rows=board.rows.clear(), ranking={})
    return markdown(alone, ["pearson"], headings=False).split("\n\n", 1)[1]


def beyond(board: Board) -> str:
    """Per technique, the scores that are informative beyond the accuracy before, over tasks."""
    table = []
    for technique in board.techniques:
        informative = board.informative(technique)
        words = ", ".join(
            f"{leaderboard.escaped(row['scorer'])} {short(row['partial']['value'] or 0.0)}"
            for row in informative.iter_rows(named=True)
        )
        table.append([technique, words or "no score"])
    return tabulate(
        table,
        ["technique", "informative beyond the accuracy before, with r given before"],
        "pipe",
        disable_numparse=True,
    )


def predictions(board: Board) -> str:
    """Error in points and R² with each task left out, and with each model left out: the mean, headroom, the best score, the combination."""
    loaded = suite.load(board.suite)
    cells = score.score_suite(loaded, predict.scores_for_all_techniques(None), Cache(), quiet=True).cells
    found = predict.predict(loaded.name, cells, rank.measurements(loaded))
    tables: dict[str, list[list[str]]] = {"gain": [], "forgetting": []}
    for technique, target in dict.fromkeys((line.technique, line.target) for line in found.lines):
        lines = {x.predictor: x for x in found.lines if (x.technique, x.target) == (technique, target)}
        singles = [x for name, x in lines.items() if name not in (*predict.BASELINES, "zero_shot_accuracy")]
        best = min(singles, key=lambda x: x.tasks.mae)
        for name in (predict.BASELINES[0], best.predictor, *predict.BASELINES[1:]):
            x = lines[name]
            shown = f"{name}, the best other score" if x is best else name
            models = f"{100 * x.models.mae:.1f}" if x.models else "–"
            error = f"{100 * x.tasks.mae:.1f} [{100 * x.tasks.low:.1f}, {100 * x.tasks.high:.1f}]"
            r2 = f"{x.tasks.r2 + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "−")
            tables[target].append([f"{target} under {technique}", shown, error, r2, f"{x.tasks.coverage:.0%}", models])
    head = ["predicting", "from", "error, task left out", "R²", "in the 90 % interval", "error, model left out"]
    gain, forgotten = (tabulate(table, head, "pipe", disable_numparse=True) for table in tables.values())
    return f"{gain}\n\n{_folded('The same for forgetting', forgotten)}"


BLOCKS: dict[str, Callable[[Board], str]] = {
    "beyond": beyond,
    "forgetting": forgetting,
    "board": boards,
    "tasks": tasks,
    "health": acceptance,
    "claims": claims,
    "predictions": predictions,
}


def filled(text: str, board: Board) -> str:
    """The text with every block made anew."""
    for name, make in BLOCKS.items():
        pattern = rf"(<!-- begin: {name} -->\n).*?(<!-- end: {name} -->)"
        body = make(board)
        text, count = re.subn(pattern, lambda m, body=body: f"{m[1]}{body}\n{m[2]}", text, flags=re.S)
        if count != 1:
            raise SystemExit(f"README.md: block '{name}' stands there {count} times; it should once")
    return text


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="utf-8"), board_of()), encoding="utf-8")
