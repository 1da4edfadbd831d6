"""The inputs of a scorer: the `Embeddings` of one (model, task), read through the cache."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

import scorers
from benchmark.embedding.cache import Cache, key_digest
from benchmark.embedding.embedder import Embedder
from benchmark.embedding.keys import Keys
from benchmark.models.model import Model
from benchmark.suites.suite import Suite
from benchmark.tasks.cards import Card

# Needs that the other models or tasks of a suite satisfy; a score with such a need depends on them too.
POOL_NEEDS = ("label_views", "general")
POSTERIOR_ROWS = 8192  # rows of a posterior computed at a time
FLOAT64_LIMIT = 20_000_000  # numbers above which a posterior is stored in float32, half the memory

Floats = NDArray[np.float64]


def scorer_inputs(
    suite: Suite,
    model: Model,
    card: Card,
    cache: Cache,
    needs: Iterable[str] = POOL_NEEDS,
    *,
    keys: Keys | None = None,
) -> scorers.Embeddings:
    """The train split's embeddings, class texts, and the posterior over the suite's source vocabulary.

    needs: those of `POOL_NEEDS` that a scorer declares.
    """
    keys = keys or Keys()
    embedder = Embedder(model, cache, keys)
    # scorers read the train split only: val selects a model, test measures it
    images, texts = embedder.images(card, "train"), embedder.texts(card.prompts())
    scale, bias = float(texts["logit_scale"]), float(texts["logit_bias"])
    # (N, Z): of a vision-only model its own classifier's posterior, else the zero-shot posterior over the vocabulary
    posterior = images.get("source")
    if suite.source_vocabulary and not model.vision_only:
        vocabulary = embedder.texts(list(suite.source_vocabulary))["text"]
        posterior = _posterior(images["image"], vocabulary, scale)
    # one (C, E_k) for every other model k with texts, each of its own width
    views = None
    if "label_views" in needs:
        views = [
            _class_texts(card, Embedder(other, cache, keys).texts(card.prompts())["text"])
            for other in text_models(suite, model)
        ]
    return scorers.Embeddings(
        images["image"],
        images["labels"],
        # without texts and scale, the scorers that need them abstain
        text=None if model.vision_only else _class_texts(card, texts["text"]),
        source_probs=posterior,
        energy=images.get("energy"),
        logit_scale=None if model.vision_only else scale,
        logit_bias=bias,
        class_names=list(card.classes),
        n_parameters=int(texts["n_parameters"]),
        label_views=views,
        general=_moments(suite, model, cache, keys) if "general" in needs else None,
        # of the names alone, so that a score does not change with the suite that it is part of
        seed=int(key_digest({"kind": "seed", "model": model.name, "task": card.name})[:8], 16),
    )


def text_models(suite: Suite, model: Model) -> list[Model]:
    """The other models of a suite that embed class texts."""
    return [other for other in suite.models if other.name != model.name and not other.vision_only]


def _posterior(images: NDArray[np.float32], texts: NDArray[np.float32], scale: float) -> NDArray[np.floating]:
    """Softmax of the scaled similarities of images (N, D) and texts (Z, D): (N, Z), computed in blocks of rows."""
    kind = np.float64 if len(images) * len(texts) <= FLOAT64_LIMIT else np.float32
    posterior: NDArray[np.floating] = np.empty((len(images), len(texts)), kind)
    for start in range(0, len(images), POSTERIOR_ROWS):
        rows = slice(start, start + POSTERIOR_ROWS)
        # (rows, Z); a logit bias is the same for all classes and cancels in the softmax
        logits = scale * images[rows].astype(np.float64) @ texts.T
        # less the largest logit of a row, so that no exponential overflows
        weights = np.exp(logits - logits.max(1, keepdims=True))
        posterior[rows] = weights / weights.sum(1, keepdims=True)
    return posterior


def _class_texts(card: Card, texts: NDArray[np.float32]) -> NDArray[np.float32]:
    """One unit row per class (C, D): the normalised mean over the templates of class-major prompts (C * templates, D)."""
    # text towers return unit rows, so one template needs no normalisation
    if len(card.templates) == 1:
        return texts
    # (C, templates, D) to (C, D); a mean of unit rows is shorter than 1
    mean = texts.reshape(len(card.classes), len(card.templates), -1).mean(1)
    return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), np.float32)


def _moments(suite: Suite, model: Model, cache: Cache, keys: Keys) -> tuple[Floats, Floats]:
    """Mean (D,) and standard deviation (D,) of a model's embeddings over the train splits of all tasks of the suite, cached."""
    # the keys of the images contain the fingerprint of the model; suites with the same tasks share the entry
    key = {"kind": "general", "images": [keys.images(model, card, "train") for card in suite.training_tasks]}

    def compute() -> dict[str, Floats]:
        embedder = Embedder(model, cache, keys)
        # shape (1,) broadcasts to (D,), which is known with the first task
        count, total, squares = 0, np.zeros(1), np.zeros(1)
        for card in suite.training_tasks:
            rows = embedder.images(card, "train")["image"].astype(np.float64)
            count, total, squares = count + len(rows), total + rows.sum(0), squares + (rows**2).sum(0)
        mean = total / count
        # E[x^2] - E[x]^2 may be negative by rounding where a dimension is constant
        return {"mean": mean, "deviation": np.sqrt(np.maximum(squares / count - mean**2, 0))}

    moments = cache.get(key, compute)
    return moments["mean"], moments["deviation"]
