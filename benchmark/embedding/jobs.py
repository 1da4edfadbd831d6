"""Filling the cache: image embeddings per (model, task, split) and text embeddings per (model, prompts), each computed once."""

import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.embedding.cache import Arrays, Cache, Key
from benchmark.execution.parallel import parallel
from benchmark.execution.progress import progress
from benchmark.models import fetching, weights
from benchmark.models.model import Model
from benchmark.suites.suite import Suite
from benchmark.tasks import sources
from benchmark.tasks.cards import Card

if TYPE_CHECKING:
    from benchmark.models.encoder import Encoder

BLOCK = 4096  # images of a split that are encoded, and kept, at a time


def image_key(model: Model, card: Card, split: str) -> Key:
    source = sources.source_of(card)
    return {
        "kind": "images",
        "model": weights.fingerprint(model),
        "task": card.fingerprint(),
        "split": split,
        "source": source.version,
        "samples": sample_list(card, split),
        "precision": model.precision,
    }


def text_key(model: Model, texts: list[str]) -> Key:
    return {"kind": "texts", "model": weights.fingerprint(model), "texts": texts, "precision": model.precision}


def sample_list(card: Card, split: str) -> Any:
    """What names the samples of a split; listed once in a command, since that may take a while for a large one."""
    if not _listing:
        return sources.source_of(card).sample_digest(card, split)
    place = json.dumps([card.fingerprint(), str(card.folder), split])
    if place not in _known:
        _known[place] = sources.source_of(card).sample_digest(card, split)
    return _known[place]


_known: dict[str, Any] = {}
_listing: list[bool] = []


def keep_sample_lists() -> None:
    """From now on this process takes the lists of samples as they are when it first sees them."""
    _listing.append(True)


def block_starts(card: Card, split: str) -> range:
    """The first rows of the blocks of a split."""
    return range(0, card.sizes[split], BLOCK)


class Embedder:
    """Reads a model's embeddings through the cache; the model itself is loaded only when something is missing."""

    def __init__(self, model: Model, cache: Cache) -> None:
        self.model, self.cache = model, cache
        self._encoder: Encoder | None = None
        self._listed: tuple[Key, sources.Examples] | None = None
        self.encoded = 0

    @property
    def encoder(self) -> "Encoder":
        if self._encoder is None:
            from benchmark.models.encoder import Encoder

            self._encoder = Encoder(self.model)
        return self._encoder

    def images(self, card: Card, split: str, key: Key | None = None) -> Arrays:
        """`image` float32 (N, D), `labels` int64 (N,), and of a vision-only model `source` float32 (N, Z) and `energy` (N,).

        A large split is kept block by block while it is encoded, so that an interruption loses little.
        """
        key = key or image_key(self.model, card, split)
        first = block_starts(card, split)

        def compute() -> Arrays:
            if len(first) == 1:
                return self._encode(sources.load(card, split))
            blocks = [self.block(card, split, start, key) for start in first]
            return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}

        found = self.cache.get(key, compute)
        if len(first) > 1:
            self.cache.forget(block_key(key, start) for start in first)
        return found

    def block(self, card: Card, split: str, start: int, key: Key) -> Arrays:
        """The rows from `start` of a large split, kept until the whole is there. key: of the whole."""

        def compute() -> Arrays:
            if self._listed is None or self._listed[0] != key:
                self._listed = key, sources.load(card, split)
            examples, rows = self._listed[1], slice(start, start + BLOCK)
            return self._encode(sources.Examples(examples.images[rows], examples.labels[rows]))

        return self.cache.get(block_key(key, start), compute)

    def _encode(self, examples: "sources.Examples") -> Arrays:
        self.encoded += len(examples.labels)
        return {**self.encoder.encode(examples.images), "labels": examples.labels}

    def texts(self, texts: list[str]) -> Arrays:
        """`text` float32 (len(texts), D), and the model's `logit_scale`, `logit_bias` and `n_parameters`.

        A vision-only model has no rows of `text` and no scale (NaN)."""

        def compute() -> dict[str, Any]:
            encoder = self.encoder
            if self.model.vision_only:
                return {
                    "text": np.zeros((0, 0), np.float32),
                    "logit_scale": np.array(np.nan),
                    "logit_bias": np.array(0.0),
                    "n_parameters": np.array(encoder.n_parameters),
                }
            return {
                "text": encoder.encode_texts(texts),
                "logit_scale": np.array(encoder.logit_scale.item()),
                "logit_bias": np.array(encoder.logit_bias.item()),
                "n_parameters": np.array(encoder.n_parameters),
            }

        return self.cache.get(text_key(self.model, [] if self.model.vision_only else texts), compute)


def block_key(whole: Key, start: int) -> Key:
    return {**whole, "kind": "blocks", "rows": [start, BLOCK]}


@dataclass(frozen=True)
class Work:
    """Something to embed: `images` rows of a split of a task from `start`, or, without a task, the texts of a suite."""

    model: Model
    card: Card | None = None
    split: str = ""
    key: Key = field(default_factory=dict)
    start: int = 0
    images: int = 0


def pending_work(suite: Suite, cache: Cache, splits: tuple[str, ...] = ("train",)) -> list[Work]:
    """What the cache lacks of a suite's embeddings, block by block and model by model. The files of its models and tasks must be here."""
    work = []
    for model in suite.models:
        for card in suite.tasks:
            for split in splits:
                if not card.sizes[split]:
                    continue
                key = image_key(model, card, split)
                if cache.path(key).exists():
                    continue
                blocks = block_starts(card, split)
                for start in blocks:
                    if len(blocks) == 1 or not cache.path(block_key(key, start)).exists():
                        work.append(Work(model, card, split, key, start, min(BLOCK, card.sizes[split] - start)))
        if any(not cache.path(text_key(model, texts)).exists() for texts in _texts(suite, model)):
            work.append(Work(model))
    return work


def _texts(suite: Suite, model: Model) -> list[list[str]]:
    if model.vision_only:
        return [[]]
    vocabulary = [list(suite.source_vocabulary)] if suite.source_vocabulary else []
    return [card.prompts() for card in suite.tasks] + vocabulary


_embedders: dict[tuple[Model, Path], Embedder] = {}


def embed_work(work: Work, suite: Suite, root: Path) -> int:
    """One piece of work; returns how many images had to be encoded. A process keeps the model it used last."""
    if work.model.device in ("", "cpu"):
        single_thread()
    embedder = _embedders.get((work.model, root))
    if embedder is None:
        _embedders.clear()
        embedder = _embedders[work.model, root] = Embedder(work.model, Cache(root))
    before = embedder.encoded
    if work.card is None:
        for texts in _texts(suite, work.model):
            embedder.texts(texts)
    elif len(block_starts(work.card, work.split)) == 1:
        embedder.images(work.card, work.split, work.key)
    elif embedder.cache.read(work.key) is None:
        embedder.block(work.card, work.split, work.start, work.key)
    return embedder.encoded - before


def fetch(suite: Suite, quiet: bool = False) -> None:
    """Bring to this machine what models and tasks lack; does nothing where everything is here."""

    def say(text: str) -> None:
        if not quiet:
            print(text, file=sys.stderr, flush=True)

    for model in suite.models:
        fetching.fetch_model(model, say)
    for card in suite.tasks:
        sources.fetch(card, say)


def embed_suite(
    suite: Suite, cache: Cache, jobs: int, quiet: bool = False, splits: tuple[str, ...] = ("train",)
) -> int:
    """Embed what the cache lacks; returns the number of images encoded. Loads torch only where something is missing."""
    fetch(replace(suite, tasks=suite.training_tasks) if splits == ("train",) else suite, quiet)
    work = pending_work(suite, cache, splits)
    if not work:
        return 0
    from joblib import delayed

    from benchmark.models.encoder import resolve_device

    if any(resolve_device(model.device).type != "cpu" for model in suite.models):
        jobs = 1  # workers would only wait for the accelerator, each with a model of its own in its memory
    total = sum(part.images for part in work)
    done = parallel((delayed(embed_work)(part, suite, cache.root) for part in work), jobs)
    sizes = [part.images for part in work]
    return sum(progress(done, total, "embed", quiet, unit=" images", sizes=sizes))


def single_thread() -> None:
    """Workers share the cores by running one thread each, which also keeps sums in one order."""
    import torch

    torch.set_num_threads(1)
