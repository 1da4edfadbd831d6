"""By how much the zero-shot classifier is right."""

from scorers._contract import Abstain, scorer
from scorers._embeddings import Embeddings


@scorer(needs={"image", "text", "labels", "logit_scale"}, predicts={"accuracy": +1}, cost="sums")
def zero_shot_margin(e: Embeddings) -> float:
    """Mean of the logit of the own class less the best other logit, zero-shot.

    scale · mean_i (⟨x_i, t_{y_i}⟩ − max_{c ≠ y_i} ⟨x_i, t_c⟩). A baseline that sees how sure the model is. O(N·C·D), shared with
    `zero_shot_accuracy`.
    Abstains on one class text.
    """
    assert e.text is not None
    assert e.logit_scale is not None
    if len(e.text) < 2:
        raise Abstain("needs at least 2 classes, found 1")
    return e.logit_scale * e.zero_shot.margin
