"""Writing the card of a data set from what lies beside its images: class names, prompts, sizes."""

import json
import os
import re
from pathlib import Path
from typing import Any

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
    fetch_part,
    fetched_folder,
    hub_address,
    shards,
)

HELD_OUT = 0.1  # share of the training images that becomes val, where the data have none
TEST = 0.2  # share that becomes test, where they have none
PLAIN = "a photo of a {c}"


def new_card(
    where: str, name: str, template: str | None, out: Path, say: Report = lambda text: None
) -> tuple[Path, str]:
    """Write NAME.toml for a folder of images by class, or for shards on disk, at an address, or on the Hub (hub:ORG/NAME).

    Returns the card's path and what was found in words. Raises UsageError where the card exists or the name is none for a file.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise UsageError(f"--name {name}: should be letters, digits, _ - and dots, since it names a file")
    path = out / f"{name}.toml"
    if path.exists():
        raise UsageError(f"{path}: is there already; remove it, or give another --name")
    if where.startswith(("http://", "https://", "hub:")) or _has_shards(Path(where)):
        classes, templates, sizes, source = _of_shards(where, name, out, say)
    else:
        classes, templates, sizes, source = _of_folders(Path(where), out)
    if template:
        templates = [template]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_toml(name, classes, templates, sizes, source), encoding="utf-8")
    try:
        cards.read(path)
    except Exception:
        path.unlink()
        raise
    return (
        path,
        f"{len(classes)} classes, {' + '.join(str(sizes[s]) for s in cards.SPLITS)} images of train, val and test",
    )


def _has_shards(folder: Path) -> bool:
    return folder.is_dir() and (any(folder.glob("*.tar")) or any(folder.glob("*/*.tar")))


Found = tuple[list[str], list[str], dict[str, int], dict[str, Any]]


def _of_shards(where: str, name: str, out: Path, say: Report) -> Found:
    """Fetches the shards of an address first; they stay where the card's source looks for them."""
    if where.startswith(("http://", "https://", "hub:")):
        source: dict[str, Any] = {"hub": where[4:]} if where.startswith("hub:") else {"url": where.rstrip("/")}
        base = hub_address(where[4:]) if where.startswith("hub:") else where.rstrip("/")
        root = fetched_folder(name, base)
        parts = [part for part in cards.SPLITS if read_text(f"{base}/{part}/{COUNT}") is not None]
        for part in parts:
            fetch_part(base, root, part, say)
        names, prompts = read_text(f"{base}/{NAMES}"), read_text(f"{base}/{TEMPLATES}")
    else:
        root, base = Path(where).resolve(), where
        source = {"path": os.path.relpath(root, out.resolve())}
        parts = [part for part in cards.SPLITS if (root / part).is_dir()]
        names, prompts = (
            (root / file).read_text(encoding="utf-8") if (root / file).exists() else None for file in (NAMES, TEMPLATES)
        )
        if not parts and shards(root, "."):
            parts = ["."]
    if not parts:
        raise UsageError(
            f"{base}: has no {', '.join(f'{part}/{COUNT}' for part in cards.SPLITS)}; give the folder above the splits"
        )
    if names is None:
        raise UsageError(
            f"{base}: has no {NAMES}, one class name per line in the order of the labels; write it there first"
        )
    counts = {part: sum(len(index(path)[1]) for path in shards(root, part)) for part in parts}
    if parts == ["."]:
        return (
            class_names(names),
            _prompts(prompts),
            _cut(counts["."], len(class_names(names))),
            {"kind": "webdataset", **source, "all": "."},
        )
    whole = {part: counts.get(part, 0) for part in cards.SPLITS}
    if whole["train"] and not whole["val"]:
        whole["val"] = max(len(class_names(names)), min(5000, int(HELD_OUT * whole["train"])))
        whole["train"] -= whole["val"]
    return (
        class_names(names),
        _prompts(prompts),
        whole,
        {"kind": "webdataset", **source, **{part: part for part in parts}},
    )


def _of_folders(folder: Path, out: Path) -> Found:
    found, _ = image_folder.card_from_folder(folder)
    source = {"kind": "folder", **found.source, "path": os.path.relpath(folder.resolve(), out.resolve())}
    return list(found.classes), [PLAIN], _cut(found.sizes["train"], len(found.classes)), source


def _cut(n: int, classes: int) -> dict[str, int]:
    test, val = (max(classes, int(share * n)) for share in (TEST, HELD_OUT))
    if n - test - val < classes:
        raise InputError(
            f"{n} images of {classes} classes are too few to be cut into train, val and test; each split needs one of each class"
        )
    return {"train": n - test - val, "val": val, "test": test}


def _prompts(written: str | None) -> list[str]:
    """CLIP_benchmark's prompts have the class as {c} already."""
    return [line.strip() for line in (written or PLAIN).splitlines() if "{c}" in line] or [PLAIN]


def _toml(name: str, classes: list[str], templates: list[str], sizes: dict[str, int], source: dict[str, Any]) -> str:
    def value(of: Any) -> str:
        return json.dumps(of, ensure_ascii=False)  # which TOML reads as well, for texts, numbers and lists of them

    def lines(of: list[str]) -> str:
        return "[\n" + "".join(f"    {value(one)},\n" for one in of) + "]"

    head = [f"name = {value(name)}", f"title = {value(f'images of {name}')}", 'group = "own"']
    head += [
        f"classes = {lines(classes)}",
        f"templates = {lines(templates)}",
        'licence = "not stated"',
        'citation = "none"',
    ]
    parts = ["", "[splits]", *(f"{split} = {sizes[split]}" for split in cards.SPLITS), "", "[source]"]
    return "\n".join([*head, *parts, *(f"{field} = {value(of)}" for field, of in source.items())]) + "\n"
