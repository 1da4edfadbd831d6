"""The version of a scorer changes with its source files, and with no others."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import scorers
from benchmark.scoring import versions
from benchmark.scoring.versions import score_version, source_files


def file_names(name: str) -> set[str]:
    return {path.name for path in source_files(scorers.registry().scorers[name].spec)}


def test_files_of_a_scorer_include_its_imports() -> None:
    shared = {"_contract.py", "_embeddings.py", "_statistics.py", "_run.py", "_registry.py"}
    assert file_names("headroom") == shared | {"zero_shot_accuracy.py"}
    assert file_names("ped") == shared | {"ped.py", "sfda.py", "logme.py"}
    assert file_names("knn") == shared | {"knn.py", "_sampling.py"}


PLUGIN = {
    "__init__.py": "",
    "score.py": "from scorers import Embeddings, logme, scorer\nfrom .helper import half\n\n"
    "@scorer(needs={'image', 'labels'})\ndef mine(e):\n    'Mine.'\n    return half(logme(e))\n",
    "helper.py": "from my_scores import constants\n\ndef half(x):\n    return constants.HALF * x\n",
    "constants.py": "HALF = 0.5\n",
    "other.py": "OTHER = 1\n",
}


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "my_scores"
    folder.mkdir()
    for name, text in PLUGIN.items():
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    for module in [module for module in sys.modules if module.startswith("my_scores")]:
        monkeypatch.delitem(sys.modules, module)
    return folder


def version() -> str:
    for cached in (versions._version, versions._source, versions._imports):
        cached.cache_clear()
    return score_version(importlib.import_module("my_scores.score").mine.spec)


@pytest.mark.parametrize(
    ("changed", "stale"), [("score.py", True), ("helper.py", True), ("constants.py", True), ("other.py", False)]
)
def test_a_version_changes_with_the_files_that_a_plugin_imports(changed: str, stale: bool, plugin: Path) -> None:
    before = version()
    assert before == version()
    (plugin / changed).write_text(PLUGIN[changed] + "# changed\n")
    assert (version() != before) == stale


def test_a_plugin_depends_on_the_scorers_that_it_calls(plugin: Path) -> None:
    files = {path.name for path in source_files(importlib.import_module("my_scores.score").mine.spec)}
    assert {"score.py", "helper.py", "constants.py", "logme.py", "_embeddings.py"} <= files
    assert not {"other.py", "sfda.py"} & files


def test_a_version_does_not_depend_on_the_modules_that_are_loaded() -> None:
    code = "import {0}scorers\nfrom benchmark.scoring.versions import score_version\nprint(score_version(scorers.ped.spec))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code.format(extra)], capture_output=True, text=True, check=True
        ).stdout.strip()
        for extra in ("", "benchmark.cli, scipy.stats, ")
    }
    assert outputs == {score_version(scorers.ped.spec)}


def test_a_script_without_a_module_has_the_version_of_its_file(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from scorers import scorer\nfrom benchmark.scoring.versions import source_files\n\n"
        "@scorer(needs={'image'})\ndef mine(e):\n    'Mine.'\n    return e.d\n\n"
        "print(sorted(path.name for path in source_files(mine.spec)))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert "'script.py'" in done.stdout
