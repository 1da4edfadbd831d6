"""Comparing generated text with the text of a file; numbers may differ by rounding."""

import re
from collections.abc import Iterator

NUMBER = re.compile(r"[−-]?\d*\.?\d+")  # with a hyphen or the minus sign U+2212
CLOSE = 0.03  # two computers round the same correlation to neighbouring hundredths


def sections(text: str) -> Iterator[dict[str, list[float]]]:
    """The numbers of each table by row, and of each paragraph. A row's place is left out, since near scores may change theirs."""
    for section in text.strip().split("\n\n"):
        lines = [line for line in section.splitlines() if line.startswith("| ")]
        if not lines:
            # words with numbers as #: equal keys for texts that differ in numbers only
            yield {" ".join(NUMBER.sub("#", section).replace("*", "").split()): _numbers(section)}
            continue
        # the rule gives the alignment, ":--" for columns of words
        heads, rule, *rows = ([cell.strip() for cell in line[2:-2].split(" | ")] for line in lines)
        content = {}
        for row in rows:
            words = [cell for cell, alignment in zip(row, rule, strict=True) if alignment == ":--"]
            key = " / ".join([words[0], *(NUMBER.sub("#", word) for word in words[1:])])
            # the column without a head is the place
            content[key] = _numbers(" ".join(cell for head, cell in zip(heads, row, strict=True) if head))
        yield content


def _numbers(text: str) -> list[float]:
    return [float(number.replace("−", "-")) for number in NUMBER.findall(text)]


def differences(shown: str, generated: str) -> list[str]:
    """Where two texts differ by more than rounding does."""
    if shown == generated:
        return []
    old, new = list(sections(shown)), list(sections(generated))
    if len(old) != len(new):
        return [f"{len(old)} sections instead of {len(new)}"]
    out = []
    for one, two in zip(old, new, strict=True):
        for key in one.keys() ^ two.keys():  # symmetric difference
            out.append(f"only in one of the two: {key[:100]}")
        for key in one.keys() & two.keys():
            # 5 % for large numbers, such as points of accuracy
            near = len(one[key]) == len(two[key]) and all(
                abs(a - b) <= max(CLOSE, 0.05 * abs(b)) for a, b in zip(one[key], two[key], strict=True)
            )
            if not near:
                out.append(f"{key[:100]}: {one[key]} instead of {two[key]}")
    return out
