"""Technique `linear_probe`."""

from typing import TYPE_CHECKING

from benchmark.suites.techniques import Options, technique
from benchmark.tasks.cards import Card

if TYPE_CHECKING:
    from benchmark.finetuning.techniques.training import TrainingResult
    from benchmark.finetuning.workbench import Workbench


@technique()
def linear_probe(bench: "Workbench", card: Card, options: Options, seed: int) -> "TrainingResult":
    """A linear classifier on the frozen image embeddings, from zero; nothing is forgotten, since the towers stay as they are."""
    from benchmark.finetuning.techniques.frozen import tune_linear_classifier

    return tune_linear_classifier(bench, card, options, seed)
