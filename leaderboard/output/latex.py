"""A board as LaTeX tables with the rules of booktabs."""

import re
from collections.abc import Sequence

from leaderboard.output.sections import CellText, Section, Table, Text
from leaderboard.output.tables import joined, tabulated

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


def latex(content: Sequence[Section]) -> str:
    """Each table with its caption; text and headings are comments."""
    parts = ["% needs \\usepackage{booktabs}"]
    for section in content:
        if isinstance(section, Table):
            parts.append(_table(section))
        else:
            # comments: the paper has its own text around the tables
            words = section.words if isinstance(section, Text) else joined(section.parts)
            parts.append("% " + " ".join(words.split()))
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    # `{}` keeps a cell that starts with a bracket from being read as an option of the line break before it
    rows: tuple[dict[str, CellText], ...] = tuple(
        {_escape(head): "{}" + _escape(joined(cell)) for head, cell in row.items()} for row in table.rows
    )
    body = tabulated(Table("", rows, tuple(_escape(head) for head in table.left)), "latex_raw")
    for rule in ("top", "mid", "bottom"):
        # tabulate prints three equal rules, in this order; each round replaces the first that is left
        body = body.replace(r"\hline", rf"\{rule}rule", 1)
    return f"\\begin{{table}}\n\\caption{{{_escape(joined(table.title))}}}\n{body}\n\\end{{table}}"


def _escape(text: str) -> str:
    # special characters first: the signs become commands, whose $ and \ are not escaped
    text = "".join(TEX_ESCAPES.get(c, c) for c in " ".join(text.split()))
    text = re.sub("|".join(TEX), lambda match: TEX[match[0]], text)
    return re.sub(r"[^\x20-\u017e]", "?", text)  # characters that TeX's default fonts do not have
