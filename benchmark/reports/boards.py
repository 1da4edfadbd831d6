"""Boards: the statistics of scores against measurements, for a suite and for two tables of a user's own."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

import leaderboard
import scorers
from benchmark.embedding.cache import Cache, Key
from leaderboard import Board, Measured

NAMES_SHOWN = 5  # of the models or tasks that only one of two tables has


def declared_orientation() -> dict[str, dict[str, int]]:
    """{scorer: {target: +1 or -1}}, as every scorer declares it: +1 if a higher score predicts more of the target."""
    return {name: dict(function.spec.predicts) for name, function in scorers.registry().scorers.items()}


PERMUTATIONS = 2000


def board_key(suite: str, scores: pl.DataFrame, ledger: pl.DataFrame, permutations: int = PERMUTATIONS) -> Key:
    """The cache key of a board: everything that determines it.

    suite: the name on the board.  scores, ledger: columns `leaderboard.tables.SCORES` and `LEDGER`.
    """
    # the tables as CSV, with all digits; "\0" keeps text from moving between them unnoticed
    inputs = [scores.write_csv(), ledger.write_csv(), json.dumps([declared_orientation(), permutations, suite])]
    # the statistics' own code is part of the key, so that a change of it never returns an old board
    code = code_digest(Path(leaderboard.__file__).parent)
    # "suite" is in the digest too; here it is the name that `cache ls` shows
    return {"kind": "boards", "suite": suite, "of": hashlib.sha256("\0".join([*inputs, code]).encode()).hexdigest()}


def code_digest(*folders: Path) -> str:
    """SHA-256 of the source files of packages, in hexadecimal."""
    total = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        total.update(path.read_bytes())
    return total.hexdigest()


def suite_board(
    suite: str,
    scores: pl.DataFrame,
    ledger: pl.DataFrame,
    cache: Cache,
    permutations: int = PERMUTATIONS,
    *,
    key: Key | None = None,
) -> Board:
    """The board of these scores against this ledger, cached under its key.

    key: `board_key` of the other arguments, where the caller has it.
    """

    def compute() -> str:
        orientation = declared_orientation()
        board = leaderboard.make_board(scores, ledger, orientation=orientation, permutations=permutations, suite=suite)
        # all digits, unlike the published JSON, which is rounded
        return leaderboard.to_json(board)

    return leaderboard.from_json(cache.get_record(key or board_key(suite, scores, ledger, permutations), compute))


@dataclass(frozen=True)
class TablesBoard:
    """The board of two tables.

    scores: the table of scores with the baselines that were added.  measured: the measurements.  notes: a line for each kind of row
    that was left out.
    """

    board: Board
    scores: pl.DataFrame
    measured: Measured
    notes: tuple[str, ...]


def tables_board(scores_path: Path, measurements_path: Path) -> TablesBoard:
    """The board of a CSV table of scores against a CSV table of measurements.

    The baselines that can be computed from the measurements alone are added unless the scores contain them. Scorers that are
    registered here are oriented as they declare. Raises LeaderboardError for an unusable table.
    """
    scores, measured = leaderboard.read_scores(scores_path), leaderboard.read_measurements(measurements_path)
    baselines = leaderboard.baselines(measured).filter(~pl.col("scorer").is_in(scores["scorer"].unique().to_list()))
    # both with the columns SCORES
    combined = pl.concat([scores, baselines])
    board = leaderboard.make_board(combined, measured, orientation=declared_orientation(), suite=scores_path.stem)
    notes = [
        *_unmatched("models", {scores_path: set(scores["model"]), measurements_path: set(measured.models)}),
        *_unmatched("tasks", {scores_path: set(scores["task"]), measurements_path: set(measured.tasks)}),
    ]
    if empty := scores["score"].null_count():
        notes.append(f"{scores_path}: {empty} of {len(scores)} scores are empty and count as abstentions")
    return TablesBoard(board, combined, measured, tuple(notes))


def missing_scores(scores: pl.DataFrame, ledger: pl.DataFrame) -> list[str]:
    """A line for each scorer that has no row for some of the measured cells (model, task); an abstention is a row."""
    cells = ledger.select("model", task="trained_on").unique()
    lines = []
    for (name,), rows in scores.group_by("scorer", maintain_order=True):
        missing = cells.join(rows, on=["model", "task"], how="anti")
        if not missing.is_empty():
            model, task = missing.sort("model", "task").row(0)
            lines.append(
                f"scorer '{name}' has no score on {len(missing)} of {len(cells)} measured cells, the first: model '{model}', task "
                f"'{task}'; they are left out. `python -m benchmark score` computes them"
            )
    return lines


def _unmatched(kind: str, names_by_table: Mapping[Path, set[str]]) -> list[str]:
    """A line for each of two tables with names that the other one does not have."""
    common = set.intersection(*names_by_table.values())
    lines = []
    for path, names in names_by_table.items():
        if unmatched := sorted(names - common):
            examples = ", ".join(unmatched[:NAMES_SHOWN]) + (", ..." if len(unmatched) > NAMES_SHOWN else "")
            lines.append(f"{path}: left out {len(unmatched)} {kind} that the other table does not have ({examples})")
    return lines
