"""Task cards: the TOML files in `datasets/`, each declaring one task."""

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

    `source` holds the options of the source named by `kind`: the first of `sources`, or whichever of them was settled on. `folder` is
    where the card lies, for paths relative to it. A task without train images is for evaluation only.
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
        """The class prompts, one list after another in template order: C x templates texts, class-major."""
        return [template.replace("{c}", name) for name in self.classes for template in self.templates]

    def fingerprint(self) -> dict[str, Any]:
        """Everything that decides which images and labels the task has."""
        return {
            "name": self.name,
            "classes": list(self.classes),
            "sizes": self.sizes,
            "kind": self.kind,
            "source": {field: value for field, value in self.source.items() if field != "megabytes"},
        }


def folder() -> Path:
    """Where the cards are: beside the package in a clone, inside it once installed."""
    here = Path(__file__).parent.parent
    beside = here.parent / "datasets"
    return beside if (beside / "digits.toml").exists() else here / "datasets"


def card_names() -> list[str]:
    return sorted(path.stem for path in folder().glob("*.toml"))


def load(name: str, base: Path | None = None) -> Card:
    """The card of a task: a name of `datasets/`, or a path ending in .toml relative to `base`.

    Raises CardError for a bad card, UsageError for an unknown name.
    """
    if name.endswith(".toml"):
        return read((base or Path()) / name)
    path = folder() / f"{name}.toml"
    if not path.exists():
        raise unknown_name("task", name, card_names())
    return read(path)


def read(path: Path) -> Card:
    fields = Fields(str(path), read_toml(path, CardError), CardError)
    sizes = Fields(f"{path}: [splits]", fields.take("splits", dict), CardError)
    templates = fields.texts("templates")
    for template in templates:
        if "{c}" not in template:
            raise fields.fail("templates", f"has '{template}', which lacks {{c}}, the place of the class name")
    found = _sources(path, fields)
    card = Card(
        name=fields.take("name", str),
        title=fields.take("title", str),
        group=fields.take("group", str, "own"),
        classes=tuple(fields.texts("classes", least=2)),
        templates=tuple(templates),
        licence=fields.take("licence", str, "not stated"),
        citation=fields.take("citation", str, "none"),
        sizes={split: sizes.take(split, int) for split in SPLITS},
        kind=found[0][0],
        source=found[0][1],
        folder=path.parent,
        homepage=fields.take("homepage", str, ""),
        sources=found,
    )
    sizes.done()
    fields.done()
    if card.name != path.stem:
        raise fields.fail("name", f"is '{card.name}', but the file is called {path.name}; make them agree")
    for split, size in card.sizes.items():
        if size < len(card.classes) and not (size == 0 and split != "test" and card.evaluation_only):
            raise sizes.fail(split, f"is {size}: fewer samples than the {len(card.classes)} classes")
    return card


def _sources(path: Path, fields: Fields) -> tuple[tuple[str, dict[str, Any]], ...]:
    """[source], or the tables of [[source]], the best first."""
    given = fields.either("source", dict, list)
    found = []
    for entry in given if isinstance(given, list) else [given]:
        if not isinstance(entry, dict):
            raise fields.fail("source", f"should hold tables, found {entry!r}")
        source = Fields(f"{path}: [source]", entry, CardError)
        kind = source.take("kind", str)
        try:
            json.dumps(options := source.rest())
        except TypeError as problem:  # what TOML gives and JSON cannot has no place in a card
            raise source.fail("kind", f"stands beside a date or time, which no source takes ({problem})") from None
        found.append((kind, options))
    if not found:
        raise fields.fail("source", "is empty; say where the images come from")
    return tuple(found)
