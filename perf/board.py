"""Seconds of a whole board, beside scipy called for each correlation in turn.

python perf/board.py [--scorers 40] [--models 8] [--tasks 20] [--techniques 6] [--permutations 2000]

The rival's time is that of a few correlations, times as many as the board's jackknife and permutations over tasks ask for.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from scipy import stats

sys.path[0] = str(Path(__file__).parents[1])  # this folder would hide the package that it measures
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
    made = make_board(score_table(scores), ledger_table(rows), permutations=args.permutations)
    spent = time.perf_counter() - started
    x, y = rng.normal(size=(2, args.tasks))
    started = time.perf_counter()
    for _ in range(20):
        stats.pearsonr(x, y), stats.spearmanr(x, y), stats.kendalltau(x, y), stats.weightedtau(x, y, rank=True)
    once = (time.perf_counter() - started) / 20
    columns = args.scorers * args.models * args.techniques * len(TARGETS)
    rival = once * columns * (args.permutations + args.tasks + 1)
    print(f"{len(made.lines)} numbers with intervals, {args.permutations} permutations: {spent:.1f} s")
    print(
        f"scipy, one correlation at a time, for the axis `tasks` alone: {rival / 3600:.1f} h, {rival / spent:.0f} times as long"
    )


if __name__ == "__main__":
    main()
