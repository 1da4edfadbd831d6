"""The content-addressed cache: arrays and small tables under the hash of everything that they depend on.

A file appears whole or not at all, carries a checksum that is verified on reading, and is written once however many
processes want it: whoever holds its lock computes it, the others wait and read. Nothing in it is ever unpickled.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.files import user_folder

Arrays = dict[str, NDArray[Any]]
Key = Mapping[str, Any]
FORMAT = 1


def default_root() -> Path:
    """`$BENCHMARK_CACHE`, else `transferability-benchmark` under the user's cache folder."""
    if given := os.environ.get("BENCHMARK_CACHE"):
        return Path(given)
    return user_folder()


def key_digest(key: Key) -> str:
    return hashlib.sha256(json.dumps({"format": FORMAT, **key}, sort_keys=True).encode()).hexdigest()[:40]


@dataclass(frozen=True)
class Entry:
    """One file of the cache as `cache ls` shows it."""

    path: Path
    bytes: int
    key: dict[str, Any]
    intact: bool


class Cache:
    def __init__(self, root: Path | None = None) -> None:
        self.root = root or default_root()

    def path(self, key: Key) -> Path:
        name = key_digest(key)
        return self.root / str(key["kind"]) / name[:2] / f"{name}.safetensors"

    def read(self, key: Key) -> Arrays | None:
        """The arrays under a key, or None. A damaged file is said, removed and counts as absent."""
        path = self.path(key)
        if not path.exists():
            return None
        try:
            return _read(path)[0]
        except (OSError, ValueError) as problem:
            print(f"cache: {path.name} is damaged ({problem}); it will be made again", file=sys.stderr)
            path.unlink(missing_ok=True)
            return None

    def write(self, key: Key, arrays: Mapping[str, NDArray[Any]]) -> None:
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        body = _pack(key, arrays)
        handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)
            raise

    def get(self, key: Key, compute: Callable[[], Mapping[str, NDArray[Any]]]) -> Arrays:
        """The arrays under a key, computed and kept if they are not there; other processes wait instead of computing."""
        if (found := self.read(key)) is not None:
            return found
        with self.lock(key):
            if (found := self.read(key)) is not None:
                return found
            made = compute()
            self.write(key, made)
            return dict(made)

    def forget(self, keys: Iterable[Key]) -> None:
        """Remove what has become part of something else."""
        for key in keys:
            self.path(key).unlink(missing_ok=True)

    @contextlib.contextmanager
    def lock(self, key: Key) -> Iterator[None]:
        """Hold the lock of a key; the system lets go of it when the process ends, however it ends."""
        path = self.root / "locks" / key_digest(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def entries(self) -> Iterator[Entry]:
        for path in sorted(self.root.glob("*/??/*.safetensors")):
            try:
                yield Entry(path, path.stat().st_size, _read(path)[1], True)
            except (OSError, ValueError):
                yield Entry(path, path.stat().st_size if path.exists() else 0, {}, False)

    def leftovers(self) -> list[Path]:
        """What killed processes left half-written, and the lock files that nobody holds."""
        recent = time.time() - 600  # a younger one may be in use
        parts = [path for path in self.root.glob("*/??/*.part") if path.stat().st_mtime < recent]
        return sorted([*parts, *(path for path in self.root.glob("locks/*") if _free(path))])


def _free(lock: Path) -> bool:
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _pack(key: Key, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    from safetensors.numpy import save

    plain = {name: np.asarray(value, order="C") for name, value in arrays.items()}
    return save(plain, {"key": json.dumps(dict(key), sort_keys=True), "sha256": _checksum(plain)})


def _checksum(arrays: Mapping[str, NDArray[Any]]) -> str:
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        total.update(f"{name} {array.dtype.str} {array.shape}".encode())
        total.update(array.data if array.size else b"")
    return total.hexdigest()


def _read(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and key of one file; raises ValueError where checksum or key do not fit."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            notes = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as problem:
        raise ValueError(str(problem)) from None
    if notes.get("sha256") != _checksum(arrays):
        raise ValueError("its checksum does not fit")
    key = json.loads(notes.get("key", "{}"))
    if key_digest(key) != path.stem:
        raise ValueError("it belongs to another key")
    return arrays, key
