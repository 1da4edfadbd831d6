"""Where a task's images come from: `SOURCES` names the sources, `load` gives a split of a task, `settled` chooses among a card's sources."""

import importlib
import importlib.metadata
from dataclasses import replace

import numpy as np

from benchmark.errors import CardError, InputError, unknown_name
from benchmark.tasks.cards import Card
from benchmark.tasks.sources.base import (
    SUFFIXES,
    Examples,
    Item,
    LazyImage,
    Report,
    Source,
    StoredImage,
    card_path,
    data_folder,
    read_image,
    source_error,
)
from benchmark.tasks.sources.folder import image_files

GROUP = "benchmark.sources"
SOURCES = {
    "digits": "benchmark.tasks.sources.digits",
    "folder": "benchmark.tasks.sources.folder",
    "npz": "benchmark.tasks.sources.npz",
    "torchvision": "benchmark.tasks.sources.torchvision_sets",
    "webdataset": "benchmark.tasks.sources.webdataset",
    "huggingface": "benchmark.tasks.sources.huggingface",
}
DESCRIPTIONS = {
    "digits": "scikit-learn's handwritten digits",
    "folder": "image files in one folder per class, or listed in a CSV",
    "npz": "arrays of images and labels in a NumPy file",
    "torchvision": "a classification data set of torchvision",
    "webdataset": "tar shards, on disk, over HTTP or on the Hugging Face Hub",
    "huggingface": "a data set of the Hugging Face Hub, streamed (needs the extra `huggingface`)",
}

__all__ = [
    "SOURCES",
    "SUFFIXES",
    "Examples",
    "Item",
    "LazyImage",
    "Source",
    "StoredImage",
    "data_folder",
    "fetch",
    "image_files",
    "known_sources",
    "load",
    "read_image",
    "resolve_source",
    "source_of",
]


def known_sources() -> dict[str, str]:
    """Every source there is, those behind installed packages' entry points included, and what it is."""
    installed = {point.name: point.value for point in importlib.metadata.entry_points(group=GROUP)}
    return installed | DESCRIPTIONS


def source_of(card: Card) -> Source:
    """The source of a card; raises CardError where it is not known, or has no such field."""
    found = _find(card)
    for field in card.source:
        if field not in (*found.options, "megabytes"):
            raise source_error(
                card, field, f"is not known to source '{card.kind}'; known: {', '.join(found.options) or 'none'}"
            )
    return found


def _find(card: Card) -> Source:
    if card.kind in SOURCES:
        found: Source = importlib.import_module(SOURCES[card.kind]).SOURCE
        return found
    for point in importlib.metadata.entry_points(group=GROUP, name=card.kind):
        try:
            loaded = point.load()
        except Exception as problem:  # a module may do anything while it is imported
            raise InputError(
                f"source '{card.kind}' cannot be loaded from {point.value}: {type(problem).__name__}: {problem}; mend or uninstall it"
            ) from None
        if not isinstance(loaded, Source):
            raise InputError(
                f"source '{card.kind}' ({point.value}) is no benchmark.sources.Source; mend or uninstall it"
            )
        return loaded
    raise CardError(f"{card_path(card)}: [source]: {unknown_name('source', card.kind, known_sources())}")


def resolve_source(card: Card, wanted: str | None = None) -> Card:
    """The card with one of its sources chosen: the wanted kind where it has it, else the first whose files are here, else the first."""
    if wanted and wanted not in known_sources():
        raise unknown_name("source", wanted, known_sources())
    candidates = [replace(card, kind=kind, source=given) for kind, given in card.sources]
    if len(candidates) < 2:
        return card
    chosen = next((c for c in candidates if c.kind == wanted), None)
    return chosen or next((c for c in candidates if source_of(c).present(c)), candidates[0])


def fetch(card: Card, say: Report) -> None:
    """Bring a task's images to this machine. Where that fails the message says where else they are."""
    try:
        source_of(card).fetch(card, say)
    except InputError as problem:
        others = [f"source '{kind}'" for kind, _ in card.sources if kind != card.kind]
        elsewhere = ", ".join([*others, *([card.homepage] if card.homepage else [])])
        raise InputError(f"{problem}" + (f"; elsewhere: {elsewhere}" if elsewhere else "")) from None


def load(card: Card, split: str) -> Examples:
    """The samples of a split, checked against the card: their number, their labels, and in train that every class is there."""
    if not card.sizes[split]:
        raise InputError(
            f"{card_path(card)}: has no {split} images, since it is for evaluation only; take another task"
        )
    examples = source_of(card).examples(card, split)
    if len(examples.labels) != card.sizes[split] or len(examples.images) != card.sizes[split]:
        raise InputError(
            f"{card_path(card)}: {split} should have {card.sizes[split]} images, found {len(examples.images)} with {len(examples.labels)} labels"
        )
    absent = set(range(len(card.classes))) - set(np.unique(examples.labels).tolist())
    if split == "train" and absent:
        raise InputError(
            f"{card_path(card)}: no image of class '{card.classes[min(absent)]}' in train; a class needs some"
        )
    return examples
