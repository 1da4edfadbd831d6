"""Reading a model's embeddings through the cache."""

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.embedding.cache import Arrays, Cache, Key
from benchmark.embedding.keys import Keys, block_key
from benchmark.models.model import Model
from benchmark.tasks import sources
from benchmark.tasks.cards import Card

if TYPE_CHECKING:
    from benchmark.models.encoder import Encoder

BLOCK = 4096  # rows of a large split that are encoded, and stored, at a time


def block_starts(card: Card, split: str) -> range:
    """The first rows of the blocks of a split."""
    return range(0, card.sizes[split], BLOCK)


class Embedder:
    """A model's embeddings, computed where the cache does not have them. The model is loaded only then.

    encoded: the number of images encoded so far.
    """

    def __init__(self, model: Model, cache: Cache, keys: Keys | None = None) -> None:
        self.model, self.cache = model, cache
        self.keys = keys or Keys()
        self.encoded = 0
        self._encoder: Encoder | None = None
        self._loaded: tuple[Key, sources.Examples] | None = None  # the split whose blocks were read last

    @property
    def encoder(self) -> "Encoder":
        if self._encoder is None:
            from benchmark.models.encoder import Encoder

            self._encoder = Encoder(self.model)
        return self._encoder

    def images(self, card: Card, split: str) -> Arrays:
        """`image` float32 (N, D), `labels` int64 (N,), and of a vision-only model `source` float32 (N, Z) and `energy` (N,).

        A large split is stored block by block while it is encoded, so that an interruption loses little.
        """
        key = self.keys.images(self.model, card, split)
        starts = block_starts(card, split)

        def compute() -> Arrays:
            if len(starts) == 1:
                return self._encode(sources.load(card, split))
            blocks = [self.block(card, split, start) for start in starts]
            return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}

        arrays = self.cache.get(key, compute)
        if len(starts) > 1:
            # also after a hit, since an earlier process may have ended between writing and deleting
            self.cache.delete(block_key(key, start, BLOCK) for start in starts)
        return arrays

    def block(self, card: Card, split: str, start: int) -> Arrays:
        """The rows from `start` of a large split, stored until the whole is complete."""
        whole = self.keys.images(self.model, card, split)

        def compute() -> Arrays:
            # listing the samples of a large split takes a while, so it is done once for all of its blocks
            if self._loaded is None or self._loaded[0] != whole:
                self._loaded = whole, sources.load(card, split)
            examples, rows = self._loaded[1], slice(start, start + BLOCK)
            return self._encode(sources.Examples(examples.images[rows], examples.labels[rows]))

        return self.cache.get(block_key(whole, start, BLOCK), compute)

    def _encode(self, examples: "sources.Examples") -> Arrays:
        self.encoded += len(examples.labels)
        return {**self.encoder.encode(examples.images), "labels": examples.labels}

    def texts(self, texts: list[str]) -> Arrays:
        """`text` float32 (len(texts), D), and the model's `logit_scale`, `logit_bias` and `n_parameters`.

        A vision-only model has no rows of `text`, and its scale is NaN.
        """

        def compute() -> dict[str, Any]:
            encoder = self.encoder
            vision_only = self.model.vision_only
            return {
                # no class texts, and NaN for a scale that does not exist; 0 is the neutral bias
                "text": np.zeros((0, 0), np.float32) if vision_only else encoder.encode_texts(texts),
                "logit_scale": np.array(np.nan if vision_only else encoder.logit_scale.item()),
                "logit_bias": np.array(0.0 if vision_only else encoder.logit_bias.item()),
                "n_parameters": np.array(encoder.n_parameters),
            }

        return self.cache.get(self.keys.texts(self.model, texts), compute)
