"""Odd environments: streams that are closed or know no Unicode, tokenizers that are missing or would run code."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmark.errors import InputError
from benchmark.models import loading
from benchmark.models.encoder import Encoder
from benchmark.suites import suite


def run(command: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        ["bash", "-c", f"{sys.executable} -m benchmark {command}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": root, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_stdout_without_unicode_gets_escapes(tmp_path: Path) -> None:
    done = run("list scorers", tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "> /dev/full"])
def test_closed_or_full_streams_are_no_traceback(closed: str, tmp_path: Path) -> None:
    done = run(f"list scorers {closed}", tmp_path)
    assert done.returncode == (1 if "full" in closed else 0)
    assert "Traceback" not in done.stderr
    if "full" in closed:
        assert done.stderr.splitlines()[0] == "error: [Errno 28] No space left on device"


def test_a_local_model_without_its_tokenizer_is_one_line(tmp_path: Path) -> None:
    model = suite.load("pocket").models[0]
    shutil.copytree(model.load.partition("local-dir:")[2], tmp_path / "model")
    without = replace(model, load=f"local-dir:{tmp_path / 'model'}", bpe=None)
    with pytest.raises(
        InputError, match=r"its tokenizer gives token \d+, but its text tower has \d+ tokens; add its vocabulary"
    ):
        Encoder(without).encode_texts(["a red circle"])


def test_tokenizers_never_run_code_of_a_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    import open_clip

    given: list[dict[str, object]] = []

    def record(name: str, **options: object) -> str:
        given.append(options)
        if "trust_remote_code" in options and name == "own":
            raise TypeError("unexpected keyword argument")
        return "tokenizer"

    monkeypatch.setattr(open_clip, "get_tokenizer", record)
    assert loading._load_tokenizer("hub", {}) == "tokenizer"
    assert given == [{"trust_remote_code": False}]
    assert loading._load_tokenizer("own", {"bpe_path": "x"}) == "tokenizer"
    assert given[1:] == [{"trust_remote_code": False, "bpe_path": "x"}, {"bpe_path": "x"}]


def test_weights_of_torch_are_loaded_without_unpickling(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path(tmp_path / "sprung").touch, ())

    model = suite.load("pocket").models[0]
    folder = tmp_path / "model"
    shutil.copytree(model.load.partition("local-dir:")[2], folder)
    (folder / "open_clip_model.safetensors").unlink()
    torch.save({"state_dict": Trap()}, folder / "open_clip_pytorch_model.bin")
    with pytest.raises(InputError, match=r"open_clip cannot load .* Weights only load failed"):
        Encoder(replace(model, load=f"local-dir:{folder}"))
    assert not (tmp_path / "sprung").exists()
