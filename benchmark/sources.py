"""Where a task's images come from. A source is a function from a card and a split to examples; `SOURCES` names them."""

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import fields as fields_of
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.cards import SPLITS, Card
from benchmark.errors import CardError, InputError, unknown
from benchmark.pocket import world
from benchmark.pocket.chance import uniforms

Labels = NDArray[np.int64]
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}


@dataclass(frozen=True)
class Examples:
    """One split of a task: images as uint8 (N, H, W, 3), or as paths to image files, and labels (N,) in 0..C-1."""

    images: NDArray[np.uint8] | list[Path]
    labels: Labels


@dataclass(frozen=True)
class Source:
    """`examples(card, split)` gives the samples; `sample_list(card, split)` names them cheaply, for the cache's keys.

    options: the fields that a card's [source] may have besides `kind`.  version: of the images, as far as code and not files
    decide them.
    """

    examples: Callable[[Card, str], Examples]
    options: tuple[str, ...] = ()
    version: str = ""
    sample_list: Callable[[Card, str], Any] = lambda card, split: None


def load(card: Card, split: str) -> Examples:
    return source(card).examples(card, split)


def source(card: Card) -> Source:
    if card.kind not in SOURCES:
        raise CardError(f"{card.folder / card.name}.toml: [source]: {unknown('source', card.kind, SOURCES)}")
    found = SOURCES[card.kind]
    for field in card.source:
        if field not in found.options:
            raise _bad(
                card, field, f"is not known to source '{card.kind}'; known: {', '.join(found.options) or 'none'}"
            )
    return found


def _bad(card: Card, field: str, problem: str) -> CardError:
    return CardError(f"{card.folder / card.name}.toml: [source]: field '{field}' {problem}")


def _text(card: Card, field: str) -> str:
    value = card.source.get(field, "")
    if type(value) is not str or not value:
        raise _bad(
            card, field, f"should be a text, found {value!r}" if field in card.source else "is missing; add a text"
        )
    return value


def _table(card: Card, field: str) -> dict[str, Any]:
    value = card.source.get(field, {})
    if not isinstance(value, dict):
        raise _bad(card, field, f"should be a table, found {value!r}")
    return value


# pocket: drawn by the pocket world


def class_sizes(n: int, classes: int, imbalance: float) -> list[int]:
    """Split n samples over classes whose sizes fall geometrically, the first `imbalance` times the last, each at least 2."""
    weights = np.array([imbalance ** (-k / max(1, classes - 1)) for k in range(classes)])
    sizes = np.maximum(2, np.floor(weights / weights.sum() * n).astype(int))
    for k in range(n - int(sizes.sum())):
        sizes[k % classes] += 1
    while sizes.sum() > n:
        sizes[int(sizes.argmax())] -= 1
    return [int(size) for size in sizes]


def _style(card: Card) -> world.Style:
    given = _table(card, "style")
    known = {field.name: type(field.default) for field in fields_of(world.Style)}
    for name, value in given.items():
        if name not in known:
            raise _bad(card, f"style.{name}", f"is not known; known: {', '.join(known)}")
        if type(value) is not known[name]:
            raise _bad(card, f"style.{name}", f"should be of type {known[name].__name__}, found {value!r}")
    return world.Style(**given)


def _pocket(card: Card, split: str) -> Examples:
    scene, attribute = _text(card, "scene"), _text(card, "attribute")
    if scene not in world.SCENES:
        raise _bad(card, "scene", f"is '{scene}'; known: {', '.join(world.SCENES)}")
    imbalance = card.source.get("imbalance", 1)
    if type(imbalance) not in (int, float) or not 1 <= imbalance <= 1000:
        raise _bad(card, "imbalance", f"should be a number in 1..1000, found {imbalance!r}")
    sizes = class_sizes(card.sizes[split], len(card.classes), float(imbalance))
    labels = np.repeat(np.arange(len(sizes)), sizes)
    key = f"task/{card.name}/{split}"
    labels = labels[np.argsort(uniforms(f"{key}/order", len(labels), 1)[:, 0], kind="stable")]
    attributes = {what: [name] * len(labels) for what, name in _table(card, "fixed").items()}
    attributes[attribute] = [card.classes[k] for k in labels]
    try:
        images = world.draw(scene, key, len(labels), attributes, _style(card))
    except KeyError as missing:
        raise CardError(
            f"{card.folder / card.name}.toml: {missing} is nothing that scene '{scene}' can draw; mend 'classes' or '[source.fixed]'"
        ) from None
    return Examples(images, labels)


# digits: scikit-learn's handwritten digits, 8x8, enlarged to 32x32


def _digits(card: Card, split: str) -> Examples:
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.argsort(uniforms("task/digits/order", len(digits.target), 1)[:, 0], kind="stable")
    rows = _share(card, order)[split]
    gray = np.floor(digits.images[rows] * (255 / 16) + 0.5).astype(np.uint8)
    return Examples(np.repeat(gray.repeat(4, 1).repeat(4, 2)[..., None], 3, 3), digits.target[rows].astype(np.int64))


def _share(card: Card, order: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    needed = sum(card.sizes.values())
    if needed > len(order):
        raise CardError(
            f"{card.folder / card.name}.toml: [splits] ask for {needed} samples, but there are {len(order)}; lower the sizes"
        )
    bounds = np.cumsum([card.sizes[split] for split in SPLITS])
    return dict(zip(SPLITS, np.split(order[:needed], bounds[:-1]), strict=True))


# folder: one folder of image files per class


def image_files(folder: Path) -> list[Path]:
    """The files of a folder that have the suffix of an image, in the order of their names."""
    return sorted(p for p in folder.glob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def _folder_files(card: Card) -> tuple[list[Path], Labels]:
    path = _text(card, "path")
    root = (card.folder / path).resolve()
    folders = card.source.get("folders", list(card.classes))
    if not isinstance(folders, list) or [type(f) for f in folders] != [str] * len(card.classes):
        raise _bad(
            card, "folders", f"should name one folder for each of the {len(card.classes)} classes, in their order"
        )
    if not root.is_dir():
        raise _bad(
            card, "path", f"is '{path}', and {root} is not a folder; give a folder with one sub-folder per class"
        )
    without = card.source.get("without", [])
    if not isinstance(without, list) or any(type(name) is not str for name in without):
        raise _bad(card, "without", f"should list files to leave out, as FOLDER/FILE, found {without!r}")
    files: list[Path] = []
    labels: list[int] = []
    for k, name in enumerate(folders):
        found = [p for p in image_files(root / name) if f"{name}/{p.name}" not in without]
        if len(found) < 2:
            raise InputError(
                f"{root / name}: {len(found)} images for class '{card.classes[k]}'; a class needs at least 2"
            )
        files += found
        labels += [k] * len(found)
    return files, np.array(labels, np.int64)


def _folder_split(card: Card, split: str) -> tuple[list[Path], Labels, Path]:
    """A seeded, class-balanced cut: samples are dealt out class by class, so that each split has every class."""
    files, labels = _folder_files(card)
    u = uniforms(f"folder/{card.name}", len(files), 1)[:, 0]
    place = np.empty(len(files), np.float64)
    for k in np.unique(labels):
        at = np.flatnonzero(labels == k)
        place[at[np.argsort(u[at], kind="stable")]] = (np.arange(len(at)) + 0.5) / len(at)
    rows = np.sort(_share(card, np.argsort(place, kind="stable"))[split])
    return [files[i] for i in rows], labels[rows], Path(card.source["path"])


def _folder(card: Card, split: str) -> Examples:
    files, labels, _ = _folder_split(card, split)
    return Examples(files, labels)


def _folder_list(card: Card, split: str) -> Any:
    files, labels, _ = _folder_split(card, split)
    digest = hashlib.sha256()
    for file, label in zip(files, labels, strict=True):
        stat = file.stat()
        digest.update(
            f"{file.parent.name}/{file.name}\0{stat.st_size}\0{stat.st_mtime_ns}\0{label}\n".encode(
                errors="surrogateescape"
            )
        )
    return digest.hexdigest()


def read_image(path: Path) -> Any:
    """One image file as an RGB PIL image. Raises InputError naming the file."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombWarning, Image.DecompressionBombError) as problem:
        raise InputError(f"{path}: cannot be read as an image ({problem}); mend or remove it") from None


SOURCES: dict[str, Source] = {
    "pocket": Source(
        _pocket, options=("scene", "attribute", "fixed", "style", "imbalance"), version=f"world {world.VERSION}"
    ),
    "digits": Source(_digits, version="scikit-learn"),
    "folder": Source(_folder, options=("path", "folders", "without"), sample_list=_folder_list),
}
