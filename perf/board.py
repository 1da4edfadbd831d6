"""Benchmark a complete board against one SciPy call per correlation.

python perf/board.py [--scorers 40] [--models 8] [--tasks 20] [--techniques 6] [--permutations 2000]

SciPy's time is extrapolated from twenty calls per measure to the number of correlations that the jackknife and the permutation test over tasks need.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from scipy import stats

sys.path[0] = str(Path(__file__).parents[1])  # modules of this folder have the names of packages that are imported
from leaderboard import TARGETS, ledger_table, make_board, score_table  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = {"scorers": 40, "models": 8, "tasks": 20, "techniques": 6, "seeds": 3, "permutations": 2000}
    for option, default in sizes.items():
        parser.add_argument(f"--{option}", type=int, default=default)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    models, tasks = [f"model{i}" for i in range(args.models)], [f"task{i:02}" for i in range(args.tasks)]
    # accuracies in 0..1
    before = dict(zip(tasks, rng.uniform(0.1, 0.5, len(tasks)), strict=True))
    # a complete ledger: models x techniques x seeds x tasks x tasks rows
    rows = [
        (model, f"technique{k}", seed, trained, other, before[other], before[other] + rng.uniform(-0.1, 0.4))
        for model in models
        for k in range(args.techniques)
        for seed in range(args.seeds)
        for trained in tasks
        for other in tasks
    ]
    # two baselines under their own names, so that the leads over them are timed too
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
    # seconds for the four measures of one column
    once = (time.perf_counter() - started) / 20
    # over tasks: one correlation per scorer, model, technique and target
    columns = args.scorers * args.models * args.techniques * len(TARGETS)
    # each permutation, each task left out by the jackknife, and the estimate itself
    scipy_seconds = once * columns * (args.permutations + args.tasks + 1)
    print(f"{len(board.rows)} estimates with intervals, {args.permutations} permutations: {elapsed:.1f} s")
    print(
        f"SciPy, one correlation per call, axis `tasks` only (extrapolated): {scipy_seconds / 3600:.1f} h, {scipy_seconds / elapsed:.0f} times as long"
    )


if __name__ == "__main__":
    main()
