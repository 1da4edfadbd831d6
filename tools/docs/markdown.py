"""Numbers, tables and blocks in Markdown."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def short(value: float | None) -> str:
    """Two decimals without the leading zero, as papers print correlations; a dash for a missing value."""
    if value is None:
        return "–"
    text = f"{value:.2f}"
    if float(text) == 0:  # "-0.00" too
        return "0"
    return (text.replace("0.", ".", 1) if abs(float(text)) < 1 else text).replace("-", "−")


def estimate(row: Mapping[str, Any] | None, mark: bool = False) -> str:
    """Value and 95 % interval; a dash where no interval is defined."""
    if row is None or row["value"] is None or row["low"] is None or row["high"] is None:
        return "–"
    return f"{short(row['value'])} [{short(row['low'])}, {short(row['high'])}]" + "*" * mark


def sign(row: Mapping[str, Any] | None) -> int:
    """+1 or −1 where the 95 % interval excludes zero, else 0."""
    if row is None or row["low"] is None or row["high"] is None:
        return 0
    return (row["low"] > 0) - (row["high"] < 0)


def p_value(value: float | None) -> str:
    if value is None:
        return "–"
    # 1.000 keeps its digit, as it does not begin with 0
    return "< .001" if value < 0.001 else f"{value:.3f}".replace("0.", ".", 1)


def span(values: Iterable[float], form: Callable[[float], str] = short) -> str:
    ordered = sorted(values)
    low, high = form(ordered[0]), form(ordered[-1])  # compared as printed, so equal texts are not repeated
    return low if low == high else f"{low} to {high}"


def points(value: float) -> str:
    """A share as points of accuracy."""
    return f"{100 * value:.1f}"  # a difference of accuracies times 100, hence not a percentage


def table(rows: Sequence[Mapping[str, str]], left: Sequence[str] = ()) -> str:
    """A Markdown table; the columns named in `left` are aligned to the left, the others to the right."""
    heads = list(rows[0])  # every row has the same columns
    lines = [
        heads,
        [":--" if head in left else "--:" for head in heads],
        *([row[head] for head in heads] for row in rows),
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def code(name: str) -> str:
    return f"`{name}`"


def escaped(text: str) -> str:
    """Escape what Markdown would read as markup, outside of code spans."""
    spans = text.split("`")
    # an odd number of backticks: they mark no code, so they are escaped too
    if len(spans) % 2 == 0:
        return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", text)
    # odd parts are code
    return "`".join(part if i % 2 else re.sub(r"([\\*_\[\]<>|])", r"\\\1", part) for i, part in enumerate(spans))


def filled(path: Path, blocks: Mapping[str, Callable[[], str]]) -> str:
    """The text of a file with its blocks generated anew."""
    text = path.read_text(encoding="utf-8")
    for name, generate in blocks.items():
        begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->"
        # a block that is missing or repeated would leave stale text
        if text.count(begin) != 1 or text.count(end) != 1:
            raise SystemExit(f"{path.name}: block '{name}' should occur exactly once; add its two markers")
        before, rest = text.split(begin)
        text = f"{before}{begin}{generate()}\n{end}{rest.split(end)[1]}"
    return text
