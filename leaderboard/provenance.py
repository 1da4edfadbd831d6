"""The date, software versions and command of a printed board, so that it can be reproduced."""

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version


@dataclass(frozen=True)
class Provenance:
    """date: the day in UTC, that of $SOURCE_DATE_EPOCH where it is set.  versions: by package.  command: reproduces the board."""

    date: str
    versions: dict[str, str]
    command: str

    @property
    def software(self) -> str:
        """Packages with their versions, in one line."""
        return ", ".join(f"{name} {number}" for name, number in self.versions.items())

    def __str__(self) -> str:
        return f"{self.date}, {self.software}; made by `{self.command}`"


def provenance(command: str) -> Provenance:
    """The provenance of a board that this process prints now."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    day = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    versions = {"python": platform.python_version()}
    for package in ("transferability-benchmark", "numpy", "scipy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return Provenance(day.date().isoformat(), versions, command)
