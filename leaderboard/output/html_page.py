"""A board as one HTML page without further files."""

import html
from collections.abc import Sequence

from leaderboard.board import Board
from leaderboard.output.sections import Heading, Section, Text
from leaderboard.output.tables import joined, tabulated

# braces are doubled for `format`
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


def html_page(board: Board, content: Sequence[Section]) -> str:
    parts = []
    for section in content:
        if isinstance(section, Heading):
            parts.append(f"<h2>{html.escape(joined(section.parts))}</h2>")
        elif isinstance(section, Text):
            parts.append(f"<p>{html.escape(section.words)}</p>")
        else:
            caption = f"<caption>{html.escape(joined(section.title))}</caption>"
            # tabulate escapes cells in this format, and has no captions
            body = tabulated(section, "html").replace("<table>", f"<table>\n{caption}", 1)
            # focusable, so that a wide table scrolls by keyboard
            parts.append(f'<div class="table" tabindex="0">\n{body}\n</div>')
    title = html.escape(f"Board of {board.suite or 'scores'}")
    return PAGE.format(title=title, body="\n".join(parts))
