"""Bringing files from a server: whole or not at all, going on after interruptions, with retries."""

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
BLOCK = 2**20


def download(url: str, path: Path, say: Report = lambda text: None, pause: float = 1.0) -> None:
    """Bring a file. What has come stays in `PATH.part`, from where a later call goes on.

    Raises InputError where the server does not have it, or does not give it whole in `TRIES` tries.
    """
    if path.exists():
        return
    with locked(path):
        if not path.exists():
            _download(url, path, say, pause)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one process at a time brings a file; the system lets go of the lock when the process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(url: str, path: Path, say: Report, pause: float) -> None:
    part = path.with_name(f"{path.name}.part")
    problem: Exception | str = ""
    for attempt in range(TRIES):
        if attempt:
            say(f"fetch: {url}: {problem}; try {attempt + 1} of {TRIES}")
            time.sleep(pause * 2 ** (attempt - 1))
        try:
            _rest(url, part)
            os.replace(part, path)
            return
        except urllib.error.HTTPError as refused:
            problem = f"the server says {refused.code} {refused.reason}"
            if refused.code == 416:  # what is there already is no part of what the server has
                part.unlink(missing_ok=True)
            elif refused.code < 500 and refused.code != 429:
                break
        except (OSError, http.client.HTTPException, _Incomplete) as broken:
            problem = getattr(broken, "reason", None) or str(broken) or type(broken).__name__
    raise InputError(
        f"{url}: cannot be fetched ({problem}); what has come is kept, and the same command goes on from there"
    )


class _Incomplete(Exception):
    pass


def _rest(url: str, part: Path) -> None:
    """Add to `part` what the server has beyond it."""
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "transferability-benchmark"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    with contextlib.closing(urllib.request.urlopen(request, timeout=TIMEOUT)) as answer:
        goes_on = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        length = answer.headers.get("Content-Length")
        with part.open("ab" if goes_on else "wb") as file:
            while block := answer.read1(BLOCK):  # what has come is written, even where the rest never comes
                file.write(block)
    came = part.stat().st_size - (start if goes_on else 0)
    if length is not None and came != int(length):
        raise _Incomplete(f"{came} of {length} bytes came")


def read_text(url: str) -> str | None:
    """A small text, or None where the server has none. Raises InputError where there is no answer."""
    request = urllib.request.Request(url, headers={"User-Agent": "transferability-benchmark"})
    problem: object = ""
    for _ in range(TRIES):
        try:
            with contextlib.closing(urllib.request.urlopen(request, timeout=TIMEOUT)) as answer:
                return str(answer.read(BLOCK).decode("utf-8"))
        except urllib.error.HTTPError as refused:
            if refused.code in (401, 403, 404):
                return None
            problem = f"the server says {refused.code} {refused.reason}"
        except (OSError, http.client.HTTPException, UnicodeDecodeError) as broken:
            problem = getattr(broken, "reason", None) or broken
        time.sleep(0.5)
    raise InputError(
        f"{url}: cannot be fetched ({problem}); look whether there is a network, and give the command again"
    )
