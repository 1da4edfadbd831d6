"""The pipeline of one suite: embed, score, rank against the measured ledger, publish."""

import hashlib
import json
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import polars as pl

import leaderboard
import scorers
from benchmark import files
from benchmark.embedding.cache import Cache, Key
from benchmark.embedding.jobs import embed_suite
from benchmark.embedding.keys import Keys
from benchmark.reports.boards import board_key, code_digest, suite_board
from benchmark.reports.descriptions import describe_tasks
from benchmark.reports.ledger_scores import ledger_scores
from benchmark.reports.measurements import suite_ledger
from benchmark.reports.publish import publish_board
from benchmark.scoring.scoring import score_suite
from benchmark.scoring.selection import report_raised, select_scorers
from benchmark.suites.suite import Suite
from benchmark.tasks.fingerprint import task_fingerprint
from leaderboard import Board

PACKAGES = ("transferability-benchmark", "torch", "open_clip_torch", "numpy", "scipy", "scikit-learn")


def run(
    suite: Suite,
    names: Sequence[str] | None,
    cache: Cache,
    out: Path,
    *,
    jobs: int,
    quiet: bool = False,
    command: str = "python -m benchmark run",
    figures: bool = False,
) -> tuple[Board, list[Path]]:
    """Run the whole pipeline; returns the board and the paths of the files written to `out`.

    names: the scorers (None: all).  jobs: processes.  command: the command line to print on the board.  figures: also write figures.
    The ledger is read, and checked, before anything is computed. `out/run.json` records versions, fingerprints and seconds. Files that
    would be the same, but for their date, are not written again.
    """
    scorer_names = list(select_scorers(names))
    keys = Keys()  # files are hashed and samples listed once for all stages
    ledger = suite_ledger(suite, keys=keys)
    seconds: dict[str, float] = {}

    with _timed(seconds, "embed"):
        images_encoded = embed_suite(suite, cache, jobs, quiet, keys=keys)
    with _timed(seconds, "score"):
        result = score_suite(suite, scorer_names, cache, jobs, quiet, keys=keys)
        scores = pl.concat([result.scores, ledger_scores(ledger, scorer_names)])
        report_raised(scores)
    with _timed(seconds, "rank"):
        key = board_key(suite.name, scores, ledger)
        board = suite_board(suite.name, scores, ledger, cache, key=key)
        record = run_record(suite, scorer_names, keys)
        publication = _publication(suite, record, key, command=command, figures=figures)
        written = _inventory(out)
        paths = [out / "board.md", out / "board.csv", out / "board.json", out / "index.html"]
        if _recorded(out) != [publication, written]:
            paths = publish_board(
                board,
                out,
                command=command,
                scores=scores,
                measured=leaderboard.summarise_ledger(ledger),
                tasks=describe_tasks(suite, cache),
                figures=figures,
            )
            # `rank` reads it again
            files.write(out / "scores.csv", leaderboard.scores_to_csv(scores))

    record |= {
        "seconds": seconds,
        "images_encoded": images_encoded,
        "scores_computed": result.computed,
        "published": [publication, _inventory(out)],
    }
    paths += [out / "scores.csv", out / "run.json"]
    files.write(out / "run.json", json.dumps(record, indent=1) + "\n")
    files.write_sums(out, ("scores.csv", "run.json"))
    return board, paths


def _publication(suite: Suite, record: dict[str, Any], key: Key, *, command: str, figures: bool) -> str:
    """A digest of everything that the files of a board show, but for the date."""
    cards = [[card.name, card.title, card.group, card.prompts(), task_fingerprint(card)] for card in suite.tasks]
    # the code that renders, and the docstrings of the scorers, which the pages show
    code = code_digest(Path(__file__).parent, Path(scorers.__file__).parent)
    return hashlib.sha256(json.dumps([record, key, cards, code, command, figures]).encode()).hexdigest()


def _inventory(folder: Path) -> str:
    """A digest of the names, sizes and times of the published files; run.json and checksums, which change every time, are left out."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.name not in ("run.json", files.SUMS) and path.is_file():
            stat = path.stat()
            total.update(f"{path.relative_to(folder)}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return total.hexdigest()


def _recorded(folder: Path) -> Any:
    """What the last run in a folder published; None where that is not known."""
    try:
        return json.loads((folder / "run.json").read_text(encoding="utf-8"))["published"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - started, 3)


def run_record(suite: Suite, scorer_names: Sequence[str], keys: Keys) -> dict[str, Any]:
    """What a run depends on: fingerprints of the models, tasks, techniques, seeds, scorers, and versions of the packages."""
    return {
        "suite": suite.name,
        "models": {model.name: keys.model(model) for model in suite.models},
        "tasks": [card.name for card in suite.tasks],
        "techniques": {
            technique.name: technique.options | ({"families": technique.families} if technique.families else {})
            for technique in suite.techniques
        },
        "seeds": list(suite.seeds),
        "scorers": list(scorer_names),
        "precision": sorted({model.precision for model in suite.models}),
        "versions": {package: _version(package) for package in PACKAGES},
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def _version(package: str) -> str:
    try:
        return version(package).split("+")[0]  # without a local part such as +cpu
    except PackageNotFoundError:
        return "not installed"
