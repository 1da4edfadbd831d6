"""Scorers of installed packages run in a process of their own.

Such a scorer may loop, print, start threads, fork, end its process or change arrays. None of this reaches the run: a scorer that takes
longer than the limit, or whose process ends, abstains with the reason, and the others go on.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

import benchmark
import scorers

TIMEOUT_VARIABLE = "BENCHMARK_SCORER_TIMEOUT"  # in the environment, since workers read it too
TIMEOUT = 600.0  # seconds for one scorer on one (model, task)
START_SECONDS = 120.0  # for imports, on a busy machine


def score(e: scorers.Embeddings, names: Sequence[str]) -> scorers.Result:
    """As `scorers.score_embeddings`, with the scorers of installed packages in a process of their own."""
    foreign = [name for name in names if name in scorers.registry().installed]
    result = scorers.score_embeddings(e, [name for name in names if name not in foreign])
    if foreign:
        with tempfile.TemporaryDirectory(prefix="benchmark-scorer-") as folder:
            manifest = _write(e, Path(folder))
            for name in foreign:
                merge(result, score_foreign(manifest, name))
    # in the order of the names, as `score_embeddings` would give them
    for field in ("scores", "seconds"):
        order = [key for key in ("statistics", *names) if key in result[field]]
        result[field] = {key: result[field][key] for key in order}
    return result


def merge(result: scorers.Result, other: scorers.Result) -> None:
    """Add the results of another scorer; the time of the shared statistics is that of both processes."""
    statistics = result["seconds"]["statistics"] + other["seconds"].pop("statistics", 0.0)
    for field in result:
        result[field].update(other[field])  # type: ignore[literal-required]
    result["seconds"]["statistics"] = statistics


def _write(e: scorers.Embeddings, folder: Path) -> dict[str, Any]:
    """Write the arrays to .npy files, which the process maps read-only; returns keyword arguments, with a file name for each array."""
    manifest: dict[str, Any] = {"folder": str(folder)}
    for need, value in e.inputs().items():
        if isinstance(value, np.ndarray):
            np.save(folder / f"{need}.npy", value)
            manifest[need] = [f"{need}.npy"]
        elif isinstance(value, list | tuple) and value and isinstance(value[0], np.ndarray):
            manifest[need] = [f"{need}.{k}.npy" for k in range(len(value))]
            for name, array in zip(manifest[need], value, strict=True):
                np.save(folder / name, array)
        else:
            manifest[need] = value.item() if isinstance(value, np.generic) else value
    return manifest


def read(manifest: dict[str, Any]) -> scorers.Embeddings:
    """The embeddings that `_write` wrote."""
    folder = Path(manifest["folder"])
    inputs: dict[str, Any] = {}
    for need, value in manifest.items():
        if isinstance(value, list) and value and str(value[0]).endswith(".npy") and need != "class_names":
            arrays = [np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in value]
            inputs[need] = arrays if need in ("label_views", "general") else arrays[0]
        elif need != "folder":
            inputs[need] = value
    return scorers.Embeddings(inputs.pop("image"), inputs.pop("labels"), **inputs)


def score_foreign(manifest: dict[str, Any], name: str) -> scorers.Result:
    """The result of one scorer; an abstention where its process ended or took too long."""
    started = time.perf_counter()
    answer = _ask({"name": name, "embeddings": manifest})
    if isinstance(answer, dict) and set(answer) == set(scorers.Result.__annotations__):
        return answer  # type: ignore[return-value]
    return {
        "scores": {name: None},
        "abstained": {name: str(answer)},
        "raised": {name: "ProcessError"},
        "seconds": {"statistics": 0.0, name: time.perf_counter() - started},
        "components": {},
    }


def combine(name: str, components: Sequence[dict[str, float]]) -> list[float]:
    """The scores of a pool of models from their components, by the scorer's `pool`. Raises Abstain with the reason."""
    if name not in scorers.registry().installed:
        pool = scorers.registry().scorers[name].spec.pool
        assert pool is not None
        return list(pool(components))
    answer = _ask({"name": name, "components": list(components)})
    if isinstance(answer, list):
        return answer
    raise scorers.Abstain(str(answer))


_process: "subprocess.Popen[bytes] | None" = None


def _ask(request: dict[str, Any]) -> Any:
    """The answer of the process to a request, or the reason why there is none, in one line."""
    global _process
    limit = float(os.environ.get(TIMEOUT_VARIABLE, TIMEOUT))
    if _process is None or _process.poll() is not None:
        _process = _start()
    process = _process
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        line = _read_line(process, limit)
    except (BrokenPipeError, EOFError):
        _stop(process)
        code = process.returncode
        return f"its process ended ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"
    except TimeoutError:
        _stop(process)
        return f"took longer than {limit:g} s; raise the limit with --scorer-timeout"
    # the process of a scorer may write anything
    try:
        return json.loads(line)
    except ValueError:
        _stop(process)
        return "its process wrote something that is no result"


def _start() -> "subprocess.Popen[bytes]":
    # packages that are importable here, such as plugins in a folder of `sys.path`, are importable there
    path = os.pathsep.join([str(Path(benchmark.__file__).parents[1]), *(entry for entry in sys.path if entry)])
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmark.scoring.worker", str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # a group of its own, so that whatever it starts can be ended with it
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    _read_line(process, START_SECONDS)  # it says that it is ready, so that the limit does not count imports
    return process


def _read_line(process: "subprocess.Popen[bytes]", seconds: float) -> bytes:
    """A line of the process's output. Raises TimeoutError, and EOFError where the process has ended."""
    output: IO[bytes] | None = process.stdout
    assert output is not None
    deadline, parts = time.monotonic() + seconds, b""
    while not parts.endswith(b"\n"):
        remaining = deadline - time.monotonic()
        ready, _, _ = select.select([output], [], [], max(0.0, remaining))
        if not ready:
            raise TimeoutError
        part = os.read(output.fileno(), 1 << 16)
        if not part:
            raise EOFError
        parts += part
    return parts


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End the process and whatever it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            # a request that was not read to its end
            with contextlib.suppress(BrokenPipeError):
                stream.close()
