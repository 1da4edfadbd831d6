"""Opening the user's files: regular files of a limited size only."""

import errno
import os
import stat
from pathlib import Path

TABLE_BYTES = 4 * 2**30  # of a CSV of measurements or scores, or the JSON of a board
TEXT_BYTES = 16 * 2**20  # of a card, a suite or another file that people write


def require_regular(path: Path, limit: int | None = None) -> None:
    """Raise OSError, naming the file, where a path is no regular file or has more than `limit` bytes.

    A pipe would block its reader for ever, and a device such as /dev/zero never ends.
    """
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    if limit is not None and status.st_size > limit:
        raise OSError(errno.EFBIG, f"has {status.st_size} bytes, and the limit is {limit}", str(path))


def read_bytes(path: Path, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes. Raises OSError."""
    require_regular(path, limit)
    with path.open("rb") as file:
        body = file.read(limit + 1)
    # a file that grows while it is read
    if len(body) > limit:
        raise OSError(errno.EFBIG, f"has more than {limit} bytes, the limit", str(path))
    return body


def read_text(path: Path, limit: int, encoding: str = "utf-8") -> str:
    """As `read_bytes`, decoded, with the line ends of text files. Raises OSError, UnicodeDecodeError."""
    return read_bytes(path, limit).decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
