"""What can be wrong with a table."""


class LeaderboardError(ValueError):
    """A table of scores or measurements that cannot be used; one line naming file, row and column."""
