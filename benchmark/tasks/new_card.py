"""Writing a card for a data set, from its class names, prompts and numbers of images."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark import files
from benchmark.errors import InputError, UsageError
from benchmark.tasks import cards, image_folder
from benchmark.tasks.sources.base import Report
from benchmark.tasks.sources.download import read_text
from benchmark.tasks.sources.tars import index
from benchmark.tasks.sources.webdataset import (
    COUNT,
    NAMES,
    TEMPLATES,
    class_names,
    download_folder,
    fetch_part,
    hub_url,
    shards,
    text_file,
)

VAL_SHARE = 0.1  # of the training images, if the data have no val split
MAX_UNREADABLE = 0.01  # share of images that a card leaves out, since they cannot be read
MAX_VAL = 5000  # images of that val split
TEST_SHARE = 0.2  # of all images, if the data have no splits
DEFAULT_TEMPLATE = "a photo of a {c}"


@dataclass(frozen=True)
class _Content:
    """What a card declares about the data: sizes are those of the splits, source is the card's [source] table."""

    classes: list[str]
    templates: list[str]
    sizes: dict[str, int]
    source: dict[str, Any]


def new_card(
    location: str,
    name: str,
    template: str | None,
    out: Path,
    report: Report = lambda text: None,
    *,
    max_unreadable: float = MAX_UNREADABLE,
) -> tuple[Path, str]:
    """Write OUT/NAME.toml for a folder of images by class, or for shards on disk, at an address, or on the Hub (hub:ORG/NAME).

    Shards at an address or on the Hub are downloaded first, to the folder in which the card's source expects them.
    max_unreadable: share of images in a folder that cannot be read and are left out; each is reported.
    Returns the card's path, and a line with the numbers of classes and images. Raises UsageError if the card exists already or
    the name is not valid as a file name.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise UsageError(f"--name {name}: should be letters, digits, _ - and dots, since it is the name of a file")
    path = out / f"{name}.toml"
    if path.exists():
        raise UsageError(f"{path}: exists already; remove it, or give another --name")
    if _is_remote(location):
        content = _read_remote_shards(location, name, report)
    elif _has_shards(Path(location)):
        content = _read_local_shards(Path(location), out)
    else:
        content = _read_folders(Path(location), out, report, max_unreadable)
    # a card that cannot be read back is not left behind
    files.write(path, _toml(name, content, [template] if template else content.templates))
    try:
        cards.read(path)
    except Exception:
        path.unlink()
        raise
    sizes = " + ".join(str(content.sizes[split]) for split in cards.SPLITS)
    return path, f"{len(content.classes)} classes, {sizes} images of train, val and test"


def _is_remote(location: str) -> bool:
    return location.startswith(("http://", "https://", "hub:"))


def _has_shards(folder: Path) -> bool:
    return folder.is_dir() and (any(folder.glob("*.tar")) or any(folder.glob("*/*.tar")))


def _read_remote_shards(location: str, name: str, report: Report) -> _Content:
    repo = location.removeprefix("hub:")
    source, url = (
        ({"hub": repo}, hub_url(repo)) if repo != location else ({"url": location.rstrip("/")}, location.rstrip("/"))
    )
    # the folder in which the source `webdataset` of the new card expects the shards
    root = download_folder(name, url)
    parts = [split for split in cards.SPLITS if read_text(f"{url}/{split}/{COUNT}") is not None]
    for part in parts:
        fetch_part(url, root, part, report)
    return _describe_shards(
        url, root, parts, source, texts=(read_text(f"{url}/{NAMES}"), read_text(f"{url}/{TEMPLATES}"))
    )


def _read_local_shards(folder: Path, out: Path) -> _Content:
    root = folder.resolve()
    # relative to the card, so that both can be moved together
    source = {"path": os.path.relpath(root, out.resolve())}
    parts = [split for split in cards.SPLITS if (root / split).is_dir()]
    # shards directly in the folder: no splits
    if not parts and shards(root, "."):
        parts = ["."]
    names, templates = (text_file(root / file) if (root / file).exists() else None for file in (NAMES, TEMPLATES))
    return _describe_shards(str(folder), root, parts, source, texts=(names, templates))


def _describe_shards(
    location: str, root: Path, parts: list[str], source: dict[str, Any], *, texts: tuple[str | None, str | None]
) -> _Content:
    """The content of shards on this machine.

    parts: sub-folders of `root`, or "." for shards without splits.  texts: the files of class names and of prompts, None if missing.
    """
    names_text, templates_text = texts
    if not parts:
        expected = ", ".join(f"{split}/{COUNT}" for split in cards.SPLITS)
        raise UsageError(f"{location}: has no {expected}; give the folder above the splits")
    if names_text is None:
        raise UsageError(
            f"{location}: has no {NAMES}; write it there first, one class name per line in the order of the labels"
        )
    classes = class_names(names_text)
    counts = {part: sum(len(index(path)[1]) for path in shards(root, part)) for part in parts}
    if parts == ["."]:
        sizes, fields = _cut(counts["."], len(classes)), {"all": "."}
    else:
        sizes, fields = {split: counts.get(split, 0) for split in cards.SPLITS}, {part: part for part in parts}
        if sizes["train"] and not sizes["val"]:
            # val is cut from train, and has at least one image per class
            sizes["val"] = max(len(classes), min(MAX_VAL, int(VAL_SHARE * sizes["train"])))
            sizes["train"] -= sizes["val"]
    return _Content(classes, _templates(templates_text), sizes, {"kind": "webdataset", **source, **fields})


def _read_folders(folder: Path, out: Path, report: Report, max_unreadable: float) -> _Content:
    card, skipped = image_folder.card_from_folder(folder, max_unreadable=max_unreadable)
    for problem in skipped:
        report(f"left out: {problem}")
    source = {"kind": "folder", **card.source, "path": os.path.relpath(folder.resolve(), out.resolve())}
    return _Content(list(card.classes), [DEFAULT_TEMPLATE], _cut(card.sizes["train"], len(card.classes)), source)


def _cut(n: int, classes: int) -> dict[str, int]:
    """Sizes of the splits of n images without splits."""
    # at least one image per class
    test, val = (max(classes, int(share * n)) for share in (TEST_SHARE, VAL_SHARE))
    if n - test - val < classes:
        raise InputError(
            f"{n} images of {classes} classes are too few for train, val and test; each split needs one of each class"
        )
    return {"train": n - test - val, "val": val, "test": test}


def _templates(text: str | None) -> list[str]:
    """The prompts of a file of CLIP_benchmark, which has the class name as {c} already."""
    return [line.strip() for line in (text or DEFAULT_TEMPLATE).splitlines() if "{c}" in line] or [DEFAULT_TEMPLATE]


def _toml(name: str, content: _Content, templates: list[str]) -> str:
    """The text of the card."""

    def value(item: Any) -> str:
        return json.dumps(item, ensure_ascii=False)  # for strings, numbers and lists of them, JSON is TOML

    def lines(items: list[str]) -> str:
        return "[\n" + "".join(f"    {value(item)},\n" for item in items) + "]"

    rows = [
        f"name = {value(name)}",
        f"title = {value(f'images of {name}')}",
        'group = "own"',
        f"classes = {lines(content.classes)}",
        f"templates = {lines(templates)}",
        'licence = "not stated"',
        'citation = "none"',
        "",
        "[splits]",
        *(f"{split} = {content.sizes[split]}" for split in cards.SPLITS),
        "",
        "[source]",
        *(f"{field} = {value(item)}" for field, item in content.source.items()),
    ]
    return "\n".join(rows) + "\n"
