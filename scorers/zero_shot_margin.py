"""The margin of the zero-shot classifier."""

from scorers._contract import scorer
from scorers._embeddings import Abstain, Embeddings


@scorer(needs={"image", "text", "labels", "logit_scale"}, predicts={"accuracy": +1}, baseline=True, cost="sums")
def zero_shot_margin(e: Embeddings) -> float:
    """Mean of the zero-shot logit of the own class minus the largest other logit.

    Formula: `scale·mean_i (⟨x_i, t_{y_i}⟩ − max_{c≠y_i} ⟨x_i, t_c⟩)`.

    Values: in logits, unbounded; above 0 where the classifier is correct.

    Orientation: a higher score predicts higher accuracy. Unlike the accuracy, it reflects the classifier's confidence.

    Abstains: on one class text.

    Cost: `O(N·C·D)`, shared with `zero_shot_accuracy`.

    Source: none; a baseline.
    """
    if len(e.text) < 2:
        raise Abstain("needs at least 2 classes, found 1")
    return e.logit_scale * e.zero_shot.margin
