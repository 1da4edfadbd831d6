"""Technique `clip_adapter`."""

from typing import TYPE_CHECKING

from benchmark.suites.techniques import Option, Options, technique
from benchmark.tasks.cards import Card

if TYPE_CHECKING:
    from benchmark.finetuning.techniques.training import TrainingResult
    from benchmark.finetuning.workbench import Workbench

OPTIONS = {
    "reduction": Option(int, 4, minimum=1, description="width of the embeddings over that of the bottleneck"),
    "ratio": Option(float, 0.2, maximum=1.0, description="share of the adapted embedding in the mixture"),
}


@technique(options=OPTIONS)
def clip_adapter(bench: "Workbench", card: Card, options: Options, seed: int) -> "TrainingResult":
    """Two bottleneck adapters on the frozen towers' embeddings (Gao et al., 2021)."""
    from benchmark.finetuning.techniques.frozen import tune_adapters

    return tune_adapters(bench, card, options, seed)
