"""A scorer from the template, and a plugin package installed into its own environment."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmark.cli import main

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "nearest-text"


def test_a_package_from_the_template_works(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "benchmark", "new-scorer", "spread_out", "--package", "plugin"]
    written = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert {Path(line).name for line in written.stdout.splitlines()} == {
        "spread_out_scorer.py", "test_spread_out.py", "pyproject.toml", "README.md"
    }  # fmt: skip
    plugin = tmp_path / "plugin"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=plugin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    checked = subprocess.run(
        [sys.executable, "-m", "benchmark", "check-scorer", "spread_out_scorer:spread_out"],
        cwd=plugin, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "FAILED  citation" in checked.stdout or checked.returncode == 0
    again = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "exists already" in again.stderr


def test_a_new_file_in_the_repository_is_discovered(tmp_path: Path) -> None:
    for name in ("scorers", "benchmark", "leaderboard", "datasets"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("weights", "gains", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for words, expected in (
        (["new-scorer", "spread_out"], "scorers/spread_out.py"),
        (["list", "scorers"], "spread_out "),
        (["check-scorer", "spread_out"], "ok      order"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "benchmark", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert expected in done.stdout, done.stderr
    test = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        ".",
        "tests/scorers/test_spread_out.py",
    ]
    done = subprocess.run(test, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["new-scorer", "iimm"], "scorer 'iimm' exists already"),
        (["new-scorer", "My-Score"], "'My-Score' is not a valid name of a scorer"),
        (["new-scorer", "class"], "'class' is not a valid name of a scorer"),
        (["check-scorer", "imm"], "unknown scorer 'imm': did you mean iimm"),
        (["check-scorer", "nowhere:f"], "'nowhere:f' could not be loaded: ModuleNotFoundError"),
        (["check-scorer", "json:f"], "'json:f' could not be loaded: AttributeError"),
    ],
)
def test_an_invalid_name_is_reported(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_a_scorer_that_fails_the_contract_exits_with_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-scorer", "json:dumps"]) == 1
    output = capsys.readouterr()
    assert "FAILED  declared: it is decorated as a scorer, but it has no declaration; put @scorer" in output.out
    assert "1 of 1 checks failed: declared" in output.err


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run Python in a new environment that sees the packages of this one, with the example plugin installed into it by pip."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "env")], check=True)
    python = folder / "env" / "bin" / "python"
    site = next((folder / "env").glob("lib/python*/site-packages"))
    (site / "beneath.pth").write_text(sysconfig.get_path("purelib") + "\n" + str(ROOT) + "\n")
    shutil.copytree(EXAMPLE, folder / "plugin", ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-build-isolation", str(folder / "plugin")],
        check=True, capture_output=True,
    )  # fmt: skip

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([str(python), *words], cwd=folder, capture_output=True, text=True, check=False)

    return run


def test_the_example_plugin_is_installed_and_scored(
    environment: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    listed = environment("-m", "benchmark", "list", "scorers")
    assert "nearest_text " in listed.stdout, listed.stderr
    checked = environment("-m", "benchmark", "check-scorer", "nearest_text_scorer:nearest_text")
    assert checked.returncode == 0, checked.stdout
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "e.npz", image=rng.normal(size=(30, 4)), labels=np.arange(30) % 3, text=rng.normal(size=(3, 4)))
    scored = environment("-m", "benchmark", "score", str(tmp_path / "e.npz"), "--scorers", "all", "--format", "json")
    result = json.loads(scored.stdout)
    assert 0 < result["scores"]["nearest_text"] <= 1
    assert result["scores"]["iimm"] is not None
    assert (
        subprocess.run(
            [sys.executable, "-m", "benchmark", "check-scorer", "nearest_text"],
            capture_output=True,
            check=False,
            cwd=tmp_path,
        ).returncode
        == 2
    )  # installed in that environment only
