"""Progress on stderr: what is done, and how long the rest will take."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def progress(items: Iterable[T], total: int, what: str, quiet: bool = False, every: float = 2.0) -> Iterator[T]:
    """Hand on the items, and say now and then how many have come."""
    started = spoken = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if not quiet and (now - spoken >= every or done == total):
            spoken = now
            left = (
                f", about {duration((now - started) / done * (total - done))} left"
                if done < total
                else f" in {duration(now - started)}"
            )
            print(f"{what}: {done}/{total}{left}", file=sys.stderr, flush=True)
