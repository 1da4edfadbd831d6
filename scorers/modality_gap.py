"""The distance between the clouds of images and of texts."""

import numpy as np

from scorers._contract import scorer
from scorers._embeddings import Embeddings


@scorer(needs={"image", "text", "labels"}, cite="liang2022gap", cost="sums")
def modality_gap(e: Embeddings) -> float:
    """Distance between the mean image and the mean class text embedding.

    ‖mean X − mean T‖₂, in 0..2 on unit rows. Source: Liang et al., NeurIPS 2022; it claims no direction for gain.
    """
    assert e.text is not None
    return float(np.linalg.norm(e.statistics.mean - e.text.astype(np.float64).mean(0)))
