"""Zero-shot accuracy, and what it leaves to be gained."""

from scorers._contract import scorer
from scorers._embeddings import Embeddings

NEEDS = {"image", "text", "labels"}


@scorer(needs=NEEDS, predicts={"accuracy": +1, "gain": -1}, cost="sums")
def zero_shot_accuracy(e: Embeddings) -> float:
    """Accuracy of the zero-shot classifier on the samples that the scorers see.

    Share of samples whose label's text is the nearest by inner product; in 0..1. A baseline.
    """
    return e.zero_shot.accuracy


@scorer(needs=NEEDS, predicts={"gain": +1, "accuracy": -1, "forgetting": +1}, cost="sums")
def headroom(e: Embeddings) -> float:
    """One minus the zero-shot accuracy: the most that could be gained.

    The baseline for gain, which is after − before and so is tied to before by construction. That a task far from what the model
    knows is also forgotten more is convention, not claim.
    """
    return 1 - e.zero_shot.accuracy
