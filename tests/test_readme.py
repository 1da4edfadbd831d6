"""The README and every generated page show what the committed ledger, the commands and the scorers give."""

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmark import cli

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import a module of tools/docs."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    return lambda name: importlib.import_module(f"docs.{name}")


@pytest.mark.slow
@pytest.mark.parametrize("part", ["readme", "results", "published"])
def test_generated_numbers_are_current(
    tool: Any, part: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path_factory.getbasetemp() / "docs_cache"))
    assert not tool("cli").outdated([part])


def test_generated_reference_is_current(tool: Any) -> None:
    assert not tool("cli").outdated(["reference"])


def test_comparison_tolerates_rounding_and_near_ties_only(tool: Any) -> None:
    text = "Mean gain .19.\n\n|  | scorer | r |\n| --: | :-- | --: |\n| 1 | `a` | .53 [.36, .67] |\n| 2 | `b` | .52 [.30, .66] |\n"
    swapped = "Mean gain .20.\n\n|  | scorer | r |\n| --: | :-- | --: |\n| 1 | `b` | .53 [.30, .66] |\n| 2 | `a` | .53 [.36, .67] |\n"
    differences = tool("compare").differences
    assert differences(text, swapped) == []
    for old, new in (
        (".53 [", ".59 ["),
        ("`b`", "`c`"),
        ("Mean gain", "Median gain"),
        (" [.36, .67]", ""),
        (".19", ".25"),
    ):
        assert differences(text, text.replace(old, new)), (old, new)


def test_every_command_and_scorer_is_in_the_reference(tool: Any) -> None:
    import scorers

    commands = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    assert all(f"\n## {name}\n" in commands for name in tool("reference").subcommands())
    page = (ROOT / "docs" / "reference" / "scorers.md").read_text(encoding="utf-8")
    for name, function in scorers.registry().scorers.items():
        if function.spec.function.__module__.startswith("scorers."):
            assert f"\n## {name}\n" in page


def test_readme_is_short_and_names_its_test_command() -> None:
    content = (ROOT / "README.md").read_bytes()
    assert len(content) <= 10_000
    command = "pip install tox && tox"
    assert command in content.decode()
    assert command in (ROOT / ".ci" / "run").read_text()


def test_picture_is_small() -> None:
    assert (ROOT / "docs" / "images" / "leaderboard.png").stat().st_size < 150_000


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", "leaderboard/README.md", "CHANGELOG.md", "SECURITY.md"]
)
def test_links_and_paths_of_the_pages_outside_the_site_exist(name: str) -> None:
    path = ROOT / name
    text = path.read_text(encoding="utf-8")
    for link in LINK.findall(text):
        if not link.startswith(("http", "#")):
            assert (path.parent / link.partition("#")[0]).exists(), link
    if name != "CHANGELOG.md":
        for named in re.findall(
            r"`((?:benchmark|scorers|leaderboard|datasets|perf|tools|examples|docs)/[\w./-]*)`", text
        ):
            assert (ROOT / named).exists(), named


@pytest.mark.parametrize("path", ["README.md", "docs/quickstart.md", "docs/how-to/score-your-embeddings.md"])
def test_python_of_the_pages_runs(path: str, tmp_path: Path) -> None:
    code = re.findall(r"^```python\n(.*?)^```", (ROOT / path).read_text(encoding="utf-8"), re.M | re.S)
    assert code
    for block in code:
        done = subprocess.run([sys.executable, "-c", block], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "torch" not in block


def test_console_script_is_the_command_line() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, function = project["scripts"]["transferability"].partition(":")
    assert module == cli.__name__
    assert getattr(cli, function) is cli.main


def test_versions_agree() -> None:
    import benchmark

    assert f"\nversion: {benchmark.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {benchmark.__version__}\n" in (ROOT / "CHANGELOG.md").read_text()
