"""Combining the components of a pool of models."""

from collections.abc import Sequence

import numpy as np

from scorers._contract import Abstain
from scorers._embeddings import Floats


def unit_range(values: Sequence[float]) -> Floats:
    """The values of a pool brought to 0..1, the lowest to 0 and the highest to 1; all 0 where they are equal."""
    if len(values) < 2:
        raise Abstain(f"is relative to a pool of models, and this pool has {len(values)}")
    array = np.array(values, np.float64)
    width = array.max() - array.min()
    return (array - array.min()) / width if width > 0 else np.zeros(len(array))
