"""Sources of images: `load` returns a split of a task, `fetch` downloads it, `resolve_source` selects one of a card's sources.

The sources of this package are declared in `SOURCES` like the entry points of installed packages, and are loaded the same way.
"""

import functools
from dataclasses import replace

import numpy as np

from benchmark.errors import CardError, InputError, unknown_name
from benchmark.plugins import Plugins, load_plugins
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
    "digits": "benchmark.tasks.sources.digits:SOURCE",
    "folder": "benchmark.tasks.sources.folder:SOURCE",
    "npz": "benchmark.tasks.sources.npz:SOURCE",
    "torchvision": "benchmark.tasks.sources.torchvision_sets:SOURCE",
    "webdataset": "benchmark.tasks.sources.webdataset:SOURCE",
    "huggingface": "benchmark.tasks.sources.huggingface:SOURCE",
}
COMMON_OPTIONS = ("megabytes",)  # size of the download, which `run --dry-run` shows

__all__ = [
    "SOURCES",
    "SUFFIXES",
    "Examples",
    "Item",
    "LazyImage",
    "Source",
    "StoredImage",
    "data_folder",
    "describe_sources",
    "fetch",
    "image_files",
    "load",
    "read_image",
    "resolve_source",
    "source_of",
]


@functools.cache
def _plugins(only: str | None = None) -> Plugins[Source]:
    """All sources, or the source of one name, so that a card does not import the packages of the others."""
    return load_plugins(GROUP, Source, SOURCES, only=only)


def describe_sources() -> dict[str, str]:
    """The description of every source, and for a source that could not be loaded the reason."""
    plugins = _plugins()
    return {name: source.description for name, source in plugins.items()} | plugins.failures


def source_of(card: Card) -> Source:
    """The source of a card. Raises CardError for an unknown source or option, InputError for a source that could not be loaded."""
    plugins = _plugins(card.kind)
    if card.kind in plugins.failures:
        raise InputError(f"{card_path(card)}: source '{card.kind}' {plugins.failures[card.kind]}")
    if card.kind not in plugins:
        raise CardError(f"{card_path(card)}: [source]: {unknown_name('source', card.kind, _plugins())}")
    source = plugins[card.kind]
    # a misspelled option would otherwise be ignored without notice
    for field in card.source:
        if field not in (*source.options, *COMMON_OPTIONS):
            options = ", ".join(source.options) or "none"
            raise source_error(card, field, f"is not an option of source '{card.kind}'; its options: {options}")
    return source


def resolve_source(card: Card, kind: str | None = None) -> Card:
    """The card with one of its sources selected.

    That is the source of the given kind if the card has it, else the first whose files are on this machine, else the first.
    """
    if kind and kind not in _plugins():
        raise unknown_name("source", kind, _plugins())
    candidates = [replace(card, kind=name, source=options) for name, options in card.sources]
    # most cards have one source, which is used without looking for its files
    if len(candidates) < 2:
        return card
    requested = next((candidate for candidate in candidates if candidate.kind == kind), None)
    return requested or next((c for c in candidates if source_of(c).present(c)), candidates[0])


def fetch(card: Card, report: Report) -> None:
    """Download the missing images of a task. Raises InputError, which also names the card's other sources."""
    try:
        source_of(card).fetch(card, report)
    except InputError as problem:
        # a server that is down is the usual reason, so other sources help
        others = [f"source '{kind}'" for kind, _ in card.sources if kind != card.kind]
        alternatives = ", ".join([*others, *([card.homepage] if card.homepage else [])])
        raise InputError(f"{problem}" + (f"; alternatives: {alternatives}" if alternatives else "")) from None


def load(card: Card, split: str) -> Examples:
    """The samples of a split. Raises InputError if their number is not that of the card, or a class has no train image."""
    if not card.sizes[split]:
        raise InputError(
            f"{card_path(card)}: has no {split} images, since it is for evaluation only; select another task"
        )
    examples = source_of(card).examples(card, split)
    if len(examples.labels) != card.sizes[split] or len(examples.images) != card.sizes[split]:
        raise InputError(
            f"{card_path(card)}: {split} should have {card.sizes[split]} images, "
            f"found {len(examples.images)} with {len(examples.labels)} labels"
        )
    # a class without train images has no statistics; val and test may miss rare classes
    missing = set(range(len(card.classes))) - set(np.unique(examples.labels).tolist())
    if split == "train" and missing:
        raise InputError(
            f"{card_path(card)}: train has no image of class '{card.classes[min(missing)]}'; each class needs at least one"
        )
    return examples
