"""The process in which foreign scorers run: python -m benchmark.scoring.worker PARENT. See `benchmark.scoring.isolation`.

Reads requests from stdin, a line of JSON each, and answers each with a line of JSON.
"""

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import scorers
from benchmark.execution.parallel import end_with
from benchmark.scoring import isolation

MEMORY = 8 * 2**30  # bytes of address space, besides four times the embeddings and what the process has at the start


def main() -> None:
    parent, process = int(sys.argv[1]), os.getpid()
    end_with(parent, lambda: os.killpg(0, signal.SIGKILL))
    # the answers keep the real stdout; what a scorer prints goes to stderr
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    scorers.registry()
    _write(answers, "ready")
    for line in sys.stdin:
        answer = _answer(json.loads(line))
        if os.getpid() != process:  # a copy that the scorer has forked, and that came back from it
            os._exit(0)
        _write(answers, answer)


def _answer(request: dict[str, Any]) -> Any:
    name = request["name"]
    function = scorers.registry().scorers.get(name)
    if function is None:
        return f"could not be loaded in its process: {scorers.registry().failures.get(name, 'not found')}"
    if "embeddings" in request:
        e = isolation.read(request["embeddings"])
        _limit_memory(e.image.nbytes)
        return scorers.score_embeddings(e, [name])
    try:
        assert function.spec.pool is not None
        return [scorers.number(value, "the score") for value in function.spec.pool(request["components"])]
    except BaseException as problem:  # a scorer may raise anything
        return scorers.reason(problem)


def _write(answers: Any, answer: Any) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def _limit_memory(size: int) -> None:
    """So that a scorer that needs too much raises MemoryError, before the machine has none left. size: bytes of the embeddings."""
    usage = Path("/proc/self/statm")  # its first number is the size of the address space, in pages
    used = int(usage.read_text().split()[0]) * resource.getpagesize() if usage.exists() else 0
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = used + MEMORY + 4 * size
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))


if __name__ == "__main__":
    main()
