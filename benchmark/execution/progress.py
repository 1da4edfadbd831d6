"""Progress on stderr: a bar on a terminal, a line every few seconds elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
INTERVAL = 2.0  # seconds between two lines


def duration(seconds: float) -> str:
    """A rounded duration with its unit."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def progress(
    items: Iterable[T],
    total: int,
    title: str,
    quiet: bool = False,
    *,
    unit: str = "",
    sizes: Sequence[int] | None = None,
) -> Iterator[T]:
    """Pass on the items, and report how many have come.

    total: the number of items, or with `sizes` the sum of their sizes; then the rate is reported too, in `unit`s.
    """
    if quiet:
        yield from items
    elif sys.stderr.isatty():
        yield from _bar(items, total, title, unit=unit, sizes=sizes)
    else:
        yield from _lines(items, total, title, unit=unit, sizes=sizes)


def _bar(items: Iterable[T], total: int, title: str, *, unit: str, sizes: Sequence[int] | None) -> Iterator[T]:
    from tqdm import tqdm

    # on stderr, as the lines are
    with tqdm(total=total, desc=title, unit=unit or "it", dynamic_ncols=True) as bar:
        for count, item in enumerate(items):
            yield item
            bar.update(sizes[count] if sizes else 1)


def _lines(items: Iterable[T], total: int, title: str, *, unit: str, sizes: Sequence[int] | None) -> Iterator[T]:
    started = reported = time.monotonic()
    done = 0
    for count, item in enumerate(items):
        done += sizes[count] if sizes else 1
        yield item
        now = time.monotonic()
        if now - reported >= INTERVAL or done == total:
            reported = now
            elapsed = max(1e-9, now - started)
            rate = f", {done / elapsed:.0f}{unit}/s" if sizes else ""
            # `done` is 0 after items of size 0
            remaining = f", about {duration(elapsed / done * (total - done))} left" if 0 < done < total else ""
            ending = remaining or f" in {duration(elapsed)}"
            print(f"{title}: {done}/{total}{unit}{rate}{ending}", file=sys.stderr, flush=True)
