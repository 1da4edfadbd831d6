"""Fill the generated blocks of README.md from the committed ledger and the scores: python tools/readme.py

A block stands between `<!-- begin: NAME -->` and `<!-- end: NAME -->`; what is between them is replaced.
"""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from tabulate import tabulate

import leaderboard
from benchmark import health, predict, rank, score, suite
from benchmark.cache import Cache
from benchmark.run import run
from leaderboard import Board, Line

README = Path(__file__).resolve().parent.parent / "README.md"


def board_of(name: str = "pocket") -> Board:
    with tempfile.TemporaryDirectory() as folder:
        return run(suite.load(name), ["all"], Cache(), Path(folder), jobs=2)[0]


def boards(board: Board) -> str:
    """The tables of gain and forgetting, Pearson's r alone."""
    text = leaderboard.render(board, "md", ("pearson",))
    tables = re.sub(r"\*\*Accuracy after tuning\*\*\n\n.*?\n\n", "", text[text.index("### ") :], flags=re.S).rstrip()
    return re.sub(
        r"\*\*(Forgetting: [^*]*)\*\*\n\n(.*?)(?=\n\n###|\Z)",
        r"<details><summary>\1</summary>\n\n\2\n\n</details>",
        tables,
        flags=re.S,
    )


def tasks(board: Board) -> str:
    loaded = suite.load(board.suite)
    headers = ["task", "what it shows", "group", "classes", "zero-shot", "over models"]
    headers += [f"gain, {k}" for k in board.techniques]
    return tabulate(health.table(loaded, rank.measurements(loaded)), headers, "pipe", disable_numparse=True)


def acceptance(board: Board) -> str:
    loaded = suite.load(board.suite)
    lines = [
        [c.what, c.found, c.asked, "yes" if c.holds else "**no**"]
        for c in health.check(loaded, rank.measurements(loaded))
    ]
    return tabulate(lines, ["health of the suite", "found", "asked", "holds"], "pipe", disable_numparse=True)


def _interval(line: Line) -> str:
    if line.value is None or line.low is None or line.high is None:
        return "–"
    return f"{line.value:.2f} [{line.low:.2f}, {line.high:.2f}]".replace("-", "−")


def _verdict(line: Line) -> str:
    if line.low is None or line.high is None:
        return "no interval"
    return "holds" if line.low > 0 else "the opposite holds" if line.high < 0 else "not shown"


def claims(board: Board) -> str:
    lines = []
    for technique in board.techniques:
        for target, what in (("gain", "the larger the gain"), ("forgetting", "the more is forgotten")):
            line = board.find("iimm", technique, target, "tasks", "pearson")
            lines.append([f"the higher IIMM, {what}", technique, _interval(line), _verdict(line)])
        order = board.ranking[technique]["gain"]
        lines.append(
            [
                "IIMM predicts gain better than the scores of the literature",
                technique,
                f"place {order.index('iimm') + 1} of {len(order)}",
                "holds" if order[0] == "iimm" else "does not hold",
            ]
        )
    return tabulate(lines, ["claim", "technique", "r over tasks [95 %]", "here"], "pipe", disable_numparse=True)


def predictions(board: Board) -> str:
    """Error in points and R² with each task left out, and with each model left out: the mean, headroom, the best score, the combination."""
    loaded = suite.load(board.suite)
    cells = score.score_suite(loaded, predict.scores_for_all_techniques(None), Cache(), quiet=True).cells
    found = predict.predict(loaded.name, cells, rank.measurements(loaded))
    table = []
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
            table.append([f"{target} under {technique}", shown, error, r2, f"{x.tasks.coverage:.0%}", models])
    head = ["predicting", "from", "error, task left out", "R²", "in the 90 % interval", "error, model left out"]
    return tabulate(table, head, "pipe", disable_numparse=True)


BLOCKS: dict[str, Callable[[Board], str]] = {
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
