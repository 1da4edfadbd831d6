"""How undecided the zero-shot classifier is."""

from scorers._contract import scorer
from scorers._embeddings import Embeddings


@scorer(needs={"image", "text", "logit_scale"}, predicts={"gain": +1}, cost="sums")
def zero_shot_entropy(e: Embeddings) -> float:
    """Mean entropy of the zero-shot posterior, in nats; reads no labels.

    mean_i H(softmax(scale · ⟨x_i, t_c⟩)), in 0..ln C. A baseline: an undecided model should have more to gain. O(N·C·D), shared
    with `zero_shot_accuracy`.
    """
    assert e.zero_shot.entropy is not None
    return e.zero_shot.entropy
