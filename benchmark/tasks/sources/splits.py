"""Cutting the parts of a source into the splits of a card, and checking labels and class names against the card."""

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


def declared_parts(card: Card, hint: str = "") -> list[str]:
    """The parts that [source] declares: 'all', which is cut into splits, or some of train, val and test.

    hint: how to declare them, for a source that requires at least one.
    """
    parts = [part for part in ("all", *SPLITS) if part in card.source]
    if "all" in parts and len(parts) > 1:
        raise source_error(card, "all", f"excludes '{parts[1]}'; declare either 'all' or the splits")
    if hint and not parts:
        raise source_error(card, "train", f"is missing; {hint}")
    return parts


def part_of(card: Card, split: str, parts: Sequence[str]) -> str:
    """The part of the source that contains a split: val is cut from train if it has no part of its own."""
    if "all" in parts:
        return "all"
    # test is never cut from train: published test sets stay as they are
    part = "train" if split == "val" and "val" not in parts else split
    if part not in parts:
        raise CardError(
            f"{card_path(card)}: [source] has no '{part}', but [splits] need {card.sizes[split]} images of {split}; add it"
        )
    return part


def rows_of(card: Card, split: str, parts: Sequence[str], labels: Labels, where: str) -> NDArray[np.int64]:
    """The rows of a part that make up a split; a part with several splits is cut pseudo-randomly and balanced over classes.

    labels: (N,) of the whole part.  where: the part, as messages name it. N must be the sum of the card's sizes, unless
    [source] has `sample = true`: then as many rows are drawn. Raises InputError otherwise, or for a label outside
    the card's classes.
    """
    _check_labels(card, labels, where)
    # all splits that share the part
    splits = [s for s in SPLITS if card.sizes[s] and part_of(card, s, parts) == part_of(card, split, parts)]
    needed = sum(card.sizes[s] for s in splits)
    if needed != len(labels) and not (card.source.get("sample") is True and needed < len(labels)):
        raise InputError(
            f"{where}: has {len(labels)} images, but {card_path(card)} expects {needed}; remove an incomplete download and fetch it "
            "again, or change [splits], or draw a sample of that size by `sample = true` in [source]"
        )
    # a part of its own: all rows in their order, nothing to cut
    if splits == [split] and needed == len(labels):
        return np.arange(len(labels))
    order = stratified_order(f"cut/{card.name}", labels)
    # the splits are consecutive runs of the stratified order, so they are disjoint and balanced
    start = sum(card.sizes[s] for s in splits[: splits.index(split)])
    return np.sort(order[start : start + card.sizes[split]])


def stratified_order(key: str, labels: Labels) -> NDArray[np.int64]:
    """A pseudo-random order of all rows in which every run of consecutive rows has about the class proportions of the whole.

    The m-th of n_c rows of class c is placed at (m + 1/2) / n_c, and the rows are sorted by place. `key` seeds the order.
    """
    # a random order within each class, the same on every machine
    u = uniforms(key, len(labels), 1)[:, 0]
    place = np.empty(len(labels), np.float64)
    for k in np.unique(labels):
        rows = np.flatnonzero(labels == k)
        # a rare class is spread as evenly as a frequent one
        place[rows[np.argsort(u[rows], kind="stable")]] = (np.arange(len(rows)) + 0.5) / len(rows)
    # stable: equal places, as of classes of equal size, keep the order of rows
    return np.argsort(place, kind="stable")


def _check_labels(card: Card, labels: Labels, where: str) -> None:
    classes = len(card.classes)
    invalid = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(invalid):
        raise InputError(
            f"{where}: image {invalid[0]} has label {labels[invalid[0]]}, but {card_path(card)} has {classes} classes, "
            f"0 to {classes - 1}"
        )


def check_class_names(card: Card, names: Sequence[str], where: str) -> None:
    """Raise InputError if the class names of the data contradict the card: their number differs, or the order of equal names.

    Only names that occur once in each list are compared. At least two must have changed their places, since a single one may be a
    word that the two lists use for different classes.
    """
    if len(names) != len(card.classes):
        raise InputError(
            f"{where}: has {len(names)} class names, but {card_path(card)} has {len(card.classes)} classes"
        )
    card_names, data_names = [_normalise(name) for name in card.classes], [_normalise(name) for name in names]
    unique = {name for name, count in Counter(card_names).items() if count == 1} & {
        name for name, count in Counter(data_names).items() if count == 1
    }
    # classes whose names are in both lists, but at another place
    moved = [
        k for k, name in enumerate(data_names) if name in unique and card_names[k] != name and card_names[k] in unique
    ]
    if len(moved) > 1:
        k = moved[0]
        raise InputError(
            f"{where}: class {k} is '{names[k]}', but '{card.classes[k]}' in {card_path(card)}; put the card's classes into the "
            "order of the data, which the labels follow"
        )


def _normalise(name: str) -> str:
    """Letters and digits in lower case, so that 'AnnualCrop' is 'annual crop'; a name without any stays as it is."""
    return "".join(sign for sign in name.casefold() if sign.isalnum()) or name


def json_digest(value: Any) -> str:
    """First 12 hexadecimal digits of the SHA-256 of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def labels_digest(labels: Labels) -> str:
    """First 32 hexadecimal digits of the SHA-256 of labels as little-endian 64-bit integers."""
    # "<i8" makes the bytes independent of the machine
    return hashlib.sha256(np.ascontiguousarray(labels, "<i8").tobytes()).hexdigest()[:32]
