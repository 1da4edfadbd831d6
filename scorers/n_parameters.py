"""The size of the model."""

from scorers._contract import scorer
from scorers._embeddings import Embeddings


@scorer(needs={"n_parameters"}, predicts={"accuracy": +1}, baseline=True, cost="sums")
def n_parameters(e: Embeddings) -> float:
    """Number of parameters of the model, both towers.

    Formula: the number of parameters; reads no embeddings.

    Values: a count.

    Orientation: a higher score predicts higher accuracy.

    Abstains: never.

    Cost: `O(1)`.

    Source: none; a baseline.
    """
    return float(e.n_parameters)
