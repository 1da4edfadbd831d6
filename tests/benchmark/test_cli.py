"""The commands as a user types them: help, lists, wrong words, wrong files."""

import csv
import io
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from common import Command

from benchmark.cli import COMMANDS, main

PLAIN = ["--cache", "cache"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"python -m benchmark {name}" in capsys.readouterr().out.partition("example")[2]


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(re.search(rf"^    {name}\b", text, re.M) for name in COMMANDS)


@pytest.mark.parametrize(
    ("what", "least", "named"),
    [
        ("scorers", 22, ["iimm", "logme", "static_rank"]),
        ("models", 8, ["clip-things", "eva02-signs"]),
        ("tasks", 16, ["digits", "runes"]),
        ("techniques", 2, ["full", "clip_adapter"]),
        ("suites", 1, ["pocket"]),
    ],
)
def test_lists(what: str, least: int, named: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", what]) == 0
    first = [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:]]
    assert len(first) >= least
    assert set(named) <= set(first)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--scorers", "imm"], "unknown scorer 'imm': did you mean iimm"),
        (["run", "--models", "clip-thing"], "unknown model 'clip-thing': did you mean clip-things"),
        (["run", "--tasks", "shape"], "unknown task 'shape': did you mean shapes"),
        (["run", "--suite", "pokcet"], "unknown suite 'pokcet': did you mean pocket"),
        (["measure", "--techniques", "fulll"], "unknown technique 'fulll': did you mean full"),
        (["pretrain", "--models", "clip"], "unknown model 'clip': did you mean"),
    ],
)
def test_unknown_names_end_in_one_line_and_code_2(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*words, *PLAIN]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"error: {message}")
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["rum"],
        ["run", "--jobs", "0"],
        ["run", "--jobs", "x"],
        ["run", "--scorers", ","],
        ["list"],
        ["run", "--format", "pdf"],
    ],
)
def test_wrong_usage_ends_with_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (TypeError("a\nb"), "error: TypeError: a; this may be a bug: please report it with the output of --debug\n"),
        (
            MemoryError(),
            "error: MemoryError: MemoryError; this may be a bug: please report it with the output of --debug\n",
        ),
        (SystemExit(0), "error: a plugin called sys.exit(0); --debug shows where\n"),
    ],
)
def test_unexpected_error_is_one_line(
    error: BaseException, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(args: object) -> None:
        raise error

    monkeypatch.setattr(COMMANDS["list"], "run", fail)
    assert main(["list", "scorers"]) == 1
    assert capsys.readouterr().err == message
    if isinstance(error, Exception):
        with pytest.raises(type(error)):
            main(["list", "scorers", "--debug"])


def embeddings_at(path: Path, **change: object) -> Path:
    rng = np.random.default_rng(0)
    arrays = {"image": rng.normal(size=(40, 8)), "labels": np.arange(40) % 2, "text": rng.normal(size=(2, 8))}
    np.savez(path, **{k: v for k, v in (arrays | change).items() if v is not None})
    return path


def test_score_prints_the_documented_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = embeddings_at(tmp_path / "e.npz")
    assert main(["score", str(path), "--scorers", "all", "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result) == {"scores", "abstained", "raised", "seconds", "components"}
    assert {name for name, value in result["scores"].items() if value is None} == set(result["abstained"])
    assert set(result["seconds"]) == {"statistics", *result["scores"]}
    assert set(result["components"]["iimm"]) == {"inter_modal", "intra_image"}
    assert "a posterior over a source vocabulary" in result["abstained"]["leep"]


def test_score_prints_tables_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(embeddings_at(tmp_path / "e.npz"))
    assert main(["score", path, "--scorers", "iimm,leep", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert float(rows[0]["score"]) < 1
    assert rows[1]["abstained"].startswith("needs")
    assert main(["score", path, "--scorers", "iimm,leep"]) == 0
    assert "needs a posterior" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": None}, "field 'labels' is missing; found image, text"),
        ({"labels": np.arange(39) % 2}, "labels: shape (39,) where image has 40 rows"),
        ({"labels": np.arange(40)}, "labels: class 39 is outside the 2 classes"),
        ({"image": np.full((40, 8), np.nan)}, "image: row 0 contains NaN or Inf"),
        ({"text": np.ones((2, 3))}, "text: has 3 dimensions where image has 8"),
        ({"source_probs": np.ones((40, 3))}, "source_probs: its rows are not distributions"),
        ({"logit_scale": np.array([1.0, 2.0])}, "logit_scale: should be one number, found shape (2,)"),
    ],
)
def test_bad_embeddings_end_in_one_line_and_code_1(
    change: dict[str, object], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = embeddings_at(tmp_path / "e.npz", **change)
    assert main(["score", str(path)]) == 1
    printed = capsys.readouterr()
    assert printed.err == f"error: {path}: {printed.err.split(': ', 2)[2]}"
    assert message in printed.err
    assert printed.out == ""


def test_missing_file_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(tmp_path / "none.npz")]) == 1
    assert "none.npz: there is no such file" in capsys.readouterr().err


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file"):
        main(["score", str(tmp_path / "none.npz"), "--debug"])


def test_missing_ledger_is_reported_with_the_command(
    small_suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--suite", str(small_suite), *PLAIN]) == 1
    assert "there is no ledger yet; `python -m benchmark measure" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_dry_run_prints_the_number_of_pending_runs(
    small_suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["measure", "--suite", str(small_suite), "--dry-run", "--cache", str(tmp_path)]) == 0
    assert capsys.readouterr().err == "measure: 20 of 20 runs left\n"


def test_cache_is_listed_verified_and_pruned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from benchmark.embedding.cache import Cache

    cache = Cache(tmp_path)
    for name in ("one", "two"):
        cache.write({"kind": "images", "task": {"name": name}}, {"a": np.arange(4)})
    path = cache.path({"kind": "images", "task": {"name": "one"}})
    path.write_bytes(path.read_bytes()[:-1])
    here = ["--cache", str(tmp_path)]
    assert main(["cache", "ls", *here]) == 0
    assert "2 files" in capsys.readouterr().out
    assert main(["cache", "verify", *here]) == 1
    printed = capsys.readouterr()
    assert f"corrupt: {path}" in printed.out
    assert "cache prune" in printed.err
    assert main(["cache", "prune", *here]) == 0
    assert not path.exists()
    assert main(["cache", "verify", *here]) == 0
    assert main(["cache", "prune", "--all", *here]) == 0
    assert not list(cache.entries())


def test_output_into_a_closed_pipe_is_no_error() -> None:
    import sys

    done = subprocess.run(
        f"{sys.executable} -m benchmark list tasks | head -1", shell=True, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


@pytest.mark.slow
def test_lists_and_help_load_nothing_heavy(command: Command) -> None:
    for words in (["--help"], ["list", "models"], ["list", "tasks"], ["list", "techniques"], ["list", "scorers"]):
        code = (
            "import sys; from benchmark.cli import main\n"
            "try: main(sys.argv[1:])\n"
            "except SystemExit: pass\n"
            "print({'torch', 'sklearn', 'open_clip', 'timm'} & set(sys.modules), file=sys.stderr)"
        )
        import sys

        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
        assert done.stderr.strip().splitlines()[-1] == "set()"
