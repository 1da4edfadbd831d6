"""Write every generated part of the documentation: python tools/docs [PART ...] [--check]

Parts: `readme` (the blocks of README.md and their picture), `results` (docs/results/), `published` (docs/results/published.md and the
block of leaderboard/README.md), `reference` (docs/reference/), `pocket2` (the blocks of docs/explanation/pocket2.md). Without a name, all of them. `--check` writes nothing, reports
everything that is out of date, and exits with 1 if there is any.

Tables are built from the JSON that the commands write, never from printed tables. A block stands between `<!-- begin: NAME -->` and
`<!-- end: NAME -->`; the text between the two is replaced.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from docs.common import ROOT
from docs.compare import differences
from docs.picture import PICTURE, draw, picture_differences
from docs.pocket2 import pocket2
from docs.published import published
from docs.readme import readme
from docs.reference import reference
from docs.results import results

PARTS: dict[str, Callable[[], dict[Path, str]]] = {
    "readme": readme,
    "results": results,
    "published": published,
    "reference": reference,
    "pocket2": pocket2,
}


def outdated(parts: Iterable[str] = tuple(PARTS)) -> list[str]:
    """A line for every generated number or text that is out of date."""
    out = []
    for part in parts:
        for path, generated in PARTS[part]().items():
            name = path.relative_to(ROOT).as_posix()
            if not path.exists():
                out.append(f"{name}: is missing")
                continue
            shown = path.read_text(encoding="utf-8")
            # numbers may differ by rounding between machines
            lines = differences(shown, generated)
            if part == "reference" and shown != generated:  # no measured numbers, hence no tolerance
                lines = lines or ["differs"]
            out += [f"{name}: {line}" for line in lines]
        if part == "readme":
            out += [f"{PICTURE.name}: {line}" for line in picture_differences()]
    return out


def write(part: str) -> None:
    """Write the files of one part, and print their paths."""
    for path, text in PARTS[part]().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))
    if part == "readme":
        draw(PICTURE)
        print(PICTURE.relative_to(ROOT))


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python tools/docs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    # the empty list is a choice too: argparse checks the default of nargs="*" against the choices
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--check", action="store_true", help="report what is out of date instead of writing")
    arguments = parser.parse_args()
    parts = arguments.parts or list(PARTS)
    if not arguments.check:
        for part in parts:
            write(part)
        return 0
    lines = outdated(parts)
    print("\n".join(lines) or "the generated documentation is current")
    if lines:
        print("run python tools/docs", file=sys.stderr)
    return bool(lines)  # exit code 1 if anything is out of date
