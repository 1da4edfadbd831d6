"""Technique `full`."""

from typing import TYPE_CHECKING

from benchmark.suites.techniques import PRECISION, Options, technique
from benchmark.tasks.cards import Card

if TYPE_CHECKING:
    from benchmark.finetuning.techniques.training import TrainingResult
    from benchmark.finetuning.workbench import Workbench


@technique(options={"precision": PRECISION})
def full(bench: "Workbench", card: Card, options: Options, seed: int) -> "TrainingResult":
    """Everything is trained: both towers and the scale."""
    from benchmark.finetuning.techniques.towers import tune_towers

    return tune_towers("full", lambda model: model.parameters(), bench=bench, card=card, options=options, seed=seed)
