"""Combination of the components of a pool of models."""

from collections.abc import Sequence

import numpy as np

from scorers._embeddings import Abstain
from scorers._statistics import Floats


def unit_range(values: Sequence[float]) -> Floats:
    """Min-max scaling to 0..1 over a pool of models, `(v − min)/(max − min)`; all 0 where the values are equal.

    Abstains on a pool of one model.
    """
    if len(values) < 2:
        raise Abstain(f"is relative to a pool of models, and this pool has {len(values)}")
    array = np.array(values, np.float64)
    width = array.max() - array.min()
    return (array - array.min()) / width if width > 0 else np.zeros(len(array))
