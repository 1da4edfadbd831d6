"""The uncertainty of the zero-shot classifier."""

from scorers._contract import scorer
from scorers._embeddings import Embeddings


@scorer(needs={"image", "text", "logit_scale"}, predicts={"gain": +1}, baseline=True, cost="sums")
def zero_shot_entropy(e: Embeddings) -> float:
    """Mean entropy of the zero-shot posterior; reads no labels.

    Formula: `mean_i H(softmax_c(scale·⟨x_i, t_c⟩))`.

    Values: in nats, in 0..ln C.

    Orientation: a higher score predicts more gain, since an uncertain model has more to gain.

    Abstains: never.

    Cost: `O(N·C·D)`, shared with `zero_shot_accuracy`.

    Source: none; a baseline.
    """
    return e.zero_shot.entropy
