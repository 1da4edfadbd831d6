"""What the pages of a board say about scorers and tasks, and the sample images they show."""

import functools
import inspect
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

import scorers
from benchmark.embedding.cache import Cache
from benchmark.suites.suite import Suite
from benchmark.tasks import sources
from benchmark.tasks.cards import Card
from benchmark.tasks.fingerprint import task_fingerprint
from leaderboard.output.detail_pages import ScorerDescription, TaskDescription

SAMPLES, SAMPLE_SIZE = 8, 64  # images on a task's page, and their width and height in pixels


def describe_scorers() -> dict[str, ScorerDescription]:
    """For every registered scorer: its summary, docstring, orientation and reference."""
    return {name: _describe_scorer(function) for name, function in scorers.registry().scorers.items()}


def _describe_scorer(function: Any) -> ScorerDescription:
    predicts = ", ".join(
        f"{'more' if sign > 0 else 'less'} {target}" for target, sign in function.spec.predicts.items()
    )
    reference = next((entry for key, entry in scorers.references().items() if key == function.spec.cite), "")
    return ScorerDescription(
        function.spec.summary,
        inspect.getdoc(function) or "",
        f"a higher score means {predicts}" if predicts else "",
        reference,
    )


def describe_tasks(suite: Suite, cache: Cache) -> dict[str, TaskDescription]:
    """For every task of a suite: title, classes, prompts, citation, licence, and one image of each of the first classes.

    The images are cached, so that a board of a cached suite needs no data set.
    """
    words = {}
    for card in suite.tasks:
        # no model: the images depend on the task, their number and their size
        key = {
            "kind": "samples",
            "task": {"name": card.name, "identity": task_fingerprint(card)},
            "samples": SAMPLES,
            "size": SAMPLE_SIZE,
        }
        arrays = cache.get(key, functools.partial(_sample_images, card))
        samples = [
            (card.classes[int(label)], _png(image))
            for label, image in zip(arrays["labels"], arrays["images"], strict=True)
        ]
        origin = f"{card.citation}. Licence: {card.licence}."
        words[card.name] = TaskDescription(card.title, card.classes, card.templates, origin, samples)
    return words


def _sample_images(card: Card) -> dict[str, NDArray[Any]]:
    """`images` uint8 (classes, SAMPLE_SIZE, SAMPLE_SIZE, 3): the first image of each of the first SAMPLES classes; `labels` (classes,)."""
    examples = sources.load(card, "test" if card.evaluation_only else "train")
    # (classes,) the first image of each class, so that every run shows the same ones
    indices = [int(np.flatnonzero(examples.labels == label)[0]) for label in np.unique(examples.labels)[:SAMPLES]]
    images = np.zeros((len(indices), SAMPLE_SIZE, SAMPLE_SIZE, 3), np.uint8)
    for row, index in enumerate(indices):
        image = sources.read_image(examples.images[index])
        # stretched to a square, since all samples are in one array
        images[row] = np.asarray(image.resize((SAMPLE_SIZE, SAMPLE_SIZE)))
    return {"images": images, "labels": examples.labels[indices]}


def _png(image: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()
