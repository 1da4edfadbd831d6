"""pocket: images drawn by the pocket world."""

from dataclasses import fields as fields_of

import numpy as np

from benchmark.errors import CardError
from benchmark.pocket import world
from benchmark.tasks.cards import Card
from benchmark.tasks.hashed_random import uniforms
from benchmark.tasks.sources.base import Examples, Source, card_path, source_error, table_field, text_field


def class_sizes(n: int, classes: int, imbalance: float) -> list[int]:
    """Split n samples over classes whose sizes fall geometrically, the first `imbalance` times the last, each at least 2."""
    weights = np.array([imbalance ** (-k / max(1, classes - 1)) for k in range(classes)])
    sizes = np.maximum(2, np.floor(weights / weights.sum() * n).astype(int))
    for k in range(n - int(sizes.sum())):
        # the rest that rounding down left, to the first classes
        sizes[k % classes] += 1
    # the minimum of 2 can exceed n
    while sizes.sum() > n:
        sizes[int(sizes.argmax())] -= 1
    return [int(size) for size in sizes]


def _style(card: Card) -> world.Style:
    given = table_field(card, "style")
    known = {field.name: type(field.default) for field in fields_of(world.Style)}
    for name, value in given.items():
        if name not in known:
            raise source_error(card, f"style.{name}", f"is not known; known: {', '.join(known)}")
        # not isinstance, by which True would pass as a number
        if type(value) is not known[name]:
            raise source_error(card, f"style.{name}", f"should be of type {known[name].__name__}, found {value!r}")
    return world.Style(**given)


def _drawn_names(card: Card) -> tuple[str, ...]:
    """The name of each class in the world: its class name, or that in `drawn` where a prompt needs another word."""
    drawn = card.source.get("drawn", card.classes)
    if len(drawn) != len(card.classes) or not all(isinstance(name, str) for name in drawn):
        raise source_error(
            card, "drawn", f"should name what to draw for each of the {len(card.classes)} classes, found {drawn!r}"
        )
    return tuple(drawn)


def _examples(card: Card, split: str) -> Examples:
    scene, attribute = text_field(card, "scene"), text_field(card, "attribute")
    if scene not in world.SCENES:
        raise source_error(card, "scene", f"is '{scene}'; known: {', '.join(world.SCENES)}")
    imbalance = card.source.get("imbalance", 1)
    if type(imbalance) not in (int, float) or not 1 <= imbalance <= 1000:
        raise source_error(card, "imbalance", f"should be a number in 1..1000, found {imbalance!r}")
    sizes = class_sizes(card.sizes[split], len(card.classes), float(imbalance))
    labels = np.repeat(np.arange(len(sizes)), sizes)
    key = f"task/{card.name}/{split}"
    labels = labels[np.argsort(uniforms(f"{key}/order", len(labels), 1)[:, 0], kind="stable")]
    attributes = {what: [name] * len(labels) for what, name in table_field(card, "fixed").items()}
    attributes[attribute] = [_drawn_names(card)[k] for k in labels]
    try:
        images = world.draw(scene, key, len(labels), attributes, _style(card))
    except KeyError as missing:
        raise CardError(
            f"{card_path(card)}: {missing} cannot be drawn by scene '{scene}'; correct 'classes' or '[source.fixed]'"
        ) from None
    return Examples(images, labels)


SOURCE = Source(
    _examples,
    description="images drawn by the pocket world",
    options=("scene", "attribute", "fixed", "style", "imbalance", "drawn"),
    version=f"world {world.VERSION}",
)
