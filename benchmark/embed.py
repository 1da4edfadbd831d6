"""Filling the cache: image embeddings per (model, task, split) and text embeddings per (model, prompts), each computed once."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark import sources
from benchmark.cache import Arrays, Cache, Key
from benchmark.cards import Card
from benchmark.fingerprint import model_identity
from benchmark.suite import Model, Suite

if TYPE_CHECKING:
    from benchmark.encoder import Encoder

PRECISION = "fp32"


def image_key(model: Model, card: Card, split: str) -> Key:
    source = sources.source(card)
    return {
        "kind": "images",
        "model": model_identity(model),
        "task": card.identity(),
        "split": split,
        "source": source.version,
        "samples": source.sample_list(card, split),
        "precision": PRECISION,
    }


def text_key(model: Model, texts: list[str]) -> Key:
    return {"kind": "texts", "model": model_identity(model), "texts": texts, "precision": PRECISION}


class Embedder:
    """Reads a model's embeddings through the cache; the model itself is loaded only when something is missing."""

    def __init__(self, model: Model, cache: Cache) -> None:
        self.model, self.cache = model, cache
        self._encoder: Encoder | None = None
        self.encoded = 0

    @property
    def encoder(self) -> "Encoder":
        if self._encoder is None:
            from benchmark.encoder import Encoder

            self._encoder = Encoder(self.model)
        return self._encoder

    def images(self, card: Card, split: str) -> Arrays:
        """`image` float32 (N, D) and `labels` int64 (N,)."""

        def compute() -> dict[str, Any]:
            examples = sources.load(card, split)
            self.encoded += len(examples.labels)
            return {"image": self.encoder.encode_images(self.encoder.pixels(examples)), "labels": examples.labels}

        return self.cache.get(image_key(self.model, card, split), compute)

    def texts(self, texts: list[str]) -> Arrays:
        """`text` float32 (len(texts), D), and the model's `logit_scale`, `logit_bias` and `n_parameters`."""

        def compute() -> dict[str, Any]:
            encoder = self.encoder
            return {
                "text": encoder.encode_texts(texts),
                "logit_scale": np.array(encoder.logit_scale.item()),
                "logit_bias": np.array(encoder.logit_bias.item()),
                "n_parameters": np.array(encoder.n_parameters),
            }

        return self.cache.get(text_key(self.model, texts), compute)


def embed_model(suite: Suite, model: Model, root: Path, splits: tuple[str, ...] = ("train",)) -> int:
    """Everything a suite needs of one model; returns how many images had to be encoded."""
    single_thread()
    embedder = Embedder(model, Cache(root))
    for card in suite.tasks:
        for split in splits:
            embedder.images(card, split)
        embedder.texts(card.prompts())
    if suite.source_vocabulary:
        embedder.texts(list(suite.source_vocabulary))
    return embedder.encoded


def missing(suite: Suite, cache: Cache, splits: tuple[str, ...] = ("train",)) -> dict[str, int]:
    """Number of cache entries each model still lacks; models that lack none are left out."""
    lacking = {}
    for model in suite.models:
        keys = [image_key(model, card, split) for card in suite.tasks for split in splits]
        keys += [text_key(model, card.prompts()) for card in suite.tasks]
        keys += [text_key(model, list(suite.source_vocabulary))] if suite.source_vocabulary else []
        if absent := sum(not cache.path(key).exists() for key in keys):
            lacking[model.name] = absent
    return lacking


def single_thread() -> None:
    """Workers share the cores by running one thread each, which also keeps sums in one order."""
    import torch

    torch.set_num_threads(1)
