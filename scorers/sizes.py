"""Sizes of embeddings and tasks: baselines that read no values."""

from scorers._contract import scorer
from scorers._embeddings import Embeddings


@scorer(needs={"image"}, predicts={"accuracy": +1}, baseline=True, cost="sums")
def embedding_dim(e: Embeddings) -> float:
    """Number of dimensions of the embeddings.

    Formula: D.

    Values: a count.

    Orientation: a higher score predicts higher accuracy.

    Abstains: never.

    Cost: `O(1)`.

    Source: none; a baseline.
    """
    return e.d


@scorer(needs={"labels"}, predicts={"accuracy": -1}, baseline=True, cost="sums")
def n_classes(e: Embeddings) -> float:
    """Number of classes that occur.

    Formula: C.

    Values: a count.

    Orientation: a higher score predicts lower accuracy, since more classes make a harder task.

    Abstains: never.

    Cost: `O(N)`.

    Source: none; a baseline.
    """
    return len(e.classes)


@scorer(needs={"labels"}, predicts={"accuracy": +1}, baseline=True, cost="sums")
def n_samples(e: Embeddings) -> float:
    """Number of samples.

    Formula: N.

    Values: a count.

    Orientation: a higher score predicts higher accuracy, since there is more data to fine-tune on.

    Abstains: never.

    Cost: `O(1)`.

    Source: none; a baseline.
    """
    return e.n
