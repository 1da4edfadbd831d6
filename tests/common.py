"""What several test modules use."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from benchmark.suites import suite

Command = Callable[..., "subprocess.CompletedProcess[str]"]  # the fixture `command`


def small(folder: Path) -> suite.Suite:
    """The small suite in a folder of the fixtures `measured` and `own`."""
    return suite.load(str(folder / "small.toml"))
