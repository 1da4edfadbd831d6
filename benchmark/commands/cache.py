"""`cache`: inspect, verify and prune the cache."""

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchmark.commands import options
from benchmark.errors import BenchmarkError

if TYPE_CHECKING:
    from benchmark.embedding.cache import Cache, Entry

HELP = "list, verify or prune the files of the cache"
EXAMPLES = ("cache ls", "cache verify", "cache prune")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        choices=["ls", "verify", "prune"],
        help="ls: list the files; verify: check every checksum; prune: delete corrupt and incomplete files",
    )
    parser.add_argument("--all", action="store_true", help="with prune: delete all files")


def run(args: argparse.Namespace) -> None:
    cache = options.open_cache(args)
    cache.check_marker()
    entries = list(cache.entries())
    if args.action == "ls":
        _print_entries(cache, entries)
    elif args.action == "verify":
        _verify(cache, entries)
    else:
        # partial files and free locks are no entries, and go in either case
        paths = [entry.path for entry in entries if args.all or not entry.intact] + cache.leftovers()
        for path in paths:
            # another process deletes a corrupt file when it reads it
            path.unlink(missing_ok=True)
        print(f"{len(paths)} files deleted from {cache.root}")


def _print_entries(cache: "Cache", entries: "Sequence[Entry]") -> None:
    import polars as pl

    from benchmark.reports.tables import format_table

    rows = [
        [entry.path.stem[:12], entry.key.get("kind", "corrupt"), _subject(entry.key), f"{entry.bytes / 1024:.0f}"]
        for entry in entries
    ]
    table = pl.DataFrame(rows, schema=dict.fromkeys(("entry", "kind", "of", "KiB"), pl.String), orient="row")
    print(format_table(table, right=["KiB"]))
    print(f"\n{len(entries)} files, {sum(entry.bytes for entry in entries) / 2**20:.1f} MiB in {cache.root}")


def _subject(key: Mapping[str, Any]) -> str:
    """The task, suite or number of texts that an entry was computed from."""
    images = key.get("images")
    # samples and images have the task itself, scores the key of its images; moments have a list of such keys
    task = key.get("task") or (images.get("task") if isinstance(images, dict) else None) or {}
    if "name" in task:
        return str(task["name"])
    if "suite" in key:
        return str(key["suite"])
    return f"{len(images)} tasks" if isinstance(images, list) else f"{len(key.get('texts', []))} texts"


def _verify(cache: "Cache", entries: "Sequence[Entry]") -> None:
    corrupt = [entry for entry in entries if not entry.intact]
    for entry in corrupt:
        print(f"corrupt: {entry.path}")
    print(f"{len(entries) - len(corrupt)} files are intact, {len(corrupt)} corrupt")
    if corrupt:
        raise BenchmarkError(
            f"{len(corrupt)} corrupt files in {cache.root}; `python -m benchmark cache prune` deletes them, and they are recomputed when needed"
        )
