"""The error that this package raises."""


class LeaderboardError(ValueError):
    """A table of scores or measurements is invalid; the message is one line that names file, row and column."""
