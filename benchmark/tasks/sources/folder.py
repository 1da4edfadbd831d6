"""folder: image files on disk, in one folder per class, or listed in a CSV of paths and labels."""

import csv
import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmark.errors import CardError, InputError
from benchmark.tasks.cards import SPLITS, Card
from benchmark.tasks.sources.base import (
    SUFFIXES,
    Examples,
    Labels,
    Source,
    card_path,
    relative_path,
    root_of,
    source_error,
    table_field,
    text_field,
)
from benchmark.tasks.sources.splits import deal, held, part_of, rows_of

Part = tuple[list[Path], Labels]


def image_files(folder: Path) -> list[Path]:
    """The files of a folder that have the suffix of an image, in the order of their names."""
    return sorted(p for p in folder.glob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def _root(card: Card) -> Path:
    root = root_of(card)
    if not root.is_dir():
        more = f"; the files are at {card.homepage}" if card.homepage else ""
        raise source_error(
            card,
            "path",
            f"is '{card.source['path']}', and {root} is not a folder; give a folder with one sub-folder per class, or with a CSV{more}",
        )
    return root


def _class_folders(card: Card, root: Path) -> Part:
    folders = card.source.get("folders", list(card.classes))
    if not isinstance(folders, list) or [type(f) for f in folders] != [str] * len(card.classes):
        raise source_error(
            card, "folders", f"should name one folder for each of the {len(card.classes)} classes, in their order"
        )
    without = card.source.get("without", [])
    if not isinstance(without, list) or any(type(name) is not str for name in without):
        raise source_error(card, "without", f"should list files to leave out, as FOLDER/FILE, found {without!r}")
    files: list[Path] = []
    labels: list[int] = []
    for k, name in enumerate(folders):
        relative_path(card, "folders", name)
        found = [p for p in image_files(root / name) if f"{name}/{p.name}" not in without]
        if len(found) < 2:
            raise InputError(
                f"{root / name}: {len(found)} images for class '{card.classes[k]}'; a class needs at least 2"
            )
        files += found
        labels += [k] * len(found)
    return files, np.array(labels, np.int64)


def _listed(card: Card, root: Path, part: str) -> Part:
    """The rows of the CSV that belong to a part."""
    path = root / text_field(card, "csv")
    names = card.source.get("values", list(card.classes))
    if not isinstance(names, list) or [type(name) for name in names] != [str] * len(card.classes):
        raise source_error(
            card, "values", f"should say what the label column holds for each of the {len(card.classes)} classes"
        )
    place = {name: k for k, name in enumerate(names)}
    image, label, split = (
        text_field(card, "image", "{path}"),
        text_field(card, "label", "label"),
        card.source.get("split", ""),
    )
    files: list[Path] = []
    labels: list[int] = []
    dated = card.source.get("dated", "")
    bounds = table_field(card, "dates").get(part, ["", "~"])  # ISO dates compare as texts
    if not (isinstance(bounds, list) and [type(day) for day in bounds] == [str, str]):
        raise source_error(card, f"dates.{part}", f"should be the first day and the first one beyond, found {bounds!r}")
    by_number = not any(name.isdecimal() for name in names)
    rows, base = _csv(path), root.resolve()
    for column in (label, *([split] if split else []), *([dated] if dated else [])):
        if rows and column not in rows[0]:
            raise InputError(
                f"{path}: has no column '{column}', which {card_path(card)} asks for; columns: {', '.join(map(str, rows[0]))}"
            )
    for number, row in enumerate(rows):
        if part != "all" and (row.get(split) if split else None) != card.source[part]:
            continue
        if dated and not bounds[0] <= (row.get(dated) or "") < bounds[1]:
            continue
        try:
            relative = image.format_map({**row, "row": number})
        except (KeyError, IndexError, ValueError) as problem:
            raise InputError(
                f"{path}: `image = {image!r}` of {card_path(card)} cannot be filled in from line {number + 2} ({problem}); "
                f"columns: {', '.join(map(str, row))}"
            ) from None
        name = (row[label] or "").strip()
        if name not in place and not (by_number and name.isdecimal() and int(name) < len(names)):
            raise InputError(f"{path}: line {number + 2} has label '{name}', which is no class of {card_path(card)}")
        file = base / relative
        if ".." in Path(relative).parts or Path(relative).is_absolute():
            raise InputError(f"{path}: line {number + 2} leads out of {root} ({relative}); give paths below it")
        files.append(file)
        labels.append(place[name] if name in place else int(name))
    return files, np.array(labels, np.int64)


def _csv(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise InputError(f"{path}: cannot be read as a CSV of images and labels ({problem})") from None


def _in_split(card: Card, split: str) -> Part:
    """The files of a split. With parts (or a CSV) sizes must fit; plain class folders give as many as the card asks for."""
    root, parts = _root(card), held(card)
    if not parts and "csv" not in card.source:
        files, labels = _class_folders(card, root)
        needed = sum(card.sizes.values())
        if needed > len(files):
            raise CardError(
                f"{card_path(card)}: [splits] ask for {needed} samples, but there are {len(files)}; lower the sizes"
            )
        start = sum(card.sizes[s] for s in SPLITS[: SPLITS.index(split)])
        rows = np.sort(deal(f"folder/{card.name}", labels)[start : start + card.sizes[split]])
    else:
        part = part_of(card, split, parts or ["all"])
        if "csv" in card.source:
            files, labels = _listed(card, root, part)
        else:
            files, labels = _class_folders(card, root / relative_path(card, part, text_field(card, part)))
        rows = rows_of(card, split, parts or ["all"], labels, f"{root}: {part}")
    return [files[i] for i in rows], labels[rows]


def _examples(card: Card, split: str) -> Examples:
    return Examples(*_in_split(card, split))


def _sample_list(card: Card, split: str) -> str:
    files, labels = _in_split(card, split)
    return _digest(tuple(zip(files, map(int, labels), strict=True)))


def _digest(samples: Iterable[tuple[Path, int]]) -> str:
    total = hashlib.sha256()
    for file, label in samples:
        try:
            stat = file.stat()
        except OSError:
            raise InputError(f"{file}: is listed, but there is no such file; mend the list") from None
        total.update(
            f"{file.parent.name}/{file.name}\0{stat.st_size}\0{stat.st_mtime_ns}\0{label}\n".encode(
                errors="surrogateescape"
            )
        )
    return total.hexdigest()


def _present(card: Card) -> bool:
    return root_of(card).is_dir()


def _fetch(card: Card, say: object) -> None:
    _root(card)


SOURCE = Source(
    _examples,
    options=(
        "path",
        "folders",
        "without",
        "csv",
        "image",
        "label",
        "values",
        "split",
        "dated",
        "dates",
        "all",
        "train",
        "val",
        "test",
        "sample",
    ),
    sample_list=_sample_list,
    present=_present,
    fetch=_fetch,
)
