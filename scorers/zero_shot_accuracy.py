"""Zero-shot accuracy, and the headroom above it."""

from scorers._contract import scorer
from scorers._embeddings import Embeddings


@scorer(needs={"image", "text", "labels"}, predicts={"accuracy": +1, "gain": -1}, baseline=True, cost="sums")
def zero_shot_accuracy(e: Embeddings) -> float:
    """Accuracy of the zero-shot classifier on the samples that are scored.

    Formula: `mean_i 1[y_i = argmax_c ⟨x_i, t_c⟩]`.

    Values: in 0..1.

    Orientation: a higher score predicts higher accuracy and less gain.

    Abstains: never.

    Cost: `O(N·C·D)`, shared with `headroom`, `zero_shot_margin` and `zero_shot_entropy`.

    Source: none; a baseline.
    """
    return e.zero_shot.accuracy


@scorer(
    needs={"image", "text", "labels"},
    predicts={"gain": +1, "accuracy": -1, "forgetting": +1},
    baseline=True,
    cost="sums",
)
def headroom(e: Embeddings) -> float:
    """One minus the zero-shot accuracy: the largest possible gain.

    Formula: `1 − zero_shot_accuracy`. The baseline for gain, which is after − before and so depends on before by construction.

    Values: in 0..1.

    Orientation: a higher score predicts more gain, lower accuracy and, by convention, more forgetting.

    Abstains: never.

    Cost: `O(N·C·D)`, shared with `zero_shot_accuracy`.

    Source: none; a baseline.
    """
    return 1 - e.zero_shot.accuracy
