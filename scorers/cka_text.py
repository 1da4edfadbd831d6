"""Centred kernel alignment of images and the texts of their classes."""

import numpy as np

from scorers._contract import scorer
from scorers._embeddings import Abstain, Embeddings


@scorer(needs={"image", "text", "labels"}, predicts={"accuracy": +1}, cite="kornblith2019cka", cost="sums")
def cka_text(e: Embeddings) -> float:
    """Linear centred kernel alignment of the images with the texts of their classes.

    Formula: `‖X'T‖² / (‖X'X‖·‖T'T‖)` in Frobenius norms, X (N, D) the rows and T (N, D) the texts of their labels, both centred.

    Values: in 0..1; 1 where images and texts have the same geometry up to rotation and scale.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on equal rows, or equal texts.

    Cost: `O(D² + C·D²)` after the shared pass; T is not formed.

    Source: Kornblith et al., ICML 2019.
    """
    s, text = e.statistics, e.text.astype(np.float64)[e.classes]  # (C, D)
    mean = s.counts @ text / s.n  # (D,) of T over the samples
    cross = s.sums.T @ text - s.n * np.outer(s.mean, mean)  # (D, D): X'T, centred
    own = (text.T * s.counts) @ text - s.n * np.outer(mean, mean)  # (D, D): T'T, centred
    scale = float(np.linalg.norm(s.scatter) * np.linalg.norm(own))
    # tr(X'X)·tr(T'T) bounds ‖X'X‖·‖T'T‖ before centring; less than 1e-12 of it is rounding
    if scale <= 1e-12 * float(np.trace(s.gram)) * float((s.counts * (text**2).sum(1)).sum()):
        raise Abstain("needs samples that differ and at least 2 classes with texts that differ")
    return float((cross**2).sum()) / scale
