"""A scorer in its own package: evenness of the distribution of images over their nearest class texts."""

import numpy as np

from scorers import Abstain, Embeddings, scorer


@scorer(needs={"image", "text"}, predicts={"gain": -1}, baseline=True)
def nearest_text(e: Embeddings) -> float:
    """Evenness of the zero-shot predictions over the classes; reads no labels.

    Formula: `exp(H)/C` with H the entropy of the shares of images that each class text is the nearest to.

    Values: in 1/C..1; lowest for a model that predicts one class for every image.

    Orientation: a higher score predicts less gain.

    Abstains: on one class text.

    Cost: `O(N·C·D)`.

    Source: none; a baseline.
    """
    if len(e.text) < 2:
        raise Abstain("needs at least 2 class texts, found 1")
    text = e.text.astype(np.float64)
    counts = np.zeros(len(text))  # images by nearest class text
    for x, _ in e.blocks():
        counts += np.bincount((x @ text.T).argmax(1), minlength=len(text))
    share = counts[counts > 0] / e.n
    return float(np.exp(-(share * np.log(share)).sum()) / len(text))
