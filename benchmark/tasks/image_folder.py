"""A card for the user's own folder of images, with one sub-folder per class."""

import csv
from collections.abc import Iterable
from pathlib import Path

from benchmark.errors import InputError
from benchmark.tasks.cards import Card
from benchmark.tasks.sources import SUFFIXES, image_files, read_image
from leaderboard.regular_files import TEXT_BYTES, read_text

LAYOUT = "give a folder with one sub-folder of images per class"
MAX_UNREADABLE = 0.1  # share of unreadable images that `recommend` skips and reports; more is an error


def card_from_folder(
    path: Path,
    template: str = "a photo of a {c}",
    names: Path | None = None,
    *,
    max_unreadable: float = MAX_UNREADABLE,
) -> tuple[Card, list[str]]:
    """The card of a folder, with all readable images in its train split, and one line for each image that was skipped.

    max_unreadable: share of images that may be skipped.
    names: a CSV of lines `folder,class name`; otherwise the name of a folder, with spaces for underscores, is the class name.
    Raises InputError if there is no such folder, it is not laid out by class, or it has fewer than two classes of two images.
    """
    if "{c}" not in template:
        raise InputError(f"template '{template}' does not contain {{c}}, the place of the class name")
    folders = _class_folders(path)
    # label k is the k-th folder in sorted order
    folder_names = [folder.name for folder in folders]
    classes = _read_names(names, folder_names) if names else [_class_name(name) for name in folder_names]
    if len(set(classes)) < len(classes):
        duplicate = next(name for name in classes if classes.count(name) > 1)
        raise InputError(f"{path}: two classes have the name '{duplicate}'; give them different names by --names")
    skipped: list[str] = []
    excluded: list[str] = []  # the same images, as FOLDER/FILE
    count = 0
    for folder in folders:
        files = image_files(folder)
        unreadable = dict(_unreadable(files))
        skipped += unreadable.values()
        excluded += [f"{folder.name}/{name}" for name in unreadable]
        readable = len(files) - len(unreadable)
        count += readable
        # scorers of within-class variance need two images of each class
        if readable < 2:
            detail = (
                f" that can be read ({len(unreadable)} cannot: {next(iter(unreadable.values()))})" if unreadable else ""
            )
            raise InputError(
                f"{folder}: {_count(readable)}{detail}; a class needs at least 2 (suffixes {', '.join(sorted(SUFFIXES))})"
            )
    if len(skipped) > max_unreadable * (count + len(skipped)):
        raise InputError(
            f"{path}: {len(skipped)} of {count + len(skipped)} images cannot be read, more than {max_unreadable:.0%}, the first: "
            f"{skipped[0]}; fix or remove them"
        )
    root = path.resolve()
    source = {"path": root.name, "folders": folder_names}
    card = Card(
        name=root.name,
        title=f"images of {root.name}",
        group="own",
        classes=tuple(classes),
        templates=(template,),
        licence="not stated",
        citation="none",
        # scorers read the train split only
        sizes={"train": count, "val": 0, "test": 0},
        kind="folder",
        source=source | ({"without": excluded} if excluded else {}),
        folder=root.parent,
    )
    return card, skipped


def _count(n: int) -> str:
    return "no image" if n == 0 else "one image" if n == 1 else f"{n} images"


def _class_folders(path: Path) -> list[Path]:
    """The sub-folders, sorted by name, without hidden ones; raises InputError if there are fewer than two."""
    if not path.exists():
        raise InputError(f"{path}: there is no such folder; {LAYOUT}")
    if not path.is_dir():
        raise InputError(f"{path}: is a file; {LAYOUT}")
    folders = []
    for entry in sorted(path.iterdir()):
        try:
            entry.name.encode()
        except UnicodeEncodeError:  # class names go into UTF-8 files
            raise InputError(f"{path}: contains a name that is not UTF-8 ({entry.name!a}); rename it") from None
        try:
            entry.stat()
        except OSError as problem:
            raise InputError(f"{entry}: is a broken or circular link ({problem.strerror}); remove it") from None
        if entry.is_dir() and not entry.name.startswith("."):
            folders.append(entry)
    if not folders:
        raise InputError(f"{path}: has no sub-folders; {LAYOUT}")
    if len(folders) == 1:
        raise InputError(f"{path}: contains one class, '{folders[0].name}'; a task needs at least 2")
    return folders


def _class_name(folder_name: str) -> str:
    """Underscores become spaces; a name of underscores alone stays as it is."""
    return " ".join(folder_name.replace("_", " ").split()) or folder_name


def _read_names(file: Path, folders: list[str]) -> list[str]:
    """The class names of the folders, from a CSV; raises InputError if one is missing."""
    try:
        rows = [row for row in csv.reader(read_text(file, TEXT_BYTES).splitlines()) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise InputError(f"{file}: cannot be read as class names ({problem})") from None
    names = {}
    for number, row in enumerate(rows, 1):
        if len(row) != 2 or not row[1].strip():
            raise InputError(f"{file}: line {number} should be `folder,class name`, found {','.join(row)!r}")
        names[row[0].strip()] = row[1].strip()
    if missing := [folder for folder in folders if folder not in names]:
        raise InputError(f"{file}: has no class name for folder '{missing[0]}'; add a line `{missing[0]},NAME`")
    return [names[folder] for folder in folders]


def _unreadable(files: Iterable[Path]) -> Iterable[tuple[str, str]]:
    """(file name, problem) of each image that cannot be read."""
    for file in files:
        try:
            read_image(file)
        except InputError as error:
            yield file.name, error.problem
