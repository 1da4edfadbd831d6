"""The user's files: the default folder, atomic writes, and locks."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


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
