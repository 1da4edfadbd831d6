"""pocket: images drawn by the pocket world."""

from dataclasses import fields as fields_of

import numpy as np

from benchmark.cards import Card
from benchmark.errors import CardError
from benchmark.pocket import world
from benchmark.pocket.chance import uniforms
from benchmark.sources.base import Examples, Source, bad, table, text, where


def class_sizes(n: int, classes: int, imbalance: float) -> list[int]:
    """Split n samples over classes whose sizes fall geometrically, the first `imbalance` times the last, each at least 2."""
    weights = np.array([imbalance ** (-k / max(1, classes - 1)) for k in range(classes)])
    sizes = np.maximum(2, np.floor(weights / weights.sum() * n).astype(int))
    for k in range(n - int(sizes.sum())):
        sizes[k % classes] += 1
    while sizes.sum() > n:
        sizes[int(sizes.argmax())] -= 1
    return [int(size) for size in sizes]


def _style(card: Card) -> world.Style:
    given = table(card, "style")
    known = {field.name: type(field.default) for field in fields_of(world.Style)}
    for name, value in given.items():
        if name not in known:
            raise bad(card, f"style.{name}", f"is not known; known: {', '.join(known)}")
        if type(value) is not known[name]:
            raise bad(card, f"style.{name}", f"should be of type {known[name].__name__}, found {value!r}")
    return world.Style(**given)


def _drawn(card: Card) -> tuple[str, ...]:
    """What the world calls each class: its name, or `drawn` where a person would say something else."""
    drawn = card.source.get("drawn", card.classes)
    if len(drawn) != len(card.classes) or not all(isinstance(name, str) for name in drawn):
        raise bad(
            card, "drawn", f"should name what to draw for each of the {len(card.classes)} classes, found {drawn!r}"
        )
    return tuple(drawn)


def _examples(card: Card, split: str) -> Examples:
    scene, attribute = text(card, "scene"), text(card, "attribute")
    if scene not in world.SCENES:
        raise bad(card, "scene", f"is '{scene}'; known: {', '.join(world.SCENES)}")
    imbalance = card.source.get("imbalance", 1)
    if type(imbalance) not in (int, float) or not 1 <= imbalance <= 1000:
        raise bad(card, "imbalance", f"should be a number in 1..1000, found {imbalance!r}")
    sizes = class_sizes(card.sizes[split], len(card.classes), float(imbalance))
    labels = np.repeat(np.arange(len(sizes)), sizes)
    key = f"task/{card.name}/{split}"
    labels = labels[np.argsort(uniforms(f"{key}/order", len(labels), 1)[:, 0], kind="stable")]
    attributes = {what: [name] * len(labels) for what, name in table(card, "fixed").items()}
    attributes[attribute] = [_drawn(card)[k] for k in labels]
    try:
        images = world.draw(scene, key, len(labels), attributes, _style(card))
    except KeyError as missing:
        raise CardError(
            f"{where(card)}: {missing} is nothing that scene '{scene}' can draw; mend 'classes' or '[source.fixed]'"
        ) from None
    return Examples(images, labels)


SOURCE = Source(
    _examples, options=("scene", "attribute", "fixed", "style", "imbalance", "drawn"), version=f"world {world.VERSION}"
)
