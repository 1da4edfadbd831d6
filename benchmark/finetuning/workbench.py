"""Everything a technique needs of one model and its suite, loaded once per process."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from benchmark.embedding.cache import Cache
from benchmark.embedding.embedder import Embedder
from benchmark.models.model import Model
from benchmark.tasks import sources
from benchmark.tasks.cards import Card
from benchmark.tasks.sources import Examples

if TYPE_CHECKING:
    from benchmark.models.encoder import Encoder

Tensor = torch.Tensor
HELD = 2 * 2**30  # bytes of decoded images that a workbench keeps


def average_templates(texts: Tensor, templates: int) -> Tensor:
    """Class-major prompt embeddings (C*templates, D) to one unit embedding per class (C, D)."""
    if templates == 1:
        return texts
    return F.normalize(texts.unflatten(0, (-1, templates)).mean(1), dim=-1)


class Pixels:
    """The images of a split as the model takes them, uint8 (n, 3, S, S) by rows: kept where they fit into `room` bytes, else decoded when asked for."""

    def __init__(self, encoder: "Encoder", examples: Examples, room: int) -> None:
        self.encoder, self.examples = encoder, examples
        size = 3 * encoder.size**2 * len(examples.labels)
        self.held = encoder.pixels(examples) if size <= room else None
        self.bytes = size if self.held is not None else 0

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        if self.held is not None:
            return self.held[rows]
        images = self.examples.images
        chosen = images[rows] if isinstance(rows, slice) else [images[i] for i in rows.tolist()]
        return self.encoder.pixels(Examples(chosen, np.zeros(len(chosen), np.int64)))

    def parts(self, most: int) -> Iterator[Tensor]:
        """All rows in order, at most so many at a time."""
        for start in range(0, len(self.examples.labels), most):
            yield self[start : start + most]

    def embeddings(self, encoder: "Encoder") -> Tensor:
        """(N, D) as an encoder like this one, perhaps tuned, gives them."""
        found = encoder.encode(self.examples.images)["image"] if self.held is None else encoder.encode_images(self.held)
        return torch.from_numpy(found)


class Workbench:
    def __init__(self, model: Model, tasks: Sequence[Card], cache: Cache) -> None:
        self.model, self.tasks = model, tuple(tasks)
        self._embedder = Embedder(model, cache)
        self._examples: dict[tuple[str, str], Examples] = {}
        self._pixels: dict[tuple[str, str], Pixels] = {}
        self._embeddings: dict[tuple[str, str], Tensor] = {}
        self._texts: dict[str, Tensor] = {}

    @property
    def encoder(self) -> "Encoder":
        return self._embedder.encoder

    def _load(self, card: Card, split: str) -> Examples:
        if (card.name, split) not in self._examples:
            self._examples[card.name, split] = sources.load(card, split)
        return self._examples[card.name, split]

    def pixels(self, card: Card, split: str) -> Pixels:
        if (card.name, split) not in self._pixels:
            room = HELD - sum(pixels.bytes for pixels in self._pixels.values())
            self._pixels[card.name, split] = Pixels(self.encoder, self._load(card, split), room)
        return self._pixels[card.name, split]

    def labels(self, card: Card, split: str) -> Tensor:
        return torch.from_numpy(self._load(card, split).labels)

    def embeddings(self, card: Card, split: str) -> Tensor:
        """Cached unit image embeddings, float32 (N, D)."""
        if (card.name, split) not in self._embeddings:
            self._embeddings[card.name, split] = torch.from_numpy(self._embedder.images(card, split)["image"])
        return self._embeddings[card.name, split]

    def texts(self, card: Card) -> Tensor:
        """Cached unit class embeddings, float32 (C, D)."""
        if card.name not in self._texts:
            texts = torch.from_numpy(self._embedder.texts(card.prompts())["text"])
            self._texts[card.name] = average_templates(texts, len(card.templates))
        return self._texts[card.name]

    @cached_property
    def width(self) -> int:
        return self.texts(self.tasks[0]).shape[1]

    @cached_property
    def scale(self) -> float:
        return float(self._embedder.texts(self.tasks[0].prompts())["logit_scale"])

    @cached_property
    def bias(self) -> float:
        return float(self._embedder.texts(self.tasks[0].prompts())["logit_bias"])

    @cached_property
    def before(self) -> dict[str, float]:
        """Zero-shot test accuracy on every task."""
        return {card.name: self.zero_shot_accuracy(card, "test") for card in self.tasks}

    def zero_shot_accuracy(self, card: Card, split: str) -> float:
        """Accuracy of the model before fine-tuning on a split of a task."""
        predicted = (self.embeddings(card, split) @ self.texts(card).T).argmax(1)
        return float((predicted == self.labels(card, split)).double().mean())

    def accuracies(self, encoder: "Encoder") -> dict[str, float]:
        """Test accuracy of a tuned encoder on every task, each through its own prompts."""
        result = {}
        for card in self.tasks:
            images = self.pixels(card, "test").embeddings(encoder)
            texts = average_templates(torch.from_numpy(encoder.encode_texts(card.prompts())), len(card.templates))
            result[card.name] = float(((images @ texts.T).argmax(1) == self.labels(card, "test")).double().mean())
        return result
