"""The user's files: the default folder, atomic writes, locks, and checksums of results."""

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmark.errors import InputError

SUMS = "SHA256SUMS"  # as `sha256sum --check` reads it


def user_folder() -> Path:
    """`transferability-benchmark` in the user's cache folder (`$XDG_CACHE_HOME`, else `~/.cache`)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "transferability-benchmark"


def write(path: Path, content: str | bytes, *, sync: bool = False) -> None:
    """Write a file atomically: readers see the old content or the new one, never a part. A link is replaced, not followed.

    sync: return once the content is on the disk.  Raises OSError, naming the file, and leaves nothing behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # in the same folder, since os.replace is atomic only within one file system
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        # mkstemp makes files private; these are as readable as any other
        os.chmod(partial, 0o666 & ~_umask())
        os.replace(partial, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        if isinstance(error, OSError) and error.errno:
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


@contextlib.contextmanager
def lock(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """An exclusive lock among processes; the system releases it when a process ends, however it ends.

    The file is neither truncated nor followed if it is a link.  wait: until the lock is free; otherwise yield whether it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def write_sums(folder: Path, names: Iterable[str]) -> Path:
    """Record the checksums of result files, besides those that are recorded already."""
    sums = _read_sums(folder) | {name: digest(folder / name) for name in names}
    write(folder / SUMS, "".join(f"{value}  {name}\n" for name, value in sorted(sums.items())))
    return folder / SUMS


def check_sum(path: Path) -> None:
    """Raise InputError for a result file that has changed since it was written. A file without a recorded checksum passes."""
    recorded = _read_sums(path.parent).get(path.name)
    if recorded and path.is_file() and recorded != digest(path):
        raise InputError(
            f"{path}: has changed since it was written, as {path.parent / SUMS} shows",
            f"write it again; if it was changed on purpose, remove its line from {SUMS}",
        )


def _read_sums(folder: Path) -> dict[str, str]:
    path = folder / SUMS
    if not path.is_file():
        return {}
    lines = (line.partition("  ") for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
    return {name: value for value, _, name in lines if name}


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
