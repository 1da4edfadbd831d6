"""The size of the model."""

from scorers._contract import scorer
from scorers._embeddings import Embeddings


@scorer(needs={"n_parameters"}, predicts={"accuracy": +1}, cost="sums")
def n_parameters(e: Embeddings) -> float:
    """Number of parameters of the model, both towers. A baseline."""
    assert e.n_parameters is not None
    return float(e.n_parameters)
