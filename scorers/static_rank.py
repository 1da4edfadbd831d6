"""The static ranking: a list of models that never looks at the task."""

from scorers._contract import Abstain, scorer
from scorers._embeddings import Embeddings


@scorer(needs={"ledger"}, predicts={"gain": +1, "accuracy": +1, "forgetting": +1}, cost="sums")
def static_rank(e: Embeddings) -> float:
    """The model's mean rank on the other tasks, 0 the worst of the pool and 1 the best.

    Ranked by the measured target itself (gain, accuracy or forgetting) under the same technique. A score that does not beat this
    says nothing about the task. Baseline.
    """
    assert e.ledger is not None
    if not len(e.ledger):
        raise Abstain("there is no other task measured on two models or more")
    return float(e.ledger.mean())
