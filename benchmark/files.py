"""The user's files: the default folder, and atomic writes."""

import os
from pathlib import Path


def user_folder() -> Path:
    """`transferability-benchmark` in the user's cache folder (`$XDG_CACHE_HOME`, else `~/.cache`)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "transferability-benchmark"


def write(path: Path, text: str) -> None:
    """Write a text file atomically: readers see the old content or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # in the same folder, since os.replace is atomic only within one file system; the process id keeps writers apart
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
