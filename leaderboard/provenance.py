"""What a printed board was made with, so that it can be made again."""

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version


@dataclass(frozen=True)
class Provenance:
    """date: the day, in UTC (of $SOURCE_DATE_EPOCH, where that is set).  command: gives the board again."""

    date: str
    versions: dict[str, str]
    command: str

    @property
    def software(self) -> str:
        return ", ".join(f"{name} {v}" for name, v in self.versions.items())

    def __str__(self) -> str:
        return f"{self.date}, {self.software}; made by `{self.command}`"


def provenance(command: str) -> Provenance:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    day = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    versions = {"python": platform.python_version()}
    for package in ("transferability-benchmark", "numpy", "scipy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return Provenance(day.date().isoformat(), versions, command)
