"""Technique `attention`."""

from typing import TYPE_CHECKING

from benchmark.suites.techniques import PRECISION, Option, Options, technique
from benchmark.tasks.cards import Card

if TYPE_CHECKING:
    from benchmark.finetuning.techniques.training import TrainingResult
    from benchmark.finetuning.workbench import Workbench

BIASES = Option(float, 1.0, description="0 leaves the biases of the projections as they are")


@technique(options={"precision": PRECISION, "biases": BIASES})
def attention(bench: "Workbench", card: Card, options: Options, seed: int) -> "TrainingResult":
    """The input projections (query, key, value) of self-attention in the transformer blocks of both towers."""
    from benchmark.finetuning.techniques.towers import attention_projections, tune_towers

    return tune_towers(
        "attention",
        lambda model: attention_projections(model, biases=bool(options["biases"])),
        bench=bench,
        card=card,
        options=options,
        seed=seed,
    )
