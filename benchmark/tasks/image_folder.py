"""Anybody's folder of images, one sub-folder per class, as a card."""

import csv
from collections.abc import Iterable
from pathlib import Path

from benchmark.errors import InputError
from benchmark.tasks.cards import Card
from benchmark.tasks.sources import SUFFIXES, image_files, read_image

LAYOUT = "give a folder with one sub-folder of images per class"
TOLERATED = 0.1  # share of unreadable images that is skipped and named; more is an error


def card_from_folder(
    path: Path, template: str = "a photo of a {c}", names: Path | None = None
) -> tuple[Card, list[str]]:
    """The card of a folder, with every readable image in its train split, and what was skipped: one line per unreadable image.

    names: a CSV of lines `folder,class name`; otherwise a folder's name, with spaces for underscores, names its class.
    Raises InputError where the folder is none, is not laid out by class, or holds too little to tell classes apart.
    """
    if "{c}" not in template:
        raise InputError(f"template '{template}' lacks {{c}}, the place of the class name")
    folders = _folders(path)
    called = _names(names, [folder.name for folder in folders]) if names else _from_folders(folders)
    if len(set(called)) < len(called):
        twice = next(name for name in called if called.count(name) > 1)
        raise InputError(f"{path}: two classes are called '{twice}'; give them names of their own (--names)")
    skipped: list[str] = []
    without: list[str] = []
    kept = 0
    for folder in folders:
        files = image_files(folder)
        bad = dict(_unreadable(files))
        skipped += bad.values()
        without += [f"{folder.name}/{name}" for name in bad]
        kept += len(files) - len(bad)
        if len(files) - len(bad) < 2:
            more = f" that can be read ({len(bad)} cannot: {next(iter(bad.values()))})" if bad else ""
            raise InputError(
                f"{folder}: {_count(len(files) - len(bad))}{more}; a class needs at least 2 (suffixes {', '.join(sorted(SUFFIXES))})"
            )
    if len(skipped) > TOLERATED * (kept + len(skipped)):
        raise InputError(
            f"{path}: {len(skipped)} of {kept + len(skipped)} images cannot be read, the first: {skipped[0]}; mend or remove them"
        )
    root = path.resolve()
    source = {"path": root.name, "folders": [folder.name for folder in folders]}
    card = Card(
        name=root.name,
        title=f"images of {root.name}",
        group="own",
        classes=tuple(called),
        templates=(template,),
        licence="not stated",
        citation="none",
        sizes={"train": kept, "val": 0, "test": 0},
        kind="folder",
        source=source | ({"without": without} if without else {}),
        folder=root.parent,
    )
    return card, skipped


def _count(n: int) -> str:
    return "no image" if n == 0 else "one image" if n == 1 else f"{n} images"


def _folders(path: Path) -> list[Path]:
    if not path.exists():
        raise InputError(f"{path}: there is no such folder; {LAYOUT}")
    if not path.is_dir():
        raise InputError(f"{path}: is a file; {LAYOUT}")
    folders = []
    for entry in sorted(path.iterdir()):
        try:
            entry.name.encode()
        except UnicodeEncodeError:
            raise InputError(f"{path}: holds a name that is not UTF-8 ({entry.name!a}); rename it") from None
        try:
            entry.stat()
        except OSError as problem:
            raise InputError(
                f"{entry}: is a link that leads nowhere or in a circle ({problem.strerror}); remove it"
            ) from None
        if entry.is_dir() and not entry.name.startswith("."):
            folders.append(entry)
    if not folders:
        raise InputError(f"{path}: has no sub-folders; {LAYOUT}")
    if len(folders) == 1:
        raise InputError(f"{path}: holds one class, '{folders[0].name}'; a task needs at least 2")
    return folders


def _from_folders(folders: Iterable[Path]) -> list[str]:
    return [" ".join(folder.name.replace("_", " ").split()) or folder.name for folder in folders]


def _names(file: Path, folders: list[str]) -> list[str]:
    try:
        rows = [row for row in csv.reader(file.read_text(encoding="utf-8").splitlines()) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise InputError(f"{file}: cannot be read as class names ({problem})") from None
    known = {}
    for number, row in enumerate(rows, 1):
        if len(row) != 2 or not row[1].strip():
            raise InputError(f"{file}: line {number} should be `folder,class name`, found {','.join(row)!r}")
        known[row[0].strip()] = row[1].strip()
    if missing := [folder for folder in folders if folder not in known]:
        raise InputError(f"{file}: does not name the class of folder '{missing[0]}'; add a line `{missing[0]},NAME`")
    return [known[folder] for folder in folders]


def _unreadable(files: Iterable[Path]) -> Iterable[tuple[str, str]]:
    for file in files:
        try:
            read_image(file)
        except InputError as problem:
            yield file.name, str(problem).removesuffix("; mend or remove it")
