"""Time of a complete board, compared with calling scipy for each correlation.

python perf/board.py [--scorers 40] [--models 8] [--tasks 20] [--techniques 6] [--permutations 2000]

The time of scipy is extrapolated from a few correlations to the number that the jackknife and the permutations over tasks require.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from scipy import stats

sys.path[0] = str(Path(__file__).parents[1])  # this folder contains modules with the same names
from leaderboard import TARGETS, ledger_table, make_board, score_table  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = {"scorers": 40, "models": 8, "tasks": 20, "techniques": 6, "seeds": 3, "permutations": 2000}
    for option, default in sizes.items():
        parser.add_argument(f"--{option}", type=int, default=default)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    models, tasks = [f"model{i}" for i in range(args.models)], [f"task{i:02}" for i in range(args.tasks)]
    before = dict(zip(tasks, rng.uniform(0.1, 0.5, len(tasks)), strict=True))
    rows = [
        (model, f"technique{k}", seed, trained, other, before[other], before[other] + rng.uniform(-0.1, 0.4))
        for model in models
        for k in range(args.techniques)
        for seed in range(args.seeds)
        for trained in tasks
        for other in tasks
    ]
    names = ["headroom", "static_rank", *(f"scorer{i}" for i in range(args.scorers - 2))]
    scores = [
        {"scorer": name, "model": model, "task": task, "score": rng.normal()}
        for name in names
        for model in models
        for task in tasks
    ]
    started = time.perf_counter()
    board = make_board(score_table(scores), ledger_table(rows), permutations=args.permutations)
    elapsed = time.perf_counter() - started
    x, y = rng.normal(size=(2, args.tasks))
    started = time.perf_counter()
    for _ in range(20):
        stats.pearsonr(x, y), stats.spearmanr(x, y), stats.kendalltau(x, y), stats.weightedtau(x, y, rank=True)
    once = (time.perf_counter() - started) / 20
    columns = args.scorers * args.models * args.techniques * len(TARGETS)
    scipy_seconds = once * columns * (args.permutations + args.tasks + 1)
    print(f"{len(board.rows)} numbers with intervals, {args.permutations} permutations: {elapsed:.1f} s")
    print(
        f"scipy, one correlation at a time, axis `tasks` only: {scipy_seconds / 3600:.1f} h, {scipy_seconds / elapsed:.0f} times slower"
    )


if __name__ == "__main__":
    main()
