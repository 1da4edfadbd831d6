"""Embedding a suite: the embeddings that the cache is missing, and computing them in parallel."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmark.embedding.cache import Cache, Key
from benchmark.embedding.embedder import Embedder, block_starts
from benchmark.embedding.keys import Keys, block_key
from benchmark.execution.parallel import parallel
from benchmark.execution.progress import progress
from benchmark.models import fetching
from benchmark.models.model import Model
from benchmark.suites.suite import Suite
from benchmark.tasks import sources
from benchmark.tasks.cards import Card

LOG = logging.getLogger("benchmark.embedding")


@dataclass(frozen=True)
class EmbeddingJob:
    """Rows to embed: `images` rows of a split from row `start`. Without a card: all texts of a suite."""

    model: Model
    card: Card | None = None
    split: str = ""
    key: Key = field(default_factory=dict)
    start: int = 0
    images: int = 0


def pending_jobs(
    suite: Suite, cache: Cache, splits: Sequence[str] = ("train",), keys: Keys | None = None
) -> list[EmbeddingJob]:
    """The embeddings of a suite that the cache is missing, block by block and model by model.

    The files of the suite's models and tasks must be on this machine.
    """
    keys = keys or Keys()
    jobs = []
    for model in suite.models:
        for card in suite.tasks:
            for split in splits:
                if card.sizes[split]:
                    jobs += _pending_blocks(model, card, split, keys.images(model, card, split), cache)
        # one job for all texts of a model, which are few
        if any(not cache.path(keys.texts(model, texts)).exists() for texts in _text_lists(suite, model)):
            jobs.append(EmbeddingJob(model))
    return jobs


def _pending_blocks(model: Model, card: Card, split: str, key: Key, cache: Cache) -> list[EmbeddingJob]:
    if cache.path(key).exists():
        return []
    starts = block_starts(card, split)
    return [
        EmbeddingJob(model, card, split, key, start=start, images=min(starts.step, card.sizes[split] - start))
        # a small split has one block, which is stored as the whole
        for start in starts
        if len(starts) == 1 or not cache.path(block_key(key, start, starts.step)).exists()
    ]


def _text_lists(suite: Suite, model: Model) -> list[list[str]]:
    """The lists of texts that a model embeds for a suite: the prompts of each task, and the source vocabulary."""
    if model.vision_only:
        return [[]]  # the entry without texts, which has the number of parameters
    vocabulary = [list(suite.source_vocabulary)] if suite.source_vocabulary else []
    return [card.prompts() for card in suite.tasks] + vocabulary


# A worker process keeps the model that it used last, since loading one takes longer than a block; jobs come model by model.
_embedders: dict[tuple[Model, Path], Embedder] = {}


def run_job(job: EmbeddingJob, suite: Suite, root: Path, keys: Keys) -> int:
    """Compute one job into the cache at `root`; returns how many images were encoded."""
    if job.model.device in ("", "cpu"):
        single_thread()
    embedder = _embedders.get((job.model, root))
    if embedder is None:
        _embedders.clear()
        embedder = _embedders[job.model, root] = Embedder(job.model, Cache(root))
    embedder.keys = keys
    before = embedder.encoded
    if job.card is None:
        for texts in _text_lists(suite, job.model):
            embedder.texts(texts)
    elif len(block_starts(job.card, job.split)) == 1:
        embedder.images(job.card, job.split)
    elif embedder.cache.read(job.key) is None:  # otherwise another command completed the split meanwhile
        embedder.block(job.card, job.split, job.start)
    return embedder.encoded - before


def fetch_suite(suite: Suite, quiet: bool = False) -> None:
    """Download the files of models and tasks that are missing on this machine."""

    def report(text: str) -> None:
        if not quiet:
            LOG.info(text)

    for model in suite.models:
        fetching.fetch_model(model, report)
    for card in suite.tasks:
        sources.fetch(card, report)


def embed_suite(
    suite: Suite,
    cache: Cache,
    jobs: int,
    quiet: bool = False,
    *,
    splits: Sequence[str] = ("train",),
    keys: Keys | None = None,
) -> int:
    """Embed what the cache is missing; returns the number of images encoded. Loads torch only where something is missing."""
    keys = keys or Keys()
    # tasks for evaluation only have no train split, so their files are not needed for it
    fetch_suite(replace(suite, tasks=suite.training_tasks) if tuple(splits) == ("train",) else suite, quiet)
    # after the download, since keys contain digests of the files
    pending = pending_jobs(suite, cache, splits, keys)
    if not pending:
        return 0
    from joblib import delayed

    from benchmark.models.encoder import resolve_device

    if any(resolve_device(model.device).type != "cpu" for model in suite.models):
        jobs = 1  # several workers would wait for the accelerator, each with a copy of the model in its memory
    results = parallel((delayed(run_job)(job, suite, cache.root, keys) for job in pending), jobs)
    # 0 for texts
    sizes = [job.images for job in pending]
    return sum(progress(results, sum(sizes), "embed", quiet, unit=" images", sizes=sizes))


def single_thread() -> None:
    """Let this worker use one thread: workers share the cores, and sums keep one order."""
    import torch

    torch.set_num_threads(1)
