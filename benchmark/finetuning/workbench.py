"""The workbench: the data and the model of a suite that a technique reads, each loaded once per process and on first use."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
ALL_ROWS = slice(None)
PIXEL_MEMORY = 2 * 2**30  # bytes of decoded images that a workbench keeps in memory


def average_templates(texts: Tensor, templates: int) -> Tensor:
    """The class-text embeddings (C, D): unit rows along the mean over the templates.

    texts: unit prompt embeddings (C * templates, D), class by class.
    """
    if templates == 1:
        return texts
    # (C * templates, D) to (C, templates, D); mean over templates, then back to unit length
    return F.normalize(texts.unflatten(0, (-1, templates)).mean(1), dim=-1)


@dataclass(frozen=True)
class Evaluation:
    """What a fine-tuned model does on test images.

    after: accuracy on every task, 0 to 1.  drift: the mean of 1 - cosine between the image embeddings before and after, on its own
    task.  kl: the mean divergence KL(after || before) of its posterior over the classes there, in nats.
    """

    after: dict[str, float]
    drift: float
    kl: float


class Pixels:
    """The images of one split at the input size of the model, indexed by rows: uint8 (n, 3, S, S).

    limit: bytes. If the whole split fits, it is decoded once and stays in memory; otherwise each access decodes its rows.
    """

    def __init__(self, encoder: "Encoder", examples: Examples, limit: int) -> None:
        self.encoder, self.examples = encoder, examples
        size = 3 * encoder.size**2 * len(examples.labels)  # of N images with 3 channels of S x S bytes
        # (N, 3, S, S) uint8, or None for a split that is decoded on demand
        self.in_memory = encoder.pixels(examples) if size <= limit else None
        self.bytes_in_memory = size if self.in_memory is not None else 0

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        if self.in_memory is not None:
            return self.in_memory[rows]
        images = self.examples.images
        selected = images[rows] if isinstance(rows, slice) else [images[i] for i in rows.tolist()]
        labels = np.zeros(len(selected), np.int64)  # `Examples` has labels; the encoder does not read them
        return self.encoder.pixels(Examples(selected, labels))

    def parts(self, size: int) -> Iterator[Tensor]:
        """All rows in order, at most `size` at a time."""
        for start in range(0, len(self.examples.labels), size):
            yield self[start : start + size]

    def embeddings(self, encoder: "Encoder", rows: Tensor | slice = ALL_ROWS) -> Tensor:
        """Unit image embeddings (N, D) under an encoder with the same preprocessing, for example a fine-tuned copy."""
        if self.in_memory is None:
            images = self.examples.images
            selected = images[rows] if isinstance(rows, slice) else [images[i] for i in rows.tolist()]
            return torch.from_numpy(encoder.encode(selected)["image"])
        return torch.from_numpy(encoder.encode_images(self.in_memory[rows]))


class Workbench:
    """What a technique reads of one model and the tasks of its suite. Embeddings of the untuned model come from the cache.

    cross_task_images: how many test images of every other task a fine-tuned model is evaluated on; None: all of them.
    """

    def __init__(
        self, model: Model, tasks: Sequence[Card], cache: Cache, *, cross_task_images: int | None = None
    ) -> None:
        self.model, self.tasks = model, tuple(tasks)
        self.cross_task_images = cross_task_images
        self._embedder = Embedder(model, cache)
        self._examples: dict[tuple[str, str], Examples] = {}
        self._pixels: dict[tuple[str, str], Pixels] = {}
        self._embeddings: dict[tuple[str, str], Tensor] = {}
        self._texts: dict[str, Tensor] = {}
        self._zero_shot: dict[tuple[str, bool], float] = {}

    @property
    def encoder(self) -> "Encoder":
        """The untuned model. A technique that changes it works on a copy."""
        return self._embedder.encoder

    def _load(self, card: Card, split: str) -> Examples:
        if (card.name, split) not in self._examples:
            self._examples[card.name, split] = sources.load(card, split)
        return self._examples[card.name, split]

    def pixels(self, card: Card, split: str) -> Pixels:
        """The images of a split. Splits stay in memory in the order of their first use, up to `PIXEL_MEMORY` bytes together."""
        if (card.name, split) not in self._pixels:
            # what is left for this split
            limit = PIXEL_MEMORY - sum(pixels.bytes_in_memory for pixels in self._pixels.values())
            self._pixels[card.name, split] = Pixels(self.encoder, self._load(card, split), limit)
        return self._pixels[card.name, split]

    def labels(self, card: Card, split: str) -> Tensor:
        """Labels, int64 (N,), in 0..C-1."""
        return torch.from_numpy(self._load(card, split).labels)

    def embeddings(self, card: Card, split: str) -> Tensor:
        """Unit image embeddings, float32 (N, D), from the cache."""
        if (card.name, split) not in self._embeddings:
            self._embeddings[card.name, split] = torch.from_numpy(self._embedder.images(card, split)["image"])
        return self._embeddings[card.name, split]

    def texts(self, card: Card) -> Tensor:
        """Unit class-text embeddings, float32 (C, D), from the cache."""
        if card.name not in self._texts:
            texts = torch.from_numpy(self._embedder.texts(card.prompts())["text"])
            self._texts[card.name] = average_templates(texts, len(card.templates))
        return self._texts[card.name]

    @cached_property
    def width(self) -> int:
        """D, the dimension of the embeddings."""
        return self.texts(self.tasks[0]).shape[1]

    @cached_property
    def scale(self) -> float:
        """The factor of the similarities: logits are scale * image @ text.T + bias."""
        return float(self._embedder.texts(self.tasks[0].prompts())["logit_scale"])

    @cached_property
    def bias(self) -> float:
        """The bias of the logits, of sigmoid models; 0 for the others."""
        return float(self._embedder.texts(self.tasks[0].prompts())["logit_bias"])

    def test_rows(self, task: Card, trained_on: Card) -> Tensor | slice:
        """The rows of a test split on which a model that was fine-tuned on `trained_on` is evaluated.

        All rows of its own task; of another task the same `cross_task_images` rows in every run, drawn with seed 0.
        """
        total = len(self.labels(task, "test"))
        if task.name == trained_on.name or self.cross_task_images is None or self.cross_task_images >= total:
            return ALL_ROWS
        # drawn from all rows, as the rows of some sources are sorted by class
        order = torch.randperm(total, generator=torch.Generator().manual_seed(0))
        return order[: self.cross_task_images].sort().values

    def before(self, trained_on: Card) -> dict[str, float]:
        """Zero-shot test accuracy on every task, 0 to 1, on the images on which a run on `trained_on` is evaluated."""
        return {task.name: self._before(task, self.test_rows(task, trained_on)) for task in self.tasks}

    def _before(self, task: Card, rows: Tensor | slice) -> float:
        # computed once for a whole split and once for its fixed part, as every run asks for all tasks
        key = (task.name, isinstance(rows, slice))
        if key not in self._zero_shot:
            self._zero_shot[key] = self._accuracy(
                self.embeddings(task, "test")[rows], self.texts(task), self.labels(task, "test")[rows]
            )
        return self._zero_shot[key]

    def zero_shot_accuracy(self, card: Card, split: str) -> float:
        """Accuracy of the untuned model on a split of a task, 0 to 1."""
        return self._accuracy(self.embeddings(card, split), self.texts(card), self.labels(card, split))

    @staticmethod
    def _accuracy(images: Tensor, texts: Tensor, labels: Tensor) -> float:
        # without scale and bias, which do not change the largest logit
        return float(((images @ texts.T).argmax(1) == labels).double().mean())

    def evaluate(self, encoder: "Encoder", trained_on: Card) -> Evaluation:
        """Evaluate a fine-tuned encoder on every task, with the prompts of each task."""
        after = {}
        drift = kl = math.nan
        for task in self.tasks:
            rows = self.test_rows(task, trained_on)
            images = self.pixels(task, "test").embeddings(encoder, rows)
            texts = average_templates(torch.from_numpy(encoder.encode_texts(task.prompts())), len(task.templates))
            after[task.name] = self._accuracy(images, texts, self.labels(task, "test")[rows])
            if task.name == trained_on.name:
                with torch.no_grad():  # a technique may have trained the scale
                    scale = float(encoder.logit_scale)
                drift, kl = self.distance(task, images=images, logits=scale * images @ texts.T)
        return Evaluation(after, drift, kl)

    @torch.no_grad()
    def distance(self, card: Card, *, images: Tensor | None, logits: Tensor) -> tuple[float, float]:
        """How far fine-tuning moved a model on the test split of its task: drift and kl, as in `Evaluation`.

        images: unit embeddings (N, D) after fine-tuning; None where they are those of before.  logits: (N, C) after fine-tuning; the
        bias of a sigmoid model may be left out, since a softmax does not depend on it.
        """
        untuned = self.embeddings(card, "test")
        drift = 0.0 if images is None else float((1 - (images * untuned).sum(1)).double().mean())
        log_p = F.log_softmax(logits.double(), dim=1)
        log_q = F.log_softmax((self.scale * untuned @ self.texts(card).T).double(), dim=1)
        # KL(p || q) = sum_c p_c (log p_c - log q_c), p of the tuned and q of the untuned model, averaged over images
        return drift, float((log_p.exp() * (log_p - log_q)).sum(1).mean())
