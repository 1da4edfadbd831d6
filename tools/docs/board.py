"""The board of the pocket suite and its predictions, read from the JSON that the commands write."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from docs.common import ROOT, Row


class Board:
    """A board's JSON with its rows by scorer, technique, target, axis and measure."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.meta: dict[str, Any] = dict(content["meta"])
        self.rows: dict[tuple[str, str, str, str, str], Row] = {
            (row["scorer"], row["technique"], row["target"], row["axis"], row["measure"]): row
            for row in content["rows"]
        }
        self.beyond = {(row["scorer"], row["technique"], row["axis"]): row for row in self.meta["beyond"]}
        self.forgetting = {row["technique"]: row for row in self.meta["forgetting"]}

    @property
    def techniques(self) -> list[str]:
        return list(self.meta["techniques"])

    def row(self, scorer: str, technique: str, target: str, axis: str, measure: str = "pearson") -> Row | None:
        return self.rows.get((scorer, technique, target, axis, measure))

    def ranking(self, technique: str, target: str) -> list[str]:
        return list(self.meta["ranking"][technique][target])

    def informative(self, technique: str) -> list[Row]:
        """Scores informative beyond the accuracy before, over tasks: the largest partial correlations first."""
        # keys are (scorer, technique, axis)
        rows = [self.beyond[key] for key in self.beyond if key[1:] == (technique, "tasks")]
        return sorted((row for row in rows if row["informative"]), key=lambda row: -abs(row["partial"]["value"] or 0.0))


def command(*words: str) -> str:
    """The output of one command of the benchmark."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", *words], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return done.stdout


@cache
def pocket() -> tuple[Board, list[Row], str]:
    """The board of the pocket suite, its predictions, and the table of its tasks, all computed from the committed ledger."""
    with tempfile.TemporaryDirectory() as folder:
        command("run", "--scorers", "all", "--quiet", "--out", folder)
        command("predict", "--quiet", "--out", folder)
        board = Board(json.loads((Path(folder) / "board.json").read_text(encoding="utf-8")))
        predictions = json.loads((Path(folder) / "predict.json").read_text(encoding="utf-8"))["lines"]
    return board, predictions, command("list", "tasks", "--health")
