"""Work in several processes, through joblib."""

import contextlib
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

WATCH_INTERVAL = 0.5  # seconds between two looks at whether the parent is alive
SHARED_MEMORY = Path("/dev/shm")
# what loky and joblib create there, with the process that owns it
TEMPORARY = re.compile(r"(?:sem\.loky-|loky-|joblib_memmapping_folder_)(\d+)[-_]")


def parallel(calls: Iterable[Any], jobs: int, ordered: bool = True) -> Iterator[Any]:
    """Run joblib's delayed calls in `jobs` processes, and yield their results.

    ordered: in the order of the calls; otherwise each result as soon as it is there.  Workers end with this process, however it ends.
    """
    from joblib import Parallel

    remove_stale_temporaries()
    order = "generator" if ordered else "generator_unordered"
    watched: Iterable[Any] = ((_call, (os.getpid(), function, args, options), {}) for function, args, options in calls)
    # Workers start while SIGINT is blocked, and inherit that: Control-C interrupts this process alone, which then ends its workers.
    previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        # no batches, since calls take seconds and differ in length; arguments are small, so none of them needs a file that workers share
        results: Iterator[Any] = Parallel(
            n_jobs=jobs, return_as=order, batch_size=1, pre_dispatch="2*n_jobs", max_nbytes=None
        )(watched)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)
    yield from results


def _call(main_process: int, function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """One call in a worker, which from then on ends with the main process. With one job that process makes the call itself."""
    if os.getpid() != main_process:
        end_with(main_process)
    return function(*args, **options)


_watched: set[int] = set()


def end_with(parent: int, end: Callable[[], None] = lambda: os._exit(1)) -> None:
    """Call `end`, which ends this process, once its parent is no longer that of this number. Further calls change nothing.

    A thread, not PR_SET_PDEATHSIG: that signal comes when the thread that started the process ends, which joblib's may do earlier.
    """
    if parent in _watched:
        return
    _watched.add(parent)

    def wait() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_INTERVAL)
        end()

    threading.Thread(target=wait, daemon=True).start()


def remove_stale_temporaries(folder: Path = SHARED_MEMORY) -> None:
    """Remove the temporary files of workers whose main process was killed, and so could not remove them."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        match = TEMPORARY.match(path.name)
        # a file of another user cannot be removed, which is fine
        if match and not _alive(int(match[1])):
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to another user
        return True
    return True
