"""The static ranking: the order of the models on the other tasks, which ignores the task itself."""

from scorers._contract import scorer
from scorers._embeddings import Abstain, Embeddings


@scorer(needs={"ledger"}, predicts={"gain": +1, "accuracy": +1, "forgetting": +1}, baseline=True, cost="sums")
def static_rank(e: Embeddings) -> float:
    """Mean rank of the model on the other tasks.

    Formula: the mean over the other tasks of the model's rank in the pool, by the measured target itself (gain, accuracy or
    forgetting) under the same technique. A score that does not exceed this baseline adds no information about the task.

    Values: in 0..1, 0 for the lowest model of the pool and 1 for the highest.

    Orientation: a higher score predicts more of the target, whichever it is.

    Abstains: where no other task was measured on two models or more.

    Cost: `O(tasks)`.

    Source: none; a baseline.
    """
    if not len(e.ledger):
        raise Abstain("there is no other task measured on two models or more")
    return float(e.ledger.mean())
