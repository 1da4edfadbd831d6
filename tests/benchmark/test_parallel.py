"""Workers: they end with the main process, and what it could not remove is removed by the next one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmark.execution.parallel import TEMPORARY, parallel, remove_stale_temporaries

MAIN = """
import os, sys, time
from joblib import delayed
from benchmark.execution.parallel import parallel

def call(k):
    open(os.path.join(sys.argv[1], str(os.getpid())), "w").close()
    time.sleep(60)

list(parallel((delayed(call)(k) for k in range(8)), 2))
"""


def alive(process: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_within_two_seconds_of_the_main_process(sent: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(MAIN.replace("sys.argv[1]", repr(str(tmp_path / "workers"))))
    (tmp_path / "workers").mkdir()
    main = subprocess.Popen([sys.executable, str(script)], start_new_session=True)
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "workers").iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = [int(path.name) for path in (tmp_path / "workers").iterdir()]
    assert len(workers) == 2
    assert all(alive(worker) for worker in workers)
    os.kill(main.pid, sent)
    main.wait()
    deadline = time.monotonic() + 2
    while any(alive(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(alive(worker) for worker in workers)


def test_temporaries_of_dead_processes_are_removed(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for owner, kept in ((dead.pid, False), (os.getpid(), True)):
        semaphore, folder = (
            tmp_path / f"sem.loky-{owner}-ab12",
            tmp_path / f"joblib_memmapping_folder_{owner}_0f_1e",
        )
        semaphore.touch()
        folder.mkdir()
        (folder / "array.pkl").touch()
        remove_stale_temporaries(tmp_path)
        assert (semaphore.exists(), folder.exists()) == (kept, kept)
    (tmp_path / "sem.other-1").touch()
    remove_stale_temporaries(tmp_path)
    assert (tmp_path / "sem.other-1").exists()
    assert not TEMPORARY.match("model.safetensors")


def test_one_job_runs_in_this_process_and_is_not_watched() -> None:
    assert list(parallel([(os.getpid, (), {})], 1)) == [os.getpid()]
