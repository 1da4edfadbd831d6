"""Progress on stderr: what is done, and how long the rest will take."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def progress(
    items: Iterable[T],
    total: int,
    what: str,
    quiet: bool = False,
    every: float = 2.0,
    unit: str = "",
    sizes: Sequence[int] | None = None,
) -> Iterator[T]:
    """Hand on the items, and say now and then how many have come.

    sizes: how much of `total` each item is, where it is not 1 each; then the rate is said too, in `unit`s.
    """
    started = spoken = time.monotonic()
    done = 0
    for count, item in enumerate(items):
        done += sizes[count] if sizes else 1
        yield item
        now = time.monotonic()
        if not quiet and (now - spoken >= every or done == total):
            spoken = now
            spent = max(1e-9, now - started)
            rate = f", {done / spent:.0f}{unit}/s" if sizes else ""
            left = (
                f", about {duration(spent / done * (total - done))} left"
                if 0 < done < total
                else f" in {duration(spent)}"
            )
            print(f"{what}: {done}/{total}{unit}{rate}{left}", file=sys.stderr, flush=True)
