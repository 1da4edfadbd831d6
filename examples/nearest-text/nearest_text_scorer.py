"""A scorer in a package of its own: how evenly the images spread over their nearest class texts."""

import numpy as np

from scorers import Abstain, Embeddings, scorer


@scorer(needs={"image", "text"}, predicts={"gain": -1}, cite="")
def nearest_text(e: Embeddings) -> float:
    """Evenness of the zero-shot guesses over the classes; reads no labels. A baseline.

    exp(H)/C with H the entropy of the shares in which the texts are the nearest, in 1/C..1: a model that gives every image the same
    class scores lowest, and has the most to gain. O(N·C·D).
    """
    assert e.text is not None
    if len(e.text) < 2:
        raise Abstain("needs at least 2 class texts, found 1")
    text = e.text.astype(np.float64)
    counts = np.zeros(len(text))
    for x, _ in e.blocks():
        counts += np.bincount((x @ text.T).argmax(1), minlength=len(text))
    share = counts[counts > 0] / e.n
    return float(np.exp(-(share * np.log(share)).sum()) / len(text))
