"""Technique `lora`."""

from typing import TYPE_CHECKING

from benchmark.suites.techniques import PRECISION, Option, Options, technique
from benchmark.tasks.cards import Card

if TYPE_CHECKING:
    from benchmark.finetuning.techniques.training import TrainingResult
    from benchmark.finetuning.workbench import Workbench

OPTIONS = {
    "precision": PRECISION,
    "rank": Option(int, 16, minimum=1),
    "scale": Option(float, 0.2, description="factor of the product of the two low-rank matrices"),
    "deviation": Option(float, 0.0, description="standard deviation of the first matrix at the start; 0: 1/√width"),
}


@technique(options=OPTIONS)
def lora(bench: "Workbench", card: Card, options: Options, seed: int) -> "TrainingResult":
    """Low-rank changes of the query and value projections in the transformer blocks of both towers (Hu et al., 2022)."""
    from benchmark.finetuning.techniques.low_rank import add_low_rank
    from benchmark.finetuning.techniques.towers import tune_towers

    return tune_towers(
        "lora",
        lambda model: add_low_rank(model, rank=options["rank"], scale=options["scale"], deviation=options["deviation"]),
        bench=bench,
        card=card,
        options=options,
        seed=seed,
    )
