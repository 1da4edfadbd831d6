"""Printing the tables of a board with tabulate."""

from collections.abc import Callable

from leaderboard.output.sections import CellText, Name, Table


def joined(cell: CellText, escape: Callable[[str], str] = str) -> str:
    """The text of a cell, with its names escaped."""
    parts = (cell,) if isinstance(cell, str) else cell
    return "".join(escape(part) if isinstance(part, Name) else part for part in parts)


def tabulated(table: Table, form: str, escape: Callable[[str], str] = str) -> str:
    """The table in one of tabulate's formats, without its title."""
    from tabulate import tabulate

    rows = [{head: joined(cell, escape) for head, cell in row.items()} for row in table.rows]
    aligned = ["left" if head in table.left else "right" for head in rows[0]]
    # texts stay as they are: a name such as 1e3 is no number
    return str(tabulate(rows, "keys", tablefmt=form, disable_numparse=True, colalign=aligned))
