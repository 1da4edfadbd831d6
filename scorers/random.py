"""A random score: the level that every other score must exceed."""

import numpy as np

from scorers._contract import scorer
from scorers._embeddings import Embeddings


@scorer(needs={"seed"}, predicts={"gain": +1, "accuracy": +1, "forgetting": +1}, baseline=True, cost="sums")
def random(e: Embeddings) -> float:
    """A uniform random number.

    Formula: `U(0, 1)` from the seed; reads no embeddings.

    Values: in 0..1.

    Orientation: a higher score is taken to predict more gain, accuracy and forgetting; by construction it predicts nothing.

    Abstains: never.

    Cost: `O(1)`.

    Source: none; a baseline.
    """
    return float(np.random.default_rng(e.seed).random())
