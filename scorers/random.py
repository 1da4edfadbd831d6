"""Chance: the floor that every score must stand on."""

import numpy as np

from scorers._contract import scorer
from scorers._embeddings import Embeddings


@scorer(needs={"seed"}, predicts={"gain": +1, "accuracy": +1, "forgetting": +1}, cost="sums")
def random(e: Embeddings) -> float:
    """A uniform random number in 0..1 from the seed. A baseline."""
    return float(np.random.default_rng(e.seed).random())
