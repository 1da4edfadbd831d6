"""Benchmark commands as whole processes: `run --scorers all` with an empty and a filled cache, and the short commands.

python perf/run.py [--jobs 2]

Times are reported in seconds and as multiples of a floor: the start of the Python interpreter for the short commands, the import of
numpy and scipy.stats for `run`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

from tabulate import tabulate


def seconds(words: list[str], folder: str, rounds: int) -> float:
    """Median run time of a Python process with these arguments, over `rounds` runs."""
    # an empty cache at first, shared by all runs
    environment = {**os.environ, "BENCHMARK_CACHE": os.path.join(folder, "cache")}
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        subprocess.run([sys.executable, *words], env=environment, cwd=folder, check=True, capture_output=True)
        found.append(time.perf_counter() - started)
    return sorted(found)[len(found) // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", default="2")
    args = parser.parse_args()
    bench = ["-m", "benchmark"]
    with tempfile.TemporaryDirectory() as folder:
        floor = seconds(["-c", "pass"], folder, 5)
        imports = seconds(["-c", "import numpy, scipy.stats"], folder, 5)
        run = [*bench, "run", "--scorers", "all", "--jobs", args.jobs, "--quiet"]
        lines = [
            # one round only, as it fills the cache for the next line
            ["run --scorers all, empty cache", seconds(run, folder, 1), imports],
            ["run --scorers all, filled cache", seconds(run, folder, 5), imports],
        ]
        for words in (
            ["--help"],
            ["list", "models"],
            ["list", "tasks"],
            ["list", "scorers"],
            ["list", "techniques"],
            ["list", "suites"],
        ):
            lines.append([" ".join(words), seconds([*bench, *words], folder, 5), floor])
    table = [[name, f"{s:.2f}", f"{s / unit:.1f}"] for name, s, unit in lines]
    print(
        tabulate(
            table, ["command", "seconds", "times floor"], disable_numparse=True, colalign=("left", "right", "right")
        )
    )
    print(f"\nfloors: start of Python {floor:.3f} s, import of numpy and scipy.stats {imports:.3f} s")


if __name__ == "__main__":
    main()
