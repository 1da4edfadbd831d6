"""Boards: how well scores correlate with measured fine-tuning results. Needs numpy and polars; tabulate to print tables.

from leaderboard import make_board, read_measurements, read_scores, render
print(render(make_board(read_scores(path), read_measurements(folder)), "md"))
"""

from leaderboard.baselines import baselines
from leaderboard.board import Board, filter_board, make_board
from leaderboard.board_json import from_json, to_json
from leaderboard.errors import LeaderboardError
from leaderboard.output.data import as_dict
from leaderboard.output.render import FORMATS, escaped, render
from leaderboard.provenance import provenance
from leaderboard.tables import ledger_table, measurement_table, read_ledger, read_scores, score_table, scores_to_csv
from leaderboard.targets import (
    TARGETS,
    Measured,
    gains_by_seed,
    ranks,
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
    "Measured",
    "as_dict",
    "baselines",
    "escaped",
    "filter_board",
    "from_json",
    "gains_by_seed",
    "ledger_table",
    "make_board",
    "measurement_table",
    "provenance",
    "ranks",
    "ranks_elsewhere",
    "read_ledger",
    "read_measurements",
    "read_scores",
    "render",
    "score_table",
    "scores_to_csv",
    "static_rank",
    "summarise_ledger",
    "to_json",
]
