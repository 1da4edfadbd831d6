"""Boards: how well scores go along with what was measured. Needs numpy alone; tabulate to print tables.

from leaderboard import make_board, read_measurements, read_scores, render
print(render(make_board(read_scores(path), read_measurements(folder)), "md"))
"""

from leaderboard.baselines import baselines
from leaderboard.board import Board, Line, filter_board, from_json, make_board, to_json
from leaderboard.errors import LeaderboardError
from leaderboard.provenance import provenance
from leaderboard.render import FORMATS, as_dict, escaped, render
from leaderboard.tables import Row, Score, read_ledger, read_scores
from leaderboard.targets import (
    TARGETS,
    Measured,
    gains_by_seed,
    ranks_elsewhere,
    read_measurements,
    static_rank,
    summarise_ledger,
)

__all__ = [
    "FORMATS",
    "TARGETS",
    "Board",
    "LeaderboardError",
    "Line",
    "Measured",
    "Row",
    "Score",
    "as_dict",
    "baselines",
    "escaped",
    "filter_board",
    "from_json",
    "gains_by_seed",
    "make_board",
    "provenance",
    "ranks_elsewhere",
    "read_ledger",
    "read_measurements",
    "read_scores",
    "render",
    "static_rank",
    "summarise_ledger",
    "to_json",
]
