"""Parts that the pages have in common: file names, escaped text, tables."""

import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

WEB = Path(__file__).parent / "web"


def stem(name: str) -> str:
    """A file name for any name: unsafe and upper-case characters are replaced, and a hash keeps different names apart."""
    # lower case, since some file systems do not distinguish case
    plain = re.sub(r"[^a-z0-9_-]", "_", name.lower())[:60]
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def file_name(name: str) -> str:
    """The page of a scorer or task."""
    return f"{stem(name)}.html"


def escape(text: str) -> str:
    return html.escape(text, quote=True)


def detail_page(title: str, parts: Sequence[str]) -> str:
    """The page of one scorer or task; the parts are HTML."""
    return (WEB / "leaf.html").read_text(encoding="utf-8").format(title=escape(title), body="\n".join(parts))


def table(caption: str, rows: Sequence[Mapping[str, str]], text_columns: Sequence[str] = ()) -> str:
    """A table whose cells are HTML already; the first column names the row. Empty without rows."""
    if not rows:
        return ""
    classes = [' class="words"' if head in text_columns else "" for head in rows[0]]
    heads = "".join(f'<th scope="col"{k}>{escape(head)}</th>' for head, k in zip(rows[0], classes, strict=True))
    body = ""
    for row in rows:
        first, *rest = row.values()
        cells = "".join(f"<td{k}>{cell}</td>" for cell, k in zip(rest, classes[1:], strict=True))
        body += f'<tr><th scope="row">{first}</th>{cells}</tr>\n'
    # the region scrolls sideways on a narrow screen, by keyboard too
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>"
    )


def paragraphs(markdown: str) -> str:
    """Paragraphs with bold, emphasis and code in Markdown as HTML."""
    # escaped before the tags are put in; bold before emphasis, whose mark is part of that of bold
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(markdown), flags=re.S)
    # an asterisk that no letter follows stands for itself
    text = re.sub(r"\*(\w[^*]*?)\*", r"<em>\1</em>", text)
    text = re.sub(r"`(.+?)`", r"<code>\1</code>", text)
    return "\n".join(f"<p>{part}</p>" for part in text.split("\n\n"))
