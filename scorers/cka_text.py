"""Centred kernel alignment of images and the texts of their classes."""

import numpy as np

from scorers._contract import Abstain, scorer
from scorers._embeddings import Embeddings


@scorer(needs={"image", "text", "labels"}, predicts={"accuracy": +1}, cite="kornblith2019cka", cost="sums")
def cka_text(e: Embeddings) -> float:
    """Linear centred kernel alignment of the images with the texts of their classes.

    ‖X'Y‖²/(‖X'X‖‖Y'Y‖) in Frobenius norms, X the rows and Y the texts of their labels, both centred; in 0..1. O(D² + C·D²) after
    the shared pass.
    Abstains on rows or texts that are all alike.

    Source: Kornblith et al., ICML 2019.
    """
    assert e.text is not None
    s, text = e.statistics, e.text.astype(np.float64)[e.classes]
    mean = s.counts @ text / s.n
    cross = s.sums.T @ text - s.n * np.outer(s.mean, mean)
    own = (text.T * s.counts) @ text - s.n * np.outer(mean, mean)
    scale = float(np.linalg.norm(s.scatter) * np.linalg.norm(own))
    if scale <= 1e-12 * float(np.trace(s.gram)) * float((s.counts * (text**2).sum(1)).sum()):
        raise Abstain("needs samples that differ and at least 2 classes with texts that differ")
    return float((cross**2).sum()) / scale
