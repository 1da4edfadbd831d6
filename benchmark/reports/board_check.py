"""Comparing a published board with the one computed now (`rank --check`)."""

import json
from pathlib import Path
from typing import Any

import leaderboard
from leaderboard import Board
from leaderboard.regular_files import TABLE_BYTES, read_text

KEY = ("scorer", "target", "technique", "axis", "measure")  # the columns that name one row of a board
NUMBERS = ("value", "low", "high", "p", "holm", "ceiling")
TOLERANCE = 1e-4  # differences between processors and versions of numpy stay below this


def board_differences(path: Path, board: Board) -> list[str]:
    """One line for each difference between a published board (its JSON) and `board`: missing rows, new rows, changed numbers.

    Numbers may differ by TOLERANCE, slopes by that share of themselves. Raises LeaderboardError for a file that is not a board.
    """
    try:
        published = json.loads(read_text(path, TABLE_BYTES))
        published_rows = {tuple(row[column] for column in KEY): row for row in published["rows"]}
        published_id = published["meta"]["board"]
    except FileNotFoundError:
        raise leaderboard.LeaderboardError(f"{path}: there is no such file; give the board.json of a board") from None
    except (ValueError, KeyError, TypeError, OSError, RecursionError):
        raise leaderboard.LeaderboardError(
            f"{path}: is not the JSON of a board; `rank --format json` prints one"
        ) from None
    # through JSON, so that both sides are rounded alike
    rows = {tuple(row[column] for column in KEY): row for row in json.loads(leaderboard.render(board, "json"))["rows"]}
    lines = []
    # the id hashes scores, measurements and procedure, so it may differ where all numbers agree
    if published_id != board.id:
        lines.append(f"computed from other tables or by another procedure: published {published_id}, now {board.id}")
    lines += [f"no longer on the board: {' '.join(key)}" for key in sorted(set(published_rows) - set(rows))]
    lines += [f"new on the board: {' '.join(key)}" for key in sorted(set(rows) - set(published_rows))]
    for key in sorted(set(published_rows) & set(rows)):
        for column in NUMBERS:
            # a column that the published board does not have counts as missing
            old, new = published_rows[key].get(column), rows[key][column]
            if not _is_close(old, new, relative="slope" in key):
                lines.append(f"{' '.join(key)}: {column} published {old}, now {new}")
    return lines


def _is_close(old: Any, new: Any, relative: bool) -> bool:
    """Whether two numbers agree within the tolerance; two missing ones do."""
    if not isinstance(old, int | float) or not isinstance(new, int | float):
        return old is None and new is None
    scale = max(abs(old), abs(new)) if relative else 1.0  # slopes have the unit of the score, the other numbers none
    return bool(abs(old - new) <= TOLERANCE * scale)
