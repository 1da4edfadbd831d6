"""The stair in one go: embed, score, rank with the measured ledger, and publish."""

import json
import platform
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import polars as pl

import leaderboard
from benchmark import files
from benchmark.embedding.cache import Cache
from benchmark.embedding.jobs import embed_suite
from benchmark.embedding.keys import Keys
from benchmark.models import weights
from benchmark.reports import ranking as rank
from benchmark.scoring import scoring as score
from benchmark.scoring.selection import report_raised, select_scorers
from benchmark.suites.suite import Suite
from leaderboard import Board


def run(
    suite: Suite,
    names: Sequence[str] | None,
    cache: Cache,
    out: Path,
    jobs: int,
    quiet: bool = False,
    command: str = "python -m benchmark run",
    figures: bool = False,
) -> tuple[Board, list[Path]]:
    """Everything from embeddings to board; writes the board, the scores and `run.json` under `out`."""
    functions = select_scorers(names)
    seconds: dict[str, float] = {}
    ledger = rank.measurements(suite)

    started = time.perf_counter()
    keys = Keys()
    encoded = embed_suite(suite, cache, jobs, quiet, keys=keys)
    seconds["embed"] = time.perf_counter() - started

    started = time.perf_counter()
    scored = score.score_suite(suite, list(functions), cache, jobs, quiet, keys=keys)
    scores = pl.concat([scored.scores, rank.ledger_scores(ledger, list(functions))])
    report_raised(scores)
    seconds["score"] = time.perf_counter() - started

    started = time.perf_counter()
    board = rank.suite_board(suite.name, scores, ledger, cache)
    measured = leaderboard.summarise_ledger(ledger)
    paths = rank.write_results(board, out, command, scores, measured, rank.task_words(suite, cache), figures)
    seconds["rank"] = time.perf_counter() - started

    paths += [out / "scores.csv", out / "run.json"]
    files.write(paths[-2], leaderboard.scores_to_csv(scores))
    files.write(
        paths[-1],
        json.dumps(
            provenance(suite, list(functions))
            | {
                "seconds": {stage: round(s, 3) for stage, s in seconds.items()},
                "images_encoded": encoded,
                "scores_computed": scored.computed,
            },
            indent=1,
        )
        + "\n",
    )
    return board, paths


def provenance(suite: Suite, names: list[str]) -> dict[str, Any]:
    """What made a board: versions, fingerprints, seeds."""
    versions = {}
    for package in ("transferability-benchmark", "torch", "open_clip_torch", "numpy", "scipy", "scikit-learn"):
        try:
            versions[package] = version(package).split("+")[0]
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "suite": suite.name,
        "models": {model.name: weights.fingerprint(model) for model in suite.models},
        "tasks": [card.name for card in suite.tasks],
        "techniques": {t.name: t.options for t in suite.techniques},
        "seeds": list(suite.seeds),
        "scorers": names,
        "precision": sorted({model.precision for model in suite.models}),
        "versions": versions,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
