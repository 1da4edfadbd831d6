"""Work in several processes, through joblib."""

import signal
from collections.abc import Iterable, Iterator
from typing import Any


def parallel(calls: Iterable[Any], jobs: int, ordered: bool = True) -> Iterator[Any]:
    """Run joblib's delayed calls in `jobs` processes, and yield their results.

    ordered: in the order of the calls; otherwise each result as soon as it is there.
    """
    from joblib import Parallel

    order = "generator" if ordered else "generator_unordered"
    # Workers start while SIGINT is blocked, and inherit that: Control-C interrupts this process alone, which then ends its workers.
    previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        # no batches, since calls take seconds and differ in length; two per process are taken ahead
        results: Iterator[Any] = Parallel(n_jobs=jobs, return_as=order, batch_size=1, pre_dispatch="2*n_jobs")(calls)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)
    yield from results
