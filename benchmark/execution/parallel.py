"""Work in several processes, through joblib."""

import signal
from collections.abc import Iterable, Iterator
from typing import Any


def parallel(calls: Iterable[Any], jobs: int, ordered: bool = True) -> Iterator[Any]:
    """The results of joblib's delayed calls, each as soon as it is there, or in the order of the calls.

    Control-C reaches this process alone, which ends its workers: they are started while SIGINT is blocked, and inherit that.
    """
    from joblib import Parallel

    how = "generator" if ordered else "generator_unordered"
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        results: Iterator[Any] = Parallel(n_jobs=jobs, return_as=how, batch_size=1, pre_dispatch="2*n_jobs")(calls)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    yield from results
