"""A board in one of FORMATS. The same board gives the same bytes."""

import re
from collections.abc import Sequence

from leaderboard.board import Board
from leaderboard.output.data import to_csv, to_published_json
from leaderboard.output.explanation import EXPLANATION
from leaderboard.output.html_page import html_page
from leaderboard.output.latex import latex
from leaderboard.output.sections import Section, Table, Text, sections
from leaderboard.output.tables import joined, tabulated
from leaderboard.provenance import Provenance
from leaderboard.statistics.correlation import MEASURES

FORMATS = ("text", "md", "csv", "json", "latex", "html")
SHORT_TABLES = ("pearson", "weighted_kendall")


def render(board: Board, form: str, measures: Sequence[str] | None = None, provenance: Provenance | None = None) -> str:
    """The board in one of FORMATS; raises ValueError for another.

    measures: shown in the tables, by default all in "md", Pearson and the weighted τ in "text", "latex" and "html".
    provenance: printed at the end of all formats but "text", and in every row of "csv".
    """
    if form not in FORMATS:
        raise ValueError(f"format '{form}' is not known; known: {', '.join(FORMATS)}")
    # data formats have the numbers, not the sections
    if form == "json":
        return to_published_json(board, provenance)
    if form == "csv":
        return to_csv(board, provenance)
    origin = f"Board {board.id}" + (f", {provenance}" if provenance else "") + "."
    if form == "md":
        return f"{EXPLANATION}\n\n{markdown(board, measures or MEASURES)}\n\n{escaped(origin)}\n"
    content = list(sections(board, measures or SHORT_TABLES))
    if form == "text":
        return _text(content)
    content.append(Text(origin))
    return latex(content) if form == "latex" else html_page(board, content)


def escaped(name: str) -> str:
    """A name as Markdown text, whatever characters it has."""
    # a line break would end the row of a table
    one_line = " ".join(name.split())
    # entities for HTML's own characters, and for those that end a cell or a span of code
    return re.sub(
        r"([\\`*_\[\]|<>&])", lambda match: f"&#{ord(match[1])};" if match[1] in "<>&|`" else "\\" + match[1], one_line
    )


def _text(content: Sequence[Section]) -> str:
    parts = []
    for section in content:
        if isinstance(section, Table):
            parts += [joined(section.title), tabulated(section, "simple")]
        else:
            parts.append(section.words if isinstance(section, Text) else joined(section.parts))
    return "\n\n".join(parts) + "\n"


def markdown(board: Board, measures: Sequence[str], headings: bool = True) -> str:
    """The tables without the explanation, and without a line break at the end."""
    parts = []
    for section in sections(board, measures):
        if isinstance(section, Text):
            parts.append(section.words)
        elif isinstance(section, Table):
            parts += [f"**{joined(section.title, escaped)}**", tabulated(section, "pipe", escaped)]
        elif headings:
            parts.append(f"### {joined(section.parts, escaped)}")
    return "\n\n".join(parts)
