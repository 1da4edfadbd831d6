"""The similarity of images to the texts of other classes, each class text with the same weight."""

import numpy as np

from scorers._contract import scorer
from scorers._embeddings import Abstain, Embeddings


@scorer(needs={"image", "text", "labels"}, undirected=True, cite="wang2020alignment", cost="sums")
def text_uniformity(e: Embeddings) -> float:
    """Mean over class texts of their mean similarity to the images of other classes.

    Formula: `mean_c mean_{i: y_i ≠ c} ⟨x_i, t_c⟩`. `iimm_inter` weights texts by the number of images of other classes instead; the two
    differ where classes are imbalanced.

    Values: in −1..1 on unit rows.

    Orientation: none claimed.

    Abstains: on one class.

    Cost: `O(C·D)` after the shared pass.

    Source: Wang and Isola, ICML 2020.
    """
    s, text = e.statistics, e.text.astype(np.float64)
    if len(text) < 2 or len(e.classes) < 2:
        raise Abstain("needs at least 2 classes, found 1")
    n_other = np.full(len(text), s.n)  # number of images of other classes, by class text
    n_other[e.classes] -= s.counts
    total = text @ s.sums.sum(0)  # (C,): Σ_i ⟨x_i, t_c⟩ over all images
    total[e.classes] -= (text[e.classes] * s.sums).sum(1)  # less those of the own class
    return float((total / n_other).mean())
