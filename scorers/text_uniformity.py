"""How close images lie to the texts of other classes, each class of text counting the same."""

import numpy as np

from scorers._contract import Abstain, scorer
from scorers._embeddings import Embeddings


@scorer(needs={"image", "text", "labels"}, cite="wang2020alignment", cost="sums")
def text_uniformity(e: Embeddings) -> float:
    """Mean over class texts of their mean similarity to the images of other classes.

    mean_c mean_{i: y_i ≠ c} ⟨x_i, t_c⟩, in -1..1 on unit rows. `iimm_inter` weighs texts by the images they are wrong for instead;
    the two differ where classes are imbalanced. Claims no direction. O(C·D) after the shared pass.
    Abstains on one class.

    Source: Wang and Isola, ICML 2020.
    """
    assert e.text is not None
    s, text = e.statistics, e.text.astype(np.float64)
    if len(text) < 2 or len(e.classes) < 2:
        raise Abstain("needs at least 2 classes, found 1")
    wrong = np.full(len(text), s.n)
    wrong[e.classes] -= s.counts
    total = text @ s.sums.sum(0)
    total[e.classes] -= (text[e.classes] * s.sums).sum(1)
    return float((total / wrong).mean())
