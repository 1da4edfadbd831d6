"""Cutting what a source holds into the splits that a card declares, and checking that it is what the card says."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import CardError, InputError
from benchmark.tasks.cards import SPLITS, Card
from benchmark.tasks.hashed_random import uniforms
from benchmark.tasks.sources.base import Labels, card_path, source_error


def held(card: Card, hint: str = "") -> list[str]:
    """The parts that a source's fields name: 'all' to be cut, or those of train, val and test that there are.

    hint: how to name them, for a source that cannot do without.
    """
    parts = [part for part in ("all", *SPLITS) if part in card.source]
    if "all" in parts and len(parts) > 1:
        raise source_error(card, "all", f"stands beside '{parts[1]}'; give either everything or its splits")
    if hint and not parts:
        raise source_error(card, "train", f"is missing; {hint}")
    return parts


def part_of(card: Card, split: str, parts: Sequence[str]) -> str:
    """Which part of the source a split lies in: val is cut from train where it has no part of its own."""
    if "all" in parts:
        return "all"
    part = "train" if split == "val" and "val" not in parts else split
    if part not in parts:
        raise CardError(
            f"{card_path(card)}: [source] names no '{part}', where [splits] ask for {card.sizes[split]} images of {split}"
        )
    return part


def rows_of(card: Card, split: str, parts: Sequence[str], labels: Labels, what: str) -> NDArray[np.int64]:
    """The rows of a part that make up a split, seeded and class-balanced where it has to be cut.

    labels: of the whole part.  what: names the part in messages. The sizes must be what the card says, unless its [source] has
    `sample = true`: then as many are drawn. Raises InputError where they are not, or a label is none of the card's.
    """
    _check_labels(card, labels, what)
    sharing = [s for s in SPLITS if card.sizes[s] and part_of(card, s, parts) == part_of(card, split, parts)]
    asked = sum(card.sizes[s] for s in sharing)
    if asked != len(labels) and not (card.source.get("sample") is True and asked < len(labels)):
        raise InputError(
            f"{what}: {len(labels)} images, where {card_path(card)} expects {asked}; a broken download is removed and fetched again, "
            "other sizes go into [splits], and `sample = true` in [source] draws as many as they say"
        )
    if sharing == [split] and asked == len(labels):
        return np.arange(len(labels))
    dealt = deal(f"cut/{card.name}", labels)
    start = sum(card.sizes[s] for s in sharing[: sharing.index(split)])
    return np.sort(dealt[start : start + card.sizes[split]])


def deal(key: str, labels: Labels) -> NDArray[np.int64]:
    """All rows in an order of which every stretch has the classes in their proportions; the same for the same key."""
    u = uniforms(key, len(labels), 1)[:, 0]
    place = np.empty(len(labels), np.float64)
    for k in np.unique(labels):
        at = np.flatnonzero(labels == k)
        place[at[np.argsort(u[at], kind="stable")]] = (np.arange(len(at)) + 0.5) / len(at)
    return np.argsort(place, kind="stable")


def _check_labels(card: Card, labels: Labels, what: str) -> None:
    classes = len(card.classes)
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        raise InputError(
            f"{what}: image {wrong[0]} has label {labels[wrong[0]]}, but {card_path(card)} has {classes} classes, 0 to {classes - 1}"
        )


def check_names(card: Card, found: Sequence[str], what: str) -> None:
    """Raise InputError where class names that come with the data contradict the card: another number, or the same names in another order.

    Names that are found once in each list are compared; two at least must have changed their places, since one alone may be a word
    that the lists use for different classes.
    """
    if len(found) != len(card.classes):
        raise InputError(f"{what}: names {len(found)} classes, where {card_path(card)} has {len(card.classes)}")
    ours, theirs = [_plain(name) for name in card.classes], [_plain(name) for name in found]
    once = {name for name, n in Counter(ours).items() if n == 1} & {
        name for name, n in Counter(theirs).items() if n == 1
    }
    moved = [k for k, name in enumerate(theirs) if name in once and ours[k] != name and ours[k] in once]
    if len(moved) > 1:
        k = moved[0]
        raise InputError(
            f"{what}: class {k} is '{found[k]}' there and '{card.classes[k]}' in {card_path(card)}; the orders differ, and so do the labels"
        )


def _plain(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum()) or name


def digest(of: Any) -> str:
    """A short name of what JSON can hold, or of labels."""
    if isinstance(of, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(of, "<i8").tobytes()).hexdigest()[:32]
    return hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()[:12]
