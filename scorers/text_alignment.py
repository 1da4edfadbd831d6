"""The similarity of images to the text of their own class."""

import numpy as np

from scorers._contract import scorer
from scorers._embeddings import Embeddings


@scorer(needs={"image", "text", "labels"}, predicts={"accuracy": +1}, cite="wang2020alignment", cost="sums")
def text_alignment(e: Embeddings) -> float:
    """Mean similarity of an image to the text of its class.

    Formula: `mean_i ⟨x_i, t_{y_i}⟩`.

    Values: in −1..1 on unit rows.

    Orientation: a higher score predicts higher accuracy.

    Abstains: never.

    Cost: `O(C·D)` after the shared pass.

    Source: Wang and Isola, ICML 2020.
    """
    return float((e.statistics.sums * e.text.astype(np.float64)[e.classes]).sum()) / e.n
