"""A board as text, Markdown, LaTeX, HTML, CSV or JSON. The same board gives the same bytes."""

import csv
import html
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from leaderboard.board import Board
from leaderboard.correlation import MEASURES
from leaderboard.intervals import PROCEDURES
from leaderboard.provenance import Provenance
from leaderboard.sections import EXPLANATION, Cell, Heading, Name, Section, Table, Text, sections

FORMATS = ("text", "md", "csv", "json", "latex", "html")
FEW = ("pearson", "weighted_kendall")


def render(board: Board, form: str, measures: Sequence[str] | None = None, made: Provenance | None = None) -> str:
    """The board in one of FORMATS; raises ValueError for another.

    made: what it was made with, said at the end of all but "text", and in every row of "csv".
    measures: those that the tables show, by default all in "md", Pearson and the weighted τ in "text", "latex" and "html".
    """
    if form == "json":
        whole = _rounded(as_dict(board, made))
        meta, *rows = (
            json.dumps(part, sort_keys=True, ensure_ascii=False, allow_nan=False)
            for part in (whole["meta"], *whole["rows"])
        )
        return f'{{"meta": {meta},\n"rows": [\n' + ",\n".join(rows) + "\n]}\n"
    if form == "csv":
        return _csv(board, made)
    if form == "md":
        return f"{EXPLANATION}\n\n{markdown(board, measures or MEASURES)}\n\n{escaped(_origin(board, made))}\n"
    printers = {"text": _as_text, "latex": _as_latex, "html": _as_html}
    if form not in printers:
        raise ValueError(f"format '{form}' is not known; known: {', '.join(FORMATS)}")
    told = [*sections(board, measures or FEW), *([] if form == "text" else [Text(_origin(board, made))])]
    return printers[form](board, told)


def _origin(board: Board, made: Provenance | None) -> str:
    return f"Board {board.id}" + (f", {made}" if made else "") + "."


def as_dict(board: Board, made: Provenance | None = None) -> dict[str, Any]:
    rows = [
        {name: value for name, value in vars(line).items() if name != "over"}
        | {f"over_{base}": asdict(lead) for base, lead in line.over.items()}
        for line in board.lines
    ]
    meta = {
        name: getattr(board, name)
        for name in (
            *("suite", "models", "tasks", "techniques", "seeds", "permutations"),
            *("outcomes", "ranking", "stability", "turned", "seconds"),
        )
    }
    tables = {name: [asdict(entry) for entry in getattr(board, name)] for name in ("forgetting", "beyond", "pools")}
    origin = {"board": board.id} | ({"made": asdict(made)} if made else {})
    return {"meta": origin | {"intervals": PROCEDURES} | meta | tables, "rows": rows}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {str(k): _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list | tuple) else value


def _csv(board: Board, made: Provenance | None) -> str:
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
        "ties",
    )
    writer = csv.writer(text, lineterminator="\n")
    origin = [board.id, *((made.date, made.software, _cell(made.command)) if made else ("", "", ""))]
    writer.writerow([*columns, "seconds", "board", "date", "versions", "command"])
    for line in board.lines:
        cells = [_cell(getattr(line, column)) for column in columns]
        writer.writerow([*cells, _cell(board.seconds.get(line.scorer)), *origin])
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


def _joined(cell: Cell, escape: Callable[[str], str] = str) -> str:
    parts = (cell,) if isinstance(cell, str) else cell
    return "".join(escape(part) if isinstance(part, Name) else part for part in parts)


def _tabulated(table: Table, form: str, escape: Callable[[str], str] = str) -> str:
    from tabulate import tabulate

    rows = [{head: _joined(cell, escape) for head, cell in row.items()} for row in table.rows]
    aligned = ["left" if head in table.left else "right" for head in rows[0]]
    printed: str = tabulate(rows, "keys", tablefmt=form, disable_numparse=True, colalign=aligned)
    return printed


def _as_text(board: Board, told: Sequence[Section]) -> str:
    out = []
    for section in told:
        if isinstance(section, Table):
            out += [_joined(section.title), _tabulated(section, "simple")]
        else:
            out.append(section.words if isinstance(section, Text) else _joined(section.parts))
    return "\n\n".join(out) + "\n"


def markdown(board: Board, measures: Sequence[str], headings: bool = True) -> str:
    """The tables alone, without the explanation and without an end of line."""
    out = []
    for section in sections(board, measures):
        if isinstance(section, Text):
            out.append(section.words)
        elif isinstance(section, Table):
            out += [f"**{_joined(section.title, escaped)}**", _tabulated(section, "pipe", escaped)]
        elif headings:
            out.append(f"### {_joined(section.parts, escaped)}")
    return "\n\n".join(out)


TEX = {
    "−": "$-$",
    "–": "--",
    "ρ": r"$\rho$",
    "τb": r"$\tau_b$",
    "τw": r"$\tau_w$",
    "×": r"$\times$",
    "<": "$<$",
    ">": "$>$",
}
TEX_ESCAPES = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "^": r"\^{}", "~": r"\textasciitilde{}"} | {
    c: f"\\{c}" for c in "&%$#_"
}


def _as_latex(board: Board, told: Sequence[Section]) -> str:
    """Tables with the rules of booktabs, each with its caption; what stands around them is comments."""

    def tex(text: str) -> str:
        text = "".join(TEX_ESCAPES.get(c, c) for c in " ".join(text.split()))
        text = re.sub("|".join(TEX), lambda match: TEX[match[0]], text)
        return re.sub(r"[^\x20-\u017e]", "?", text)  # what TeX's usual fonts lack

    out = ["% needs \\usepackage{booktabs}"]
    for section in told:
        if isinstance(section, Table):
            rows: tuple[dict[str, Cell], ...] = tuple(
                {tex(head): "{}" + tex(_joined(cell)) for head, cell in row.items()} for row in section.rows
            )
            body = _tabulated(Table("", rows, tuple(tex(head) for head in section.left)), "latex_raw")
            for rule in ("top", "mid", "bottom"):
                body = body.replace(r"\hline", rf"\{rule}rule", 1)
            out.append(f"\\begin{{table}}\n\\caption{{{tex(_joined(section.title))}}}\n{body}\n\\end{{table}}")
        else:
            words = section.words if isinstance(section, Text) else _joined(section.parts)
            out.append("% " + " ".join(words.split()))
    return "\n\n".join(out) + "\n"


PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }}
body {{ max-width: 80rem; margin: auto; padding: 1rem; }}
.table {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }}
caption {{ text-align: left; font-weight: bold; padding: .5rem; }}
th, td {{ padding: .2rem .6rem; border-bottom: 1px solid #8888; }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def _as_html(board: Board, told: Sequence[Section]) -> str:
    """One page that stands alone."""
    out = []
    for section in told:
        if isinstance(section, Heading):
            out.append(f"<h2>{html.escape(_joined(section.parts))}</h2>")
        elif isinstance(section, Text):
            out.append(f"<p>{html.escape(section.words)}</p>")
        else:
            caption = f"<caption>{html.escape(_joined(section.title))}</caption>"
            body = str(_tabulated(section, "html")).replace("<table>", f"<table>\n{caption}", 1)
            out.append(f'<div class="table" tabindex="0">\n{body}\n</div>')
    title = html.escape(f"Board of {board.suite or 'scores'}")
    return PAGE.format(title=title, body="\n".join(out))
