"""Tar shards of encoded images: indexed and read in place, never unpacked."""

import io
import os
import tarfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np

from benchmark.errors import InputError, first_line
from benchmark.tasks.sources.base import MAX_IMAGE_BYTES, READ_ERRORS, SUFFIXES, Labels, StoredImage
from leaderboard.regular_files import require_regular

LABELS = {".cls", ".cls.txt"}


def file_stamp(path: Path) -> list[str | int]:
    """Name, size and modification time of a file, which identify its content in cache keys."""
    stat = path.stat()
    return [path.name, stat.st_size, stat.st_mtime_ns]


def index(path: Path) -> tuple[list[StoredImage], Labels]:
    """The N images of a shard, in the order of their keys, and their labels (N,), from KEY.cls.

    Raises InputError for a corrupt archive; a member that is not a plain file or is outside the archive's folder; an image that is too
    large or has no label; a label that has no image or is not an integer.
    """
    try:
        require_regular(path)
    except OSError as problem:
        raise InputError(f"{path}: cannot be read ({problem.strerror})", "remove it and fetch it again") from None
    stat = path.stat()
    return _index(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4096)  # size and modification time make a changed file a new entry
def _index(path: Path, size: int, mtime_ns: int) -> tuple[list[StoredImage], Labels]:
    images: dict[str, StoredImage] = {}
    labels: dict[str, int] = {}
    try:
        # "r:" refuses compression, which leaves no offsets to read images at
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                # nothing is unpacked, but a name with ".." marks a malicious archive
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts:
                    raise InputError(f"{path}: member '{member.name}' is outside the archive; do not use this file")
                if member.isdir():
                    continue
                # a sparse member is not stored as consecutive bytes
                if not member.isfile() or member.sparse is not None:
                    raise InputError(
                        f"{path}: member '{member.name}' is a link or a device, not a file; do not use this file"
                    )
                # the key ends at the first dot of the file name, as in webdataset
                stem, dot, rest = name.name.partition(".")
                key, ending = str(name.parent / stem), f"{dot}{rest}".lower()
                if ending in SUFFIXES:
                    if member.size > MAX_IMAGE_BYTES:
                        raise InputError(
                            f"{path}: member '{member.name}' has {member.size} bytes; the limit for an image is {MAX_IMAGE_BYTES}"
                        )
                    if key in images:
                        raise InputError(f"{path}: sample '{key}' has two images; remove one")
                    images[key] = StoredImage(path, member.offset_data, member.size, member.name)
                elif ending in LABELS:
                    if key in labels:
                        raise InputError(f"{path}: sample '{key}' has two labels; remove one")
                    labels[key] = _read_label(path, member, archive)
            _check_end(path, archive.offset)
    except InputError:
        raise
    # tarfile itself raises errors of many kinds on damaged extended headers, RecursionError for chained ones
    except (tarfile.TarError, *READ_ERRORS) as problem:
        raise InputError(
            f"{path}: is corrupt, or not an uncompressed tar archive ({first_line(problem)}); remove it and fetch it again"
        ) from None
    # tarfile reports a truncated header, but not truncated content of the last member
    for image in images.values():
        if image.offset + image.size > size:
            raise InputError(f"{path}: ends within '{image.name}'; remove it and fetch it again")
    # symmetric difference: an image without a label, or the reverse
    for key in images.keys() ^ labels.keys():
        missing = "label (.cls)" if key in images else "image"
        raise InputError(f"{path}: sample '{key}' has no {missing}; fix the shard")
    keys = list(images)
    return [images[key] for key in keys], np.array([labels[key] for key in keys], np.int64)


def _read_label(path: Path, member: tarfile.TarInfo, archive: tarfile.TarFile) -> int:
    # a label is a short number; larger members are not read at all
    file = archive.extractfile(member) if member.size <= 32 else None
    text = file.read().decode("ascii", "replace").strip() if file else "..."
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InputError(
            f"{path}: member '{member.name}' should contain the number of a class, found {text!r}; fix the shard"
        )
    return int(text)


def _check_end(path: Path, offset: int) -> None:
    """Check that only zeros follow the last member, since tarfile takes a corrupt header for the end of the archive."""
    with path.open("rb") as file:
        file.seek(offset)
        rest = file.read(64 * tarfile.RECORDSIZE)  # 640 KiB; writers pad with zeros to whole records of 10 KiB
    if len(rest) < tarfile.BLOCKSIZE or any(rest):
        raise InputError(f"{path}: is corrupt after {offset} bytes; remove it and fetch it again")


def write_shard(path: Path, samples: Iterable[tuple[bytes, str, int]]) -> int:
    """Write (encoded image, suffix, label) samples as a shard, atomically; returns their number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    count = 0
    with tarfile.open(partial, "w:", format=tarfile.USTAR_FORMAT) as archive:
        for image, suffix, label in samples:
            for ending, body in ((suffix, image), (".cls", str(label).encode())):
                # no times and no owners: equal samples make equal files
                member = tarfile.TarInfo(f"s{count:07d}{ending}")
                member.size = len(body)
                archive.addfile(member, io.BytesIO(body))
            count += 1
    os.replace(partial, path)
    return count
