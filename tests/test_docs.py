"""The pages of docs/: their commands, cards and plugins work as shown."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.cli import build_parser
from benchmark.tasks import cards, sources

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob(".github/**/*.md")])
COMMANDS = ("python -m benchmark ", "transferability ")
PLUGINS = ("scorer", "technique", "source")


def blocks(page: Path, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def commands(page: Path) -> list[str]:
    """Every command of a page, without its first words."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    lines += re.findall(r"(?<!`)`([^`\n]+)`", text)
    found = [line.removeprefix(start) for start in COMMANDS for line in lines if line.startswith(start)]
    return [line for line in found if not re.match(r"COMMAND|[\w-]+ \[options\]", line)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_of_the_pages_are_known(page: Path) -> None:
    for line in commands(page):
        words = [word.strip("'\"") for word in re.findall(r"'[^']*'|\S+", line.partition("#")[0])]
        if words != ["--version"]:
            build_parser().parse_args(words)


def test_commands_are_found_on_the_pages() -> None:
    assert sum(len(commands(page)) for page in PAGES) > 50


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_toml_of_the_pages_is_toml_and_links_lead_somewhere(page: Path) -> None:
    for block in blocks(page, "toml"):
        tomllib.loads(block)
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_and_modules_that_the_pages_name_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    placeholders = ("NAME", "my_")
    for path in re.findall(
        r"`((?:benchmark|scorers|leaderboard|datasets|perf|tools|examples|docs|tests)/[\w./-]*)`", text
    ):
        assert (ROOT / path).exists() or any(word in path for word in placeholders), path
    for block in blocks(page, "python"):
        for module in re.findall(r"^ *from ((?:benchmark|scorers|leaderboard)[\w.]*) import", block, re.M):
            assert importlib.util.find_spec(module), module


def test_packages_and_modules_of_the_architecture_exist() -> None:
    """The two tables of the page: the packages of benchmark, and the modules of leaderboard."""
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    packages, modules = (text.split(f"| {head} | content |")[1].split("\n\n")[0] for head in ("package", "module"))
    shown = set(re.findall(r"^\| `(\w+)`", packages, re.M))
    assert shown == {path.parent.name for path in (ROOT / "benchmark").glob("*/__init__.py")}
    for row in modules.splitlines()[2:]:
        for name in re.findall(r"`([\w./]+)`", row.split("|")[1]):
            assert (ROOT / "leaderboard" / name).exists(), name


def test_every_page_is_in_the_table_of_contents() -> None:
    listed = set()
    for index in (DOCS / "index.md", DOCS / "decisions" / "index.md"):
        for tree in blocks(index, "{toctree}"):
            listed |= {(index.parent / f"{line}.md") for line in tree.splitlines() if line and not line.startswith(":")}
    assert listed | {DOCS / "index.md"} == set(DOCS.rglob("*.md"))


def test_the_card_that_is_shown_is_a_card(tmp_path: Path) -> None:
    shown = blocks(DOCS / "how-to" / "add-a-task.md", "toml")[0]
    (tmp_path / "birds.toml").write_text(shown)
    assert cards.read(tmp_path / "birds.toml").classes == ("robin", "wren")


def test_every_source_has_its_line() -> None:
    text = (DOCS / "how-to" / "add-a-source.md").read_text(encoding="utf-8")
    for kind in set(sources.SOURCES) - {"pocket", "digits"}:
        assert f"| `{kind}` |" in text


@pytest.mark.slow
def test_the_plugins_of_the_pages_work_once_installed(
    tmp_path: Path,
    small_suite: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: Callable[..., "subprocess.CompletedProcess[str]"],
) -> None:
    pages, package = [DOCS / "how-to" / f"add-a-{kind}.md" for kind in PLUGINS], tmp_path / "package"
    package.mkdir()
    (package / "pyproject.toml").write_text("\n".join(blocks(page, "toml")[0] for page in pages))
    (package / "my_plugins.py").write_text("\n\n".join(blocks(page, "python")[0] for page in pages))
    target = tmp_path / "installed"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "--target",
            target,
            package,
        ],
        check=True,
        capture_output=True,
    )
    monkeypatch.setenv("PYTHONPATH", str(target))
    (tmp_path / "lines.toml").write_text(
        'name = "lines"\ntitle = "Stripes"\nclasses = ["narrow", "wide", "wider"]\ntemplates = ["{c} stripes"]\n'
        '[splits]\ntrain = 60\nval = 30\ntest = 60\n[source]\nkind = "stripes"\n'
    )
    model = small_suite.read_text()
    (tmp_path / "own.toml").write_text(
        'name = "own"\nseeds = [0]\ntasks = ["lines.toml"]\nledger = "gains"\n'
        "[techniques.text_only]\nrate = 1e-2\nbatch = 20\nepochs = 20\n" + model[model.index("[[models]]") :]
    )
    for what, names in (("scorers", "spread"), ("techniques", "text_only"), ("sources", "stripes")):
        assert names in command("list", what).stdout
    for words in (["measure", "--suite", "own.toml"], ["score", "--suite", "own.toml", "--scorers", "spread"]):
        done = command(*words)
        assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert all(float(line.split(",")[5]) > 0 for line in lines[1:])
    rows = [row.split(",") for row in (tmp_path / "gains" / "clip-things.csv").read_text().splitlines()[1:]]
    assert all(float(after) > float(before) + 0.2 for *_, before, after in rows)
    checked = command("check-scorer", "my_plugins:spread")
    assert checked.returncode == 0, checked.stdout
