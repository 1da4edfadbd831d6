"""The cache: whole files, checksums, one computation however many processes ask."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmark.embedding.cache import Cache, default_root, key_digest

KEY = {"kind": "images", "model": {"a": "1"}, "task": {"name": "t"}}
ARRAYS = {"image": np.arange(12, dtype="f4").reshape(3, 4), "labels": np.arange(3)}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert cache.read(KEY) is None
    cache.write(KEY, ARRAYS)
    found = cache.read(KEY)
    assert found is not None
    assert all(
        np.array_equal(found[name], array) and found[name].dtype == array.dtype for name, array in ARRAYS.items()
    )
    entry = next(cache.entries())
    assert entry.intact
    assert entry.key == KEY


def test_every_part_of_a_key_counts() -> None:
    others = [
        {**KEY, "kind": "texts"},
        {**KEY, "model": {"a": "2"}},
        {**KEY, "task": {"name": "u"}},
        {**KEY, "split": "val"},
    ]
    assert len({key_digest(key) for key in [KEY, *others]}) == 5
    assert key_digest(dict(reversed(KEY.items()))) == key_digest(KEY)


@pytest.mark.parametrize("harm", ["truncate", "flip", "empty", "other"])
def test_a_damaged_file_is_noticed_said_and_made_again(
    harm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = Cache(tmp_path)
    cache.write(KEY, ARRAYS)
    path = cache.path(KEY)
    body = path.read_bytes()
    changed = {
        "truncate": body[:-5],
        "flip": body[:-3] + bytes([body[-3] ^ 1]) + body[-2:],
        "empty": b"",
        "other": b"not a safetensors file at all",
    }
    path.write_bytes(changed[harm])
    assert not next(cache.entries()).intact
    found = cache.get(KEY, lambda: ARRAYS)
    assert np.array_equal(found["image"], ARRAYS["image"])
    assert f"{path.name} is damaged" in capsys.readouterr().err
    assert next(cache.entries()).intact


def test_a_file_under_the_wrong_name_is_damaged(tmp_path: Path) -> None:
    """A sound file that belongs to another key must not pass for this one's."""
    cache = Cache(tmp_path)
    cache.write(KEY, ARRAYS)
    other = {**KEY, "split": "test"}
    cache.path(other).parent.mkdir(parents=True, exist_ok=True)
    os.replace(cache.path(KEY), cache.path(other))
    assert cache.read(other) is None


def test_a_failed_computation_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> dict[str, np.ndarray]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        Cache(tmp_path).get(KEY, fail)
    assert not list(tmp_path.rglob("*.part"))
    assert Cache(tmp_path).read(KEY) is None


WORKER = """
import sys, time
from pathlib import Path
import numpy as np
from benchmark.embedding.cache import Cache
def compute():
    with open(sys.argv[2], "a") as file: file.write("x")
    time.sleep(0.4)
    return {"a": np.arange(5)}
assert Cache(Path(sys.argv[1])).get({"kind": "images", "n": 1}, compute)["a"][4] == 4
"""


def start(tmp_path: Path, code: str = WORKER) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "cache"), str(tmp_path / "count")])


def test_many_processes_compute_it_once(tmp_path: Path) -> None:
    processes = [start(tmp_path) for _ in range(5)]
    assert [p.wait(60) for p in processes] == [0] * 5
    assert (tmp_path / "count").read_text() == "x"


def test_a_killed_process_leaves_no_half_file_and_no_lock(tmp_path: Path) -> None:
    process = start(tmp_path, WORKER.replace("0.4", "60"))
    for _ in range(600):
        if (tmp_path / "count").exists():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert start(tmp_path).wait(60) == 0
    assert (tmp_path / "count").read_text() == "xx"


def test_leftovers_are_known(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.write(KEY, ARRAYS)
    part = cache.path(KEY).parent / "tmp123.part"
    part.touch()
    assert part not in cache.leftovers()  # it may be another process's, just now
    os.utime(part, (1, 1))
    assert part in cache.leftovers()
    with cache.lock(KEY):
        assert not [path for path in cache.leftovers() if path.parent.name == "locks"]
    assert [path for path in cache.leftovers() if path.parent.name == "locks"]


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_CACHE", "/somewhere")
    assert default_root() == Path("/somewhere")
    monkeypatch.delenv("BENCHMARK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert default_root() == Path("/x/transferability-benchmark")
