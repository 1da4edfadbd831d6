"""The modality gap: the distance between the means of images and texts."""

import numpy as np

from scorers._contract import scorer
from scorers._embeddings import Embeddings


@scorer(needs={"image", "text", "labels"}, undirected=True, cite="liang2022gap", cost="sums")
def modality_gap(e: Embeddings) -> float:
    """Distance between the mean image embedding and the mean class text embedding.

    Formula: `‖mean_i x_i − mean_c t_c‖`, Euclidean.

    Values: in 0..2 on unit rows.

    Orientation: none claimed.

    Abstains: never.

    Cost: `O(C·D)` after the shared pass.

    Source: Liang et al., NeurIPS 2022.
    """
    # every class text counts once, also that of a class without samples
    return float(np.linalg.norm(e.statistics.mean - e.text.astype(np.float64).mean(0)))
