"""Cache keys: everything that an embedding depends on."""

import json
from collections.abc import Sequence
from typing import Any

from benchmark.embedding.cache import Key
from benchmark.models import weights
from benchmark.models.model import Model
from benchmark.tasks import sources
from benchmark.tasks.cards import Card


class Keys:
    """The keys of models, tasks and texts.

    Hashing the files of a model and listing the samples of a task take time, so each is done once per object: a command makes one and
    passes it on, also to its workers. Files that change afterwards are not noticed.
    """

    def __init__(self) -> None:
        self._models: dict[Model, dict[str, str]] = {}
        self._samples: dict[str, Any] = {}

    def model(self, model: Model) -> dict[str, str]:
        """The fingerprint of a model: `weights.fingerprint`."""
        if model not in self._models:
            self._models[model] = weights.fingerprint(model)
        return self._models[model]

    def images(self, model: Model, card: Card, split: str) -> Key:
        """The key of a model's embeddings of the images of a split."""
        return {
            "kind": "images",
            "model": self.model(model),
            "task": card.fingerprint(),
            "split": split,
            "source": sources.source_of(card).version,
            "samples": self._sample_digest(card, split),
            # not the device: embeddings of two devices differ by rounding only
            "precision": model.precision,
        }

    def texts(self, model: Model, texts: Sequence[str]) -> Key:
        """The key of a model's embeddings of texts; a vision-only model has one entry, without texts."""
        shown = [] if model.vision_only else list(texts)
        return {"kind": "texts", "model": self.model(model), "texts": shown, "precision": model.precision}

    def _sample_digest(self, card: Card, split: str) -> Any:
        # the folder too, since equal cards in two folders may refer to different files
        place = json.dumps([card.fingerprint(), str(card.folder), split])
        if place not in self._samples:
            self._samples[place] = sources.source_of(card).sample_digest(card, split)
        return self._samples[place]


def block_key(whole: Key, start: int, rows: int) -> Key:
    """The key of `rows` rows of a large split from row `start`, stored until the whole is complete."""
    return {**whole, "kind": "blocks", "rows": [start, rows]}
