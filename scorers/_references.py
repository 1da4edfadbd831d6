"""The references of the scorers, in BibTeX."""

import functools
from pathlib import Path


@functools.cache
def references() -> dict[str, str]:
    """Each BibTeX entry by its key, in the order of the file. An entry starts with `@` at the beginning of a line."""
    entries: dict[str, str] = {}
    lines: list[str] = []
    for line in bibtex().splitlines(keepends=True):
        if line.startswith("@"):  # "@article{key,"
            lines = []
            key = line.partition("{")[2].strip().rstrip(",")
            entries[key] = ""
        lines.append(line)
        if entries:
            entries[key] = "".join(lines).rstrip() + "\n"
    return entries


@functools.cache
def bibtex() -> str:
    """The references of the scorers of this package, as BibTeX."""
    return (Path(__file__).parent / "_references.bib").read_text(encoding="utf-8")
