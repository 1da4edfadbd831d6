"""The content-addressed cache: arrays, and records of JSON values, under the hash of everything that they depend on.

A file is written whole or not at all. It contains its key and a checksum, which is verified on reading; a corrupt file is reported,
deleted and treated as a miss. An entry is computed once however many processes ask for it: the one that holds its lock computes it,
the others wait and read. Arrays are stored as safetensors, records as JSON; nothing is ever unpickled.
"""

import contextlib
import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmark import files
from benchmark.errors import InputError
from benchmark.files import user_folder

Arrays = dict[str, NDArray[Any]]
Key = Mapping[str, Any]
FORMAT = 1  # part of every key: raising it makes all existing files misses
T = TypeVar("T")
MARKER = "CACHEDIR.TAG"  # marks the folder of a cache, also for programs that make backups
PROGRAM = "transferability-benchmark"
MARKER_TEXT = f"Signature: 8a477f597d28d172789f06886806bc55\n# The cache of {PROGRAM}; it may be deleted.\n"
OWN_NAME = re.compile("[0-9a-f]{40}")
OWN_PART = re.compile(r"\.[0-9a-f]{40}\.(?:safetensors|json)\..*\.part")
ARRAYS, RECORD = ".safetensors", ".json"  # what a file contains, by its suffix
LOG = logging.getLogger("benchmark.cache")


def default_root() -> Path:
    """`$BENCHMARK_CACHE`, else `transferability-benchmark` under the user's cache folder."""
    if given := os.environ.get("BENCHMARK_CACHE"):
        return Path(given)
    return user_folder()


def key_digest(key: Key) -> str:
    """The name of an entry: 40 hexadecimal digits of the SHA-256 of its key and of the format's version."""
    # sorted keys: equal dictionaries have equal text, whatever their order
    return hashlib.sha256(json.dumps({"format": FORMAT, **key}, sort_keys=True).encode()).hexdigest()[:40]


@dataclass(frozen=True)
class Entry:
    """One file of the cache as `cache ls` shows it. intact: its checksum and key match its content."""

    path: Path
    bytes: int
    key: dict[str, Any]
    intact: bool


class Cache:
    def __init__(self, root: Path | None = None) -> None:
        self.root = root or default_root()

    def path(self, key: Key, suffix: str = ARRAYS) -> Path:
        name = key_digest(key)
        # 256 sub-folders keep the listing of a large cache fast
        return self.root / str(key["kind"]) / name[:2] / f"{name}{suffix}"

    def read(self, key: Key) -> Arrays | None:
        """The arrays under a key, or None where there are none."""
        return self._read(self.path(key), _read_arrays)

    def read_record(self, key: Key) -> Any:
        """The record under a key, or None where there is none."""
        return self._read(self.path(key, RECORD), _read_record)

    def _read(self, path: Path, reader: Callable[[Path], tuple[T, dict[str, Any]]]) -> T | None:
        if not path.exists():
            return None
        if path.is_dir():
            raise InputError(f"{path}: is a folder where a file of the cache belongs", "remove it")
        try:
            return reader(path)[0]
        # JSONDecodeError and UnicodeDecodeError are ValueErrors
        except (OSError, ValueError) as error:
            LOG.warning("cache: %s is corrupt (%s); it will be recomputed", path.name, error)
            path.unlink(missing_ok=True)
            return None

    def write(self, key: Key, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._write(self.path(key), _pack_arrays(key, arrays))

    def write_record(self, key: Key, record: Any) -> None:
        """Store a JSON value: dictionaries with text keys, lists, texts, numbers, booleans and None."""
        self._write(self.path(key, RECORD), _pack_record(key, record))

    def get(self, key: Key, compute: Callable[[], Mapping[str, NDArray[Any]]]) -> Arrays:
        """The arrays under a key, computed and stored on a miss; other processes wait instead of computing."""
        return self._get(key, self.read, lambda arrays: self.write(key, arrays), lambda: dict(compute()))

    def get_record(self, key: Key, compute: Callable[[], Any]) -> Any:
        """The record under a key, computed and stored on a miss; other processes wait instead of computing."""
        return self._get(key, self.read_record, lambda record: self.write_record(key, record), compute)

    def _get(
        self, key: Key, read: Callable[[Key], T | None], write: Callable[[T], None], compute: Callable[[], T]
    ) -> T:
        # a hit takes no lock
        if (value := read(key)) is not None:
            return value
        with self.lock(key):
            # another process may have computed it while this one waited for the lock
            if (value := read(key)) is not None:
                return value
            value = compute()
            write(value)
            return value

    def delete(self, keys: Iterable[Key]) -> None:
        """Remove arrays that have become part of another entry."""
        for key in keys:
            self.path(key).unlink(missing_ok=True)

    @contextlib.contextmanager
    def lock(self, key: Key) -> Iterator[None]:
        """Hold the lock of a key; the system releases it when the process ends, however it ends."""
        # a file of its own: the entry's is replaced, and its lock with it
        with files.lock(self.root / "locks" / key_digest(key)):
            yield

    def check_marker(self) -> None:
        """Raise InputError for a folder that is there but is no cache, whose files are not ours to delete."""
        marker = self.root / MARKER
        # other programs mark their caches by a file of this name, too
        own = marker.is_file() and marker.stat().st_size < 1000 and PROGRAM in marker.read_text(errors="replace")
        if self.root.exists() and not own and any(self.root.iterdir()):
            raise InputError(
                f"{self.root}: is not a cache of this program, since it has no file {MARKER} of it",
                "give the folder of a cache, or delete the files yourself",
            )

    def entries(self) -> Iterator[Entry]:
        """Every file of the cache, each read whole to verify its checksum. Files of other programs are left out."""
        for suffix, reader in ((ARRAYS, _read_arrays), (RECORD, _read_record)):
            for path in sorted(self.root.glob(f"*/??/*{suffix}")):
                if not OWN_NAME.fullmatch(path.stem) or path.parent.name != path.stem[:2] or not path.is_file():
                    continue
                try:
                    yield Entry(path, bytes=path.stat().st_size, key=reader(path)[1], intact=True)
                except (OSError, ValueError):
                    yield Entry(path, bytes=path.stat().st_size if path.exists() else 0, key={}, intact=False)

    def leftovers(self) -> list[Path]:
        """Partial files of killed processes, and lock files that no process holds."""
        recent = time.time() - 600  # seconds; a younger partial file may be in use
        parts = [
            path
            for path in self.root.glob("*/??/.*.part")
            if OWN_PART.fullmatch(path.name) and path.stat().st_mtime < recent
        ]
        locks = [path for path in self.root.glob("locks/*") if OWN_NAME.fullmatch(path.name) and _is_free(path)]
        return sorted([*parts, *locks])

    def _write(self, path: Path, body: bytes) -> None:
        """Write a file whole or not at all, on the disk before its name appears."""
        if not (self.root / MARKER).exists():
            files.write(self.root / MARKER, MARKER_TEXT)
        files.write(path, body, sync=True)


def _is_free(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with files.lock(path, wait=False) as held:
        return held


def _pack_arrays(key: Key, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    from safetensors.numpy import save

    # the checksum reads the bytes in row order
    plain = {name: np.asarray(value, order="C") for name, value in arrays.items()}
    return save(plain, {"key": json.dumps(dict(key), sort_keys=True), "sha256": _checksum(plain)})


def _checksum(arrays: Mapping[str, NDArray[Any]]) -> str:
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        total.update(f"{name} {array.dtype.str} {array.shape}".encode())  # equal bytes of other shapes differ
        total.update(array.data if array.size else b"")
    return total.hexdigest()


def _read_arrays(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and key of one file; raises ValueError where checksum or key do not match."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    # safetensors checks the header, not the data
    if metadata.get("sha256") != _checksum(arrays):
        raise ValueError("its checksum does not match")
    return arrays, _checked_key(path, json.loads(metadata.get("key", "{}")))


def _pack_record(key: Key, record: Any) -> bytes:
    """Two lines: the key with the checksum of the second line, and the record."""
    body = json.dumps(record, sort_keys=True).encode()
    header = {"key": dict(key), "sha256": hashlib.sha256(body).hexdigest()}
    return json.dumps(header, sort_keys=True).encode() + b"\n" + body + b"\n"


def _read_record(path: Path) -> tuple[Any, dict[str, Any]]:
    """Record and key of one file; raises ValueError where checksum or key do not match."""
    header_line, _, body = path.read_bytes().partition(b"\n")
    header = json.loads(header_line)
    if not isinstance(header, dict) or header.get("sha256") != hashlib.sha256(body.removesuffix(b"\n")).hexdigest():
        raise ValueError("its checksum does not match")
    return json.loads(body), _checked_key(path, header.get("key", {}))


def _checked_key(path: Path, key: Any) -> dict[str, Any]:
    if not isinstance(key, dict) or key_digest(key) != path.stem:  # a renamed or copied file
        raise ValueError("it belongs to another key")
    return dict(key)
