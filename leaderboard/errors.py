"""The error that this package raises."""


class LeaderboardError(ValueError):
    """A table of scores or measurements is invalid; the message is one line that names file, row and column."""

    def __init__(self, message: str) -> None:
        # a name or a value from a file may contain a line end
        super().__init__("\\n".join(message.splitlines()))
