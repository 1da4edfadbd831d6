"""The identity of a board: a hash of everything that determines its numbers."""

import hashlib
import json
from collections.abc import Mapping

import polars as pl

from leaderboard.tables import SCORE_KEY
from leaderboard.targets import Measured

PROCEDURE = 1  # increase it when the same tables give other numbers


def board_id(
    scores: pl.DataFrame,
    m: Measured,
    orientation: Mapping[str, Mapping[str, int]],
    *,
    permutations: int,
    seed: int,
) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of scores, measurements and procedure; the order of rows does not matter."""
    # repr: all digits of a float
    rows = sorted([*key, repr(score)] for *key, score in scores.select(*SCORE_KEY, "score").iter_rows())
    names = {name for name, *_ in rows}
    # the orientation of a scorer that is not in the table changes nothing
    used_orientation = {name: dict(signs) for name, signs in orientation.items() if name in names}
    by_seed = {k: {t: array.tolist() for t, array in targets.items()} for k, targets in m.by_seed.items()}
    before = {k: array.tolist() for k, array in m.before.items()}
    procedure = [used_orientation, permutations, seed, PROCEDURE]
    content = [rows, m.models, m.tasks, m.seeds, by_seed, before, procedure]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
