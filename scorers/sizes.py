"""Sizes of embeddings and tasks: baselines that look at no value."""

from scorers._contract import scorer
from scorers._embeddings import Embeddings


@scorer(needs={"image"}, predicts={"accuracy": +1}, cost="sums")
def embedding_dim(e: Embeddings) -> float:
    """Number of dimensions of the embeddings. A baseline."""
    return e.d


@scorer(needs={"labels"}, predicts={"accuracy": -1}, cost="sums")
def n_classes(e: Embeddings) -> float:
    """Number of classes that occur. A baseline: more classes, harder task."""
    return len(e.classes)


@scorer(needs={"labels"}, predicts={"accuracy": +1}, cost="sums")
def n_samples(e: Embeddings) -> float:
    """Number of samples. A baseline: more data, better tuning."""
    return e.n
