"""HTTP downloads: atomic, resumed after interruptions, with retries; a file that changed on the server is noticed."""

import contextlib
import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmark import files
from benchmark.errors import InputError
from benchmark.tasks.sources.base import Report

TRIES = 5
TIMEOUT = 30.0  # seconds without a byte
BLOCK = 2**20  # bytes per read
SMALL = 2**20  # bytes of a file that `read_text` reads
LARGEST = 2**40  # bytes of a downloaded file
SLOWEST = 1024.0  # bytes per second; a server that sends less is given up
PATIENCE = 60.0  # seconds before the rate is judged
HEADERS = {"User-Agent": "transferability-benchmark"}


class _IncompleteError(Exception):
    """The connection ended early, or was too slow."""


class _RefusedError(Exception):
    """The server sent something that a retry would not change."""


class _HttpRedirects(urllib.request.HTTPRedirectHandler):
    """Redirects to http and https only: urllib would follow one to ftp, too."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urllib.parse.urlsplit(newurl).scheme not in ("http", "https"):
            raise _RefusedError(f"it redirects to {newurl!r}, which is not http or https")
        return super().redirect_request(req, fp, code=code, msg=msg, headers=headers, newurl=newurl)


_OPENER = urllib.request.build_opener(_HttpRedirects)


@contextlib.contextmanager
def _answer(url: str, **headers: str) -> Iterator[Any]:
    request = urllib.request.Request(url, headers=HEADERS | headers)
    with contextlib.closing(_OPENER.open(request, timeout=TIMEOUT)) as answer:
        yield answer


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error or type(error).__name__)


# what a connection, a server or a damaged answer can raise; ValueError: a malformed address in a redirect
TRANSPORT_ERRORS = (OSError, http.client.HTTPException, ValueError, _IncompleteError)


def download(
    url: str, path: Path, report: Report = lambda text: None, pause: float = 1.0, *, limit: int = LARGEST
) -> None:
    """Download a file. Received bytes stay in `PATH.part`, which a later call resumes if the server's file is still the same.

    The digest of a complete file is kept in `PATH.sha256`, and checked if the file was changed or is downloaded again.
    pause: seconds before the second try; each further pause is twice as long.  limit: bytes that are accepted.
    Raises InputError if the server does not have the file, does not send it completely in `TRIES` tries, or sends another one than
    the first time.
    """
    if path.exists():
        _check_digest(url, path)
        return
    with files.lock(path.with_name(f".{path.name}.lock")):
        if not path.exists():  # another process may have downloaded it meanwhile
            _download(url, path, report, pause, limit)


def _download(url: str, path: Path, report: Report, pause: float, limit: int) -> None:
    partial = path.with_name(f"{path.name}.part")
    problem = ""
    for attempt in range(TRIES):
        if attempt:
            report(f"fetch: {url}: {problem}; try {attempt + 1} of {TRIES}")
            time.sleep(pause * 2 ** (attempt - 1))  # 1, 2, 4, 8 seconds with the default pause
        try:
            _append_rest(url, partial, limit)
            _check_digest(url, path, partial)
            os.replace(partial, path)
            _validator_path(partial).unlink(missing_ok=True)
            return
        except urllib.error.HTTPError as error:
            problem = f"HTTP status {error.code} {error.reason}"
            if error.code == 416:  # range not satisfiable: the partial file is not a beginning of the server's file
                partial.unlink(missing_ok=True)
            elif error.code < 500 and error.code != 429:  # a retry helps only after server errors and rate limits
                break
        except _RefusedError as error:
            problem = str(error)
            break
        except TRANSPORT_ERRORS as error:
            problem = _reason(error)
            if isinstance(error, OSError) and error.filename:  # a full disk, not the connection
                raise
    raise InputError(
        f"{url}: cannot be downloaded ({problem}); run the same command again to resume from the bytes received"
    )


def _validator_path(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _validator(answer: Any) -> str:
    """What names the version of the server's file, for If-Range: a strong ETag, else the time of its last change; "" without both."""
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else str(answer.headers.get("Last-Modified", ""))


def _received(partial: Path) -> tuple[int, dict[str, Any]]:
    """Bytes received so far, and the version and size of the file that they belong to."""
    start = partial.stat().st_size if partial.exists() else 0
    try:
        recorded = json.loads(_validator_path(partial).read_text(encoding="utf-8")[:SMALL])
    except (OSError, ValueError):
        recorded = {}
    return start, recorded if isinstance(recorded, dict) else {}


def _append_rest(url: str, partial: Path, limit: int) -> None:
    """Append the part of the server's file that `partial` does not have yet; starts anew if the file is not the same any more."""
    start, recorded = _received(partial)
    headers = {}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator := recorded.get("validator"):
            headers["If-Range"] = str(validator)  # a server whose file has changed then sends the whole of it
    with _answer(url, **headers) as answer:
        content_range = answer.headers.get("Content-Range", "")
        # a server that ignores the range sends the whole file with status 200
        resumed = bool(start) and answer.status == 206 and content_range.startswith(f"bytes {start}-")
        total = _number(content_range.rpartition("/")[2]) if resumed else _number(answer.headers.get("Content-Length"))
        version = {"validator": _validator(answer), "size": total}
        if resumed and recorded and version != {key: recorded.get(key) for key in version}:
            partial.unlink()
            raise _IncompleteError("the server's file has changed since the download began")
        if total is not None and total > limit:
            raise _RefusedError(f"it has {total} bytes, and the limit is {limit}")
        partial.parent.mkdir(parents=True, exist_ok=True)
        files.write(_validator_path(partial), json.dumps(version))
        _copy(answer, partial, append=resumed, limit=limit)
    received = partial.stat().st_size
    if total is not None and received != total:
        raise _IncompleteError(f"received {received} of {total} bytes")


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def _copy(answer: Any, partial: Path, *, append: bool, limit: int) -> None:
    # neither a link is followed nor another's file opened
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_APPEND if append else os.O_TRUNC)
    started, copied = time.monotonic(), 0
    with os.fdopen(os.open(partial, flags, 0o666), "wb") as file:
        size = file.seek(0, os.SEEK_END)
        while block := answer.read1(BLOCK):  # read1 returns what has arrived, so a broken connection loses nothing
            try:
                file.write(block)
                file.flush()
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(partial)) from None
            copied += len(block)
            if size + copied > limit:
                raise _RefusedError(f"it sends more than {limit} bytes, the limit")
            seconds = time.monotonic() - started
            if seconds > PATIENCE and copied < SLOWEST * seconds:
                raise _IncompleteError(f"less than {SLOWEST:.0f} bytes per second")


def _check_digest(url: str, path: Path, content: Path | None = None) -> None:
    """Compare a file with the digest of the first download, or record it. content: the file, where it is not at `path` yet.

    Hashing takes a while, so a file whose size and time are those of the record is not hashed again.
    """
    record = path.with_name(f"{path.name}.sha256")
    content = content or path
    stat = content.stat()
    stamp = [stat.st_size, stat.st_mtime_ns]
    try:
        recorded = json.loads(record.read_text(encoding="utf-8")[:SMALL])
        known, same_stamp = str(recorded["sha256"]), recorded["stamp"] == stamp
    except (OSError, ValueError, KeyError, TypeError):
        if content == path:
            return  # downloaded before digests were recorded, or brought by hand
        known, same_stamp = "", False
    if same_stamp:
        return
    digest = files.digest(content)
    if known and digest != known:
        where = f"{url} is not the file that was downloaded first" if content != path else f"{path} has changed since"
        raise InputError(
            f"{where} (SHA-256 {digest[:12]}..., not {known[:12]}...)", f"remove {path} and {record} to accept it"
        )
    files.write(record, json.dumps({"sha256": digest, "stamp": stamp, "url": url}) + "\n")


def forget(path: Path) -> None:
    """Remove a downloaded file and the record of its digest, so that another content is accepted."""
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}.sha256").unlink(missing_ok=True)


def read_text(url: str) -> str | None:
    """A small text file, or None if the server does not have it. Raises InputError if the server does not answer."""
    problem = ""
    for _ in range(TRIES):
        try:
            with _answer(url) as answer:
                return str(answer.read(SMALL).decode("utf-8"))
        except urllib.error.HTTPError as error:
            if error.code in (401, 403, 404):  # the Hub answers 401 for files that do not exist
                return None
            problem = f"HTTP status {error.code} {error.reason}"
        except _RefusedError as error:
            problem = str(error)
            break
        except TRANSPORT_ERRORS as error:
            problem = _reason(error)
        time.sleep(0.5)
    raise InputError(f"{url}: cannot be downloaded ({problem}); check the network connection and run the command again")
