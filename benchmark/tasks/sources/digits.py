"""digits: scikit-learn's handwritten digits, 8x8, enlarged to 32x32."""

import numpy as np

from benchmark.errors import CardError
from benchmark.tasks.cards import SPLITS, Card
from benchmark.tasks.hashed_random import uniforms
from benchmark.tasks.sources.base import Examples, Source, card_path


def _examples(card: Card, split: str) -> Examples:
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.argsort(uniforms("task/digits/order", len(digits.target), 1)[:, 0], kind="stable")
    needed = sum(card.sizes.values())
    if needed > len(order):
        raise CardError(
            f"{card_path(card)}: [splits] need {needed} samples, but there are only {len(order)}; lower the sizes"
        )
    # splits are consecutive runs of one random order, so they are disjoint
    start = sum(card.sizes[s] for s in SPLITS[: SPLITS.index(split)])
    rows = order[start : start + card.sizes[split]]
    gray = np.floor(digits.images[rows] * (255 / 16) + 0.5).astype(np.uint8)  # 0..16 to 0..255, rounded half up
    images = np.repeat(gray.repeat(4, 1).repeat(4, 2)[..., None], 3, 3)  # (n, 8, 8) to (n, 32, 32, 3)
    return Examples(images, digits.target[rows].astype(np.int64))


SOURCE = Source(_examples, description="scikit-learn's handwritten digits", version="scikit-learn")
