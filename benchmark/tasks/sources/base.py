"""What a source is, and how one image is read, whatever it lies in."""

import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import CardError, InputError
from benchmark.files import user_folder
from benchmark.tasks.cards import Card

Labels = NDArray[np.int64]
Report = Callable[[str], None]
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm"}
LARGEST = 64 * 2**20  # bytes of one encoded image


@dataclass(frozen=True)
class StoredImage:
    """An encoded image inside a larger file: `size` bytes from `offset`."""

    path: Path
    offset: int
    size: int
    name: str


@dataclass(frozen=True)
class LazyImage:
    """An image that a function gives as a PIL image."""

    open: Callable[[], Any]
    name: str


Item = Path | StoredImage | LazyImage | NDArray[np.uint8]


@dataclass(frozen=True)
class Examples:
    """One split of a task: images as uint8 (N, H, W, 3), or as N things that `read_image` reads; and labels (N,) in 0..C-1."""

    images: NDArray[np.uint8] | Sequence[Item]
    labels: Labels


@dataclass(frozen=True)
class Source:
    """Where a task's images come from. A package adds sources through the entry-point group `benchmark.tasks.sources`.

    examples(card, split): the samples; each call gives the same, in the same order.
    options: the fields that a card's [source] may have besides `kind`.
    version: of the images, as far as code and not files decide them.
    sample_list(card, split): names the samples cheaply, as something that JSON can hold, for the cache's keys.
    fetch(card, say): brings what is not on this machine; does nothing where everything is there, and goes on where it stopped.
    present(card): whether everything is on this machine.
    """

    examples: Callable[[Card, str], Examples]
    options: tuple[str, ...] = ()
    version: str = ""
    sample_list: Callable[[Card, str], Any] = lambda card, split: None
    fetch: Callable[[Card, Report], None] = lambda card, say: None
    present: Callable[[Card], bool] = lambda card: True


def data_folder() -> Path:
    """Where downloaded data sets lie: `$BENCHMARK_DATA`, else `transferability-benchmark/data` under the user's cache folder."""
    if given := os.environ.get("BENCHMARK_DATA"):
        return Path(given)
    return user_folder() / "data"


def read_image(item: Item) -> Any:
    """One image as an RGB PIL image. Raises InputError naming it, where it is damaged or grows beyond all bounds when decoded."""
    from PIL import Image

    try:
        if isinstance(item, np.ndarray):
            return Image.fromarray(item).convert("RGB")
        if isinstance(item, LazyImage):
            return _bounded(item.open()).convert("RGB")
        with Image.open(item if isinstance(item, Path) else io.BytesIO(_bytes(item))) as image:
            return _bounded(image).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as problem:
        raise InputError(f"{_named(item)}: cannot be read as an image ({problem}); mend or remove it") from None


def _bounded(image: Any) -> Any:
    """PIL warns of a decompression bomb only; a filter that made an error of that would hold for all threads."""
    from PIL import Image

    if Image.MAX_IMAGE_PIXELS and image.width * image.height > Image.MAX_IMAGE_PIXELS:
        raise ValueError(f"{image.width}x{image.height} pixels, a decompression bomb")
    return image


def _bytes(item: StoredImage) -> bytes:
    with item.path.open("rb") as file:
        file.seek(item.offset)
        return file.read(item.size)


def _named(item: Item) -> str:
    if isinstance(item, StoredImage):
        return f"{item.path}: {item.name}"
    return item.name if isinstance(item, LazyImage) else str(item) if isinstance(item, Path) else "an array"


# fields of a card's [source]


def card_path(card: Card) -> str:
    return f"{card.folder / card.name}.toml"


def source_error(card: Card, field: str, problem: str) -> CardError:
    return CardError(f"{card_path(card)}: [source]: field '{field}' {problem}")


def text_field(card: Card, field: str, default: str | None = None) -> str:
    value = card.source.get(field, default)
    if type(value) is not str or not value:
        raise source_error(
            card, field, f"should be a text, found {value!r}" if field in card.source else "is missing; add a text"
        )
    return value


def table_field(card: Card, field: str) -> dict[str, Any]:
    value = card.source.get(field, {})
    if not isinstance(value, dict):
        raise source_error(card, field, f"should be a table, found {value!r}")
    return value


def root_of(card: Card) -> Path:
    """The folder or file that `path` names: beside the card, or else in the folder of downloaded data."""
    path = text_field(card, "path")
    beside = (card.folder / path).resolve()
    return beside if beside.exists() else (data_folder() / path if (data_folder() / path).exists() else beside)


def relative_path(card: Card, field: str, name: str) -> str:
    """A relative path below the folder of the data; raises CardError for one that leads out of it."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise source_error(card, field, f"has '{name}', which leads out of the folder of the data")
    return name
