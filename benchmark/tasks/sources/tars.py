"""Tar shards as stores of encoded images: indexed and read in place, never unpacked."""

import io
import os
import tarfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np

from benchmark.errors import InputError
from benchmark.tasks.sources.base import LARGEST, SUFFIXES, Labels, StoredImage

LABELS = {".cls", ".cls.txt"}


def identity(path: Path) -> list[str | int]:
    """What stands for a shard's content in the cache's keys."""
    stat = path.stat()
    return [path.name, stat.st_size, stat.st_mtime_ns]


def index(path: Path) -> tuple[list[StoredImage], Labels]:
    """The images of a shard, in the order of their keys, and the labels beside them (KEY.cls).

    Raises InputError for a damaged archive, a member that leads out of it or is no plain file, an image that is too large, an image
    without label, a label without image, or one that is no number.
    """
    stat = path.stat()
    return _index(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4096)
def _index(path: Path, size: int, changed: int) -> tuple[list[StoredImage], Labels]:
    images: dict[str, StoredImage] = {}
    labels: dict[str, int] = {}
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts:
                    raise InputError(f"{path}: member '{member.name}' leads out of the archive; do not use it")
                if member.isdir():
                    continue
                if not member.isfile() or member.sparse is not None:
                    raise InputError(f"{path}: member '{member.name}' is a link or a device, not a file; do not use it")
                stem, dot, rest = name.name.partition(".")
                key, ending = str(name.parent / stem), f"{dot}{rest}".lower()
                if ending in SUFFIXES:
                    if member.size > LARGEST:
                        raise InputError(
                            f"{path}: member '{member.name}' has {member.size} bytes, more than an image may have ({LARGEST})"
                        )
                    if key in images:
                        raise InputError(f"{path}: sample '{key}' has two images; keep one")
                    images[key] = StoredImage(path, member.offset_data, member.size, member.name)
                elif ending in LABELS:
                    if key in labels:
                        raise InputError(f"{path}: sample '{key}' has two labels; keep one")
                    labels[key] = _label(path, member, archive)
            _ends(path, archive.offset)
    except (tarfile.TarError, OSError, EOFError) as problem:
        raise InputError(
            f"{path}: is damaged, or not a plain tar archive ({problem}); remove it and fetch it again"
        ) from None
    _whole(path, size, images.values())
    for key in images.keys() ^ labels.keys():
        raise InputError(
            f"{path}: sample '{key}' has {'no label (.cls)' if key in images else 'no image'}; mend the shard"
        )
    keys = list(images)
    return [images[key] for key in keys], np.array([labels[key] for key in keys], np.int64)


def _label(path: Path, member: tarfile.TarInfo, archive: tarfile.TarFile) -> int:
    file = archive.extractfile(member) if member.size <= 32 else None
    written = file.read().decode("ascii", "replace").strip() if file else "..."
    if not (written.isascii() and written.isdigit() and len(written) < 10):
        raise InputError(
            f"{path}: member '{member.name}' should hold the number of a class, found {written!r}; mend the shard"
        )
    return int(written)


def _ends(path: Path, offset: int) -> None:
    """After its last member an archive holds zeros alone; tarfile takes a damaged header for its end."""
    with path.open("rb") as file:
        file.seek(offset)
        rest = file.read(64 * tarfile.RECORDSIZE)
    if len(rest) < tarfile.BLOCKSIZE or any(rest):
        raise InputError(f"{path}: is damaged after {offset} bytes; remove it and fetch it again")


def _whole(path: Path, size: int, images: Iterable[StoredImage]) -> None:
    for image in images:
        if image.offset + image.size > size:
            raise InputError(f"{path}: ends within '{image.name}'; remove it and fetch it again")


def write_shard(path: Path, samples: Iterable[tuple[bytes, str, int]]) -> int:
    """Write (encoded image, suffix, label) samples as a shard, whole or not at all; returns how many there were."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    count = 0
    with tarfile.open(part, "w:", format=tarfile.USTAR_FORMAT) as archive:
        for image, suffix, label in samples:
            for ending, body in ((suffix, image), (".cls", str(label).encode())):
                member = tarfile.TarInfo(f"s{count:07d}{ending}")
                member.size = len(body)
                archive.addfile(member, io.BytesIO(body))
            count += 1
    os.replace(part, path)
    return count
