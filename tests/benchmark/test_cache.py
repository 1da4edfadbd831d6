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


def test_arrays_are_read_as_written(tmp_path: Path) -> None:
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


def test_keys_that_differ_in_one_part_have_different_digests() -> None:
    others = [
        {**KEY, "kind": "texts"},
        {**KEY, "model": {"a": "2"}},
        {**KEY, "task": {"name": "u"}},
        {**KEY, "split": "val"},
    ]
    assert len({key_digest(key) for key in [KEY, *others]}) == 5
    assert key_digest(dict(reversed(KEY.items()))) == key_digest(KEY)


def test_a_record_is_read_as_written(tmp_path: Path) -> None:
    cache, record = Cache(tmp_path), {"b": [1, 0.1, None, "é\n"], "a": {"x": True}}
    assert cache.read_record(KEY) is None
    assert cache.get_record(KEY, lambda: record) == record
    assert cache.read_record(KEY) == record
    assert cache.read(KEY) is None  # arrays and records do not share names
    entry = next(cache.entries())
    assert entry.intact
    assert entry.key == KEY


@pytest.mark.parametrize("kind", ["arrays", "record"])
@pytest.mark.parametrize("harm", ["truncate", "flip", "empty", "other"])
def test_a_corrupt_file_is_reported_and_recomputed(
    harm: str, kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = Cache(tmp_path)
    if kind == "arrays":
        cache.write(KEY, ARRAYS)
    else:
        cache.write_record(KEY, {"text": "some text", "number": 1.5})
    path = next(cache.entries()).path
    body = path.read_bytes()
    changed = {
        "truncate": body[:-5],
        "flip": body[:-3] + bytes([body[-3] ^ 1]) + body[-2:],
        "empty": b"",
        "other": b"not a file of the cache at all",
    }
    path.write_bytes(changed[harm])
    assert not next(cache.entries()).intact
    if kind == "arrays":
        assert np.array_equal(cache.get(KEY, lambda: ARRAYS)["image"], ARRAYS["image"])
    else:
        assert cache.get_record(KEY, lambda: {"text": "again"}) == {"text": "again"}
    assert f"{path.name} is corrupt" in caplog.text
    assert next(cache.entries()).intact


def test_a_file_under_the_name_of_another_key_is_a_miss(tmp_path: Path) -> None:
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


def test_several_processes_compute_an_entry_once(tmp_path: Path) -> None:
    processes = [start(tmp_path) for _ in range(5)]
    assert [p.wait(60) for p in processes] == [0] * 5
    assert (tmp_path / "count").read_text() == "x"


def test_a_killed_process_leaves_neither_file_nor_lock(tmp_path: Path) -> None:
    process = start(tmp_path, WORKER.replace("0.4", "60"))
    for _ in range(600):
        if (tmp_path / "count").exists():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert start(tmp_path).wait(60) == 0
    assert (tmp_path / "count").read_text() == "xx"


def test_leftovers_are_listed(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.write(KEY, ARRAYS)
    part = cache.path(KEY).parent / f".{cache.path(KEY).name}.tmp123.part"
    part.touch()
    assert part not in cache.leftovers()  # it may be another process's, just now
    os.utime(part, (1, 1))
    assert part in cache.leftovers()
    with cache.lock(KEY):
        assert not [path for path in cache.leftovers() if path.parent.name == "locks"]
    assert [path for path in cache.leftovers() if path.parent.name == "locks"]


def test_default_folder_of_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_CACHE", "/somewhere")
    assert default_root() == Path("/somewhere")
    monkeypatch.delenv("BENCHMARK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert default_root() == Path("/x/transferability-benchmark")
