"""HTTP downloads: atomic, resumed after interruptions, with retries."""

import contextlib
import fcntl
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from benchmark.errors import InputError
from benchmark.tasks.sources.base import Report

TRIES = 5
TIMEOUT = 30.0  # seconds without a byte
BLOCK = 2**20  # bytes per read
HEADERS = {"User-Agent": "transferability-benchmark"}


def download(url: str, path: Path, report: Report = lambda text: None, pause: float = 1.0) -> None:
    """Download a file. Received bytes stay in `PATH.part`, which a later call resumes.

    pause: seconds before the second try; each further pause is twice as long.
    Raises InputError if the server does not have the file, or does not send it completely in `TRIES` tries.
    """
    if path.exists():
        return
    with lock(path):
        if not path.exists():  # another process may have downloaded it meanwhile
            _download(url, path, report, pause)


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """An exclusive lock for the writer of a file; the operating system releases it when the process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(url: str, path: Path, report: Report, pause: float) -> None:
    partial = path.with_name(f"{path.name}.part")
    problem: Exception | str = ""
    for attempt in range(TRIES):
        if attempt:
            report(f"fetch: {url}: {problem}; try {attempt + 1} of {TRIES}")
            time.sleep(pause * 2 ** (attempt - 1))  # 1, 2, 4, 8 seconds with the default pause
        try:
            _append_rest(url, partial)
            os.replace(partial, path)
            return
        except urllib.error.HTTPError as error:
            problem = f"HTTP status {error.code} {error.reason}"
            if error.code == 416:  # range not satisfiable: the partial file is not a beginning of the server's file
                partial.unlink(missing_ok=True)
            elif error.code < 500 and error.code != 429:  # a retry helps only after server errors and rate limits
                break
        except (OSError, http.client.HTTPException, _IncompleteError) as error:
            problem = getattr(error, "reason", None) or str(error) or type(error).__name__
    raise InputError(
        f"{url}: cannot be downloaded ({problem}); run the same command again to resume from the bytes received"
    )


class _IncompleteError(Exception):
    pass


def _append_rest(url: str, partial: Path) -> None:
    """Append the part of the server's file that `partial` does not have yet."""
    start = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers=HEADERS)
    if start:
        request.add_header("Range", f"bytes={start}-")
    with contextlib.closing(urllib.request.urlopen(request, timeout=TIMEOUT)) as answer:
        # a server that ignores the range sends the whole file with status 200
        resumed = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        length = answer.headers.get("Content-Length")
        with partial.open("ab" if resumed else "wb") as file:
            while block := answer.read1(BLOCK):  # read1 returns what has arrived, so a broken connection loses nothing
                file.write(block)
    # Content-Length of a range is the length of the rest
    received = partial.stat().st_size - (start if resumed else 0)
    # a connection closed early ends the loop like a complete file
    if length is not None and received != int(length):
        raise _IncompleteError(f"received {received} of {length} bytes")


def read_text(url: str) -> str | None:
    """A small text file, or None if the server does not have it. Raises InputError if the server does not answer."""
    request = urllib.request.Request(url, headers=HEADERS)
    problem: object = ""
    for _ in range(TRIES):
        try:
            with contextlib.closing(urllib.request.urlopen(request, timeout=TIMEOUT)) as answer:
                return str(answer.read(BLOCK).decode("utf-8"))
        except urllib.error.HTTPError as error:
            if error.code in (401, 403, 404):  # the Hub answers 401 for files that do not exist
                return None
            problem = f"HTTP status {error.code} {error.reason}"
        except (OSError, http.client.HTTPException, UnicodeDecodeError) as error:
            problem = getattr(error, "reason", None) or error
        time.sleep(0.5)
    raise InputError(f"{url}: cannot be downloaded ({problem}); check the network connection and run the command again")
