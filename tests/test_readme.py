"""README.md shows what the committed ledger gives."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NUMBER = re.compile(r"[−-]?\d*\.?\d+")


def blocks(text: str) -> dict[str, str]:
    return dict(re.findall(r"<!-- begin: (\w+) -->\n(.*?)<!-- end: \1 -->", text, re.S))


def numbers(text: str) -> list[float]:
    return [float(number.replace("−", "-")) for number in NUMBER.findall(text)]


def parts(block: str) -> list[dict[str, list[float]]]:
    """The numbers of each table by row, and of each text between tables. Left out are a row's place, since near scores may change
    theirs, and milliseconds, which no two runs share."""
    found = []
    for section in block.strip().split("\n\n"):
        if not section.startswith("|"):
            found.append({NUMBER.sub("#", section): numbers(section)})
            continue
        head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines())
        table = {}
        for row in rows:
            kept = [cell for name, cell in zip(head, row, strict=True) if name not in ("", "ms")]
            if head[0] == "predicting":
                kept = [f"{kept[0]} from {kept[1]}", *kept[2:]]
            words = [cell for cell in kept[1:] if not NUMBER.search(cell) and cell not in ("–", "yes", "**no**")]
            table[" / ".join([kept[0], *words])] = numbers(" ".join(cell for cell in kept[1:] if cell not in words))
        assert len(table) == len(rows)
        found.append(table)
    return found


@pytest.mark.slow
def test_the_generated_blocks_are_those_of_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path))
    spec = importlib.util.spec_from_file_location("readme", ROOT / "tools" / "readme.py")
    assert spec is not None
    assert spec.loader is not None
    readme = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(readme)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown, made = blocks(text), blocks(readme.filled(text, readme.board_of()))
    assert set(shown) == set(made) == set(readme.BLOCKS)
    for name in made:
        old, new = parts(shown[name]), parts(made[name])
        assert [set(part) for part in old] == [set(part) for part in new], f"{name}: run tools/readme.py"
        for one, two in zip(old, new, strict=True):
            for key, values in two.items():
                assert one[key] == pytest.approx(values, abs=0.3 if name == "predictions" else 0.03), (
                    f"{name}, {key}: run tools/readme.py"
                )


def test_the_readme_names_nothing_that_is_not_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in re.findall(r"`((?:benchmark|scorers|leaderboard|datasets|perf|tools|examples)/[\w./-]*)`", text):
        assert (ROOT / path).exists(), path
