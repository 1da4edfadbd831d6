"""Task cards: the TOML files in `datasets/`, each of which declares one task."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.errors import CardError, unknown_name
from benchmark.toml_fields import Fields, read_toml

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Card:
    """One task: its classes and prompts, the sizes of its splits, and where its images come from.

    classes: C class names; label k is the k-th.  templates: prompts with `{c}` in place of the class name.
    sizes: the number of images of each split. A task without train images is for evaluation only.
    kind, source: the selected source and its options.  sources: all (kind, options) pairs of the card, the preferred one first.
    folder: the folder of the card, which relative paths of its source start from.
    """

    name: str
    title: str
    group: str
    classes: tuple[str, ...]
    templates: tuple[str, ...]
    licence: str
    citation: str
    sizes: dict[str, int]
    kind: str
    source: dict[str, Any]
    folder: Path
    homepage: str = ""
    sources: tuple[tuple[str, dict[str, Any]], ...] = ()

    @property
    def evaluation_only(self) -> bool:
        return not self.sizes["train"]

    def prompts(self) -> list[str]:
        """The prompts of all classes: C x len(templates) strings, all prompts of the first class first."""
        return [template.replace("{c}", name) for name in self.classes for template in self.templates]

    def fingerprint(self) -> dict[str, Any]:
        """All fields that decide the images and labels of the task."""
        return {
            "name": self.name,
            "classes": list(self.classes),
            "sizes": self.sizes,
            "kind": self.kind,
            # the download size is information for the user only
            "source": {field: value for field, value in self.source.items() if field != "megabytes"},
        }


def folder() -> Path:
    """The folder of the cards: beside the package in a clone, inside it once installed."""
    package = Path(__file__).parent.parent
    # the wheel has the cards inside the package
    in_clone = package.parent / "datasets"
    return in_clone if (in_clone / "digits.toml").exists() else package / "datasets"


def card_names() -> list[str]:
    return sorted(path.stem for path in folder().glob("*.toml"))


def load(name: str, base: Path | None = None) -> Card:
    """The card of a task: the name of a card in `datasets/`, or a path that ends in .toml, relative to `base`.

    Raises CardError for an invalid card, UsageError for an unknown name.
    """
    if name.endswith(".toml"):
        return read((base or Path()) / name)
    path = folder() / f"{name}.toml"
    if not path.exists():
        raise unknown_name("task", name, card_names())
    return read(path)


def read(path: Path) -> Card:
    """Read and check a card; raises CardError with the file and the field."""
    fields = Fields(str(path), read_toml(path, CardError), CardError)
    sizes = Fields(f"{path}: [splits]", fields.take("splits", dict), CardError)
    templates = fields.take_strings("templates")
    for template in templates:
        if "{c}" not in template:
            raise fields.invalid("templates", f"contains '{template}' without {{c}}, the place of the class name")
    # the first source is preferred; `resolve_source` may select another
    sources = _read_sources(path, fields)
    kind, options = sources[0]
    card = Card(
        name=fields.take("name", str),
        title=fields.take("title", str),
        group=fields.take("group", str, "own"),
        classes=tuple(fields.take_strings("classes", minimum=2)),
        templates=tuple(templates),
        licence=fields.take("licence", str, "not stated"),
        citation=fields.take("citation", str, "none"),
        sizes={split: sizes.take(split, int) for split in SPLITS},
        kind=kind,
        source=options,
        folder=path.parent,
        homepage=fields.take("homepage", str, ""),
        sources=sources,
    )
    sizes.finish()
    fields.finish()
    # results refer to a task by its name, users to its card by the file
    if card.name != path.stem:
        raise fields.invalid("name", f"is '{card.name}', but the file is {path.name}; rename one of them")
    for split, size in card.sizes.items():
        # evaluation-only cards have test images only; every other split has at least one image per class
        may_be_empty = card.evaluation_only and split != "test"
        if size < len(card.classes) and not (size == 0 and may_be_empty):
            raise sizes.invalid(split, f"is {size}: fewer samples than the {len(card.classes)} classes")
    return card


def _read_sources(path: Path, fields: Fields) -> tuple[tuple[str, dict[str, Any]], ...]:
    """The (kind, options) pair of [source], or those of the tables [[source]], the preferred one first."""
    given = fields.take_any("source", dict, list)
    tables = given if isinstance(given, list) else [given]
    pairs = []
    for table in tables:
        if not isinstance(table, dict):
            raise fields.invalid("source", f"should contain tables, found {table!r}")
        source = Fields(f"{path}: [source]", table, CardError)
        kind = source.take("kind", str)
        # the source itself knows its options, and checks them when it is used
        options = source.take_all()
        try:
            json.dumps(options)
        except TypeError as problem:  # fingerprints are JSON; dates are the only TOML values that JSON does not have
            raise source.invalid(
                "kind", f"has a date or time as an option, which no source takes ({problem})"
            ) from None
        pairs.append((kind, options))
    if not pairs:
        raise fields.invalid("source", "is empty; add a table that declares where the images come from")
    return tuple(pairs)
