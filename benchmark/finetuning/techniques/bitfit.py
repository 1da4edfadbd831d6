"""Technique `bitfit`."""

from typing import TYPE_CHECKING

from benchmark.suites.techniques import PRECISION, Options, technique
from benchmark.tasks.cards import Card

if TYPE_CHECKING:
    from benchmark.finetuning.techniques.training import TrainingResult
    from benchmark.finetuning.workbench import Workbench


@technique(options={"precision": PRECISION})
def bitfit(bench: "Workbench", card: Card, options: Options, seed: int) -> "TrainingResult":
    """The biases of the transformer blocks of both towers (Ben Zaken et al., 2022)."""
    from benchmark.finetuning.techniques.towers import block_biases, tune_towers

    return tune_towers("bitfit", block_biases, bench=bench, card=card, options=options, seed=seed)
