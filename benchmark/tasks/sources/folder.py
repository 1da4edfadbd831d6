"""folder: image files on disk, in one folder per class, or listed in a CSV of paths and labels."""

import csv
import hashlib
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmark.errors import CardError, InputError
from benchmark.tasks.cards import SPLITS, Card
from benchmark.tasks.sources.base import (
    SUFFIXES,
    Examples,
    Labels,
    Report,
    Source,
    card_path,
    relative_path,
    root_of,
    source_error,
    table_field,
    text_field,
)
from benchmark.tasks.sources.splits import declared_parts, part_of, rows_of, stratified_order
from leaderboard.regular_files import TABLE_BYTES, read_bytes

Part = tuple[list[Path], Labels]


def image_files(folder: Path) -> list[Path]:
    """The files of a folder with the suffix of an image, sorted by name."""
    return sorted(p for p in folder.glob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def _root(card: Card) -> Path:
    root = root_of(card)
    if not root.is_dir():
        hint = f"; the files are at {card.homepage}" if card.homepage else ""
        raise source_error(
            card,
            "path",
            f"is '{card.source['path']}', and {root} is not a folder; give a folder with one sub-folder per class, or with a CSV{hint}",
        )
    return root


def _class_folders(card: Card, root: Path) -> Part:
    """All images below the class folders of `root`, class by class."""
    folders = card.source.get("folders", list(card.classes))
    if not isinstance(folders, list) or [type(f) for f in folders] != [str] * len(card.classes):
        raise source_error(
            card, "folders", f"should name one folder for each of the {len(card.classes)} classes, in their order"
        )
    excluded = card.source.get("without", [])
    if not isinstance(excluded, list) or any(type(name) is not str for name in excluded):
        raise source_error(card, "without", f"should list files to leave out, as FOLDER/FILE, found {excluded!r}")
    files: list[Path] = []
    labels: list[int] = []
    for k, name in enumerate(folders):
        relative_path(card, "folders", name)
        # `without` has the unreadable images that `card_from_folder` skipped
        images = [p for p in image_files(root / name) if f"{name}/{p.name}" not in excluded]
        if len(images) < 2:
            raise InputError(
                f"{root / name}: {len(images)} images for class '{card.classes[k]}'; a class needs at least 2"
            )
        files += images
        labels += [k] * len(images)
    return files, np.array(labels, np.int64)


def _listed(card: Card, root: Path, part: str) -> Part:
    """The rows of the CSV that belong to a part."""
    path = root / text_field(card, "csv")
    # the label column may have codes in place of class names
    names = card.source.get("values", list(card.classes))
    if not isinstance(names, list) or [type(name) for name in names] != [str] * len(card.classes):
        raise source_error(
            card, "values", f"should list the label column's value for each of the {len(card.classes)} classes"
        )
    label_of = {name: k for k, name in enumerate(names)}
    # a column of class numbers needs no `values`, unless the class names are numbers themselves
    numbers_allowed = not any(name.isdecimal() for name in names)
    image, label = text_field(card, "image", "{path}"), text_field(card, "label", "label")
    split, date = card.source.get("split", ""), card.source.get("dated", "")
    bounds = table_field(card, "dates").get(part, ["", "~"])  # ISO dates compare as strings; "~" sorts after them
    if not (isinstance(bounds, list) and [type(day) for day in bounds] == [str, str]):
        raise source_error(
            card, f"dates.{part}", f"should be the first day and the first day after the last, found {bounds!r}"
        )
    rows, base = _read_csv(path), root.resolve()
    for column in (label, *([split] if split else []), *([date] if date else [])):
        if rows and column not in rows[0]:
            raise InputError(
                f"{path}: has no column '{column}', which {card_path(card)} names; columns: {', '.join(map(str, rows[0]))}"
            )
    files: list[Path] = []
    labels: list[int] = []
    for number, row in enumerate(rows):
        # 'all' takes every row, whatever its split
        if part != "all" and (row.get(split) if split else None) != card.source[part]:
            continue
        if date and not bounds[0] <= (row.get(date) or "") < bounds[1]:
            continue
        line = number + 2  # counted from 1, after the header
        try:
            # any column can be part of the path; {row} is the number of the row
            relative = image.format_map({**row, "row": number})
        except (KeyError, IndexError, ValueError) as problem:
            raise InputError(
                f"{path}: `image = {image!r}` of {card_path(card)} cannot be filled in from line {line} ({problem}); "
                f"columns: {', '.join(map(str, row))}"
            ) from None
        name = (row[label] or "").strip()
        if name not in label_of and not (numbers_allowed and name.isdecimal() and int(name) < len(names)):
            raise InputError(f"{path}: line {line} has label '{name}', which is not a class of {card_path(card)}")
        if ".." in Path(relative).parts or Path(relative).is_absolute():
            raise InputError(f"{path}: line {line} names {relative}, which is outside {root}; give paths inside it")
        files.append(base / relative)
        labels.append(label_of[name] if name in label_of else int(name))
    return files, np.array(labels, np.int64)


def _read_csv(path: Path) -> list[dict[str, str]]:
    try:
        # "utf-8-sig" skips the byte order mark that spreadsheets write
        text = read_bytes(path, TABLE_BYTES).decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(text, newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise InputError(f"{path}: cannot be read as a CSV of images and labels ({problem})") from None


def _split_files(card: Card, split: str) -> Part:
    """The files of a split. With parts or a CSV the sizes must be exact; from plain class folders the card's number is drawn."""
    # three layouts: class folders, class folders in a folder per part, and a CSV
    root, parts = _root(card), declared_parts(card)
    if not parts and "csv" not in card.source:
        files, labels = _class_folders(card, root)
        needed = sum(card.sizes.values())
        if needed > len(files):
            raise CardError(
                f"{card_path(card)}: [splits] need {needed} samples, but there are only {len(files)}; lower the sizes"
            )
        start = sum(card.sizes[s] for s in SPLITS[: SPLITS.index(split)])
        # sorted: files in the order of the class folders
        rows = np.sort(stratified_order(f"folder/{card.name}", labels)[start : start + card.sizes[split]])
    else:
        part = part_of(card, split, parts or ["all"])
        if "csv" in card.source:
            files, labels = _listed(card, root, part)
        else:
            files, labels = _class_folders(card, root / relative_path(card, part, text_field(card, part)))
        rows = rows_of(card, split, parts or ["all"], labels, f"{root}: {part}")
    return [files[i] for i in rows], labels[rows]


def _examples(card: Card, split: str) -> Examples:
    return Examples(*_split_files(card, split))


def _sample_digest(card: Card, split: str) -> str:
    """SHA-256 of name, size, modification time and label of every file, in order."""
    files, labels = _split_files(card, split)
    return _digest(zip(files, map(int, labels), strict=True))


def _digest(samples: Iterable[tuple[Path, int]]) -> str:
    total = hashlib.sha256()
    for file, label in samples:
        try:
            stat = file.stat()
        except OSError:
            raise InputError(f"{file}: is listed, but there is no such file; correct the list") from None
        entry = f"{file.parent.name}/{file.name}\0{stat.st_size}\0{stat.st_mtime_ns}\0{label}\n"
        total.update(entry.encode(errors="surrogateescape"))  # file names need not be UTF-8
    return total.hexdigest()


def _present(card: Card) -> bool:
    return root_of(card).is_dir()


def _fetch(card: Card, report: Report) -> None:
    """Nothing can be downloaded; raises CardError if the folder is missing."""
    _root(card)


SOURCE = Source(
    _examples,
    description="image files in one folder per class, or listed in a CSV",
    options=(
        *("path", "folders", "without", "csv", "image", "label", "values", "split", "dated", "dates"),
        *("all", "train", "val", "test", "sample"),
    ),
    sample_digest=_sample_digest,
    present=_present,
    fetch=_fetch,
)
