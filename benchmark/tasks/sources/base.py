"""The declaration of a source, the reading of one image, and the fields of a card's [source] table."""

import io
import lzma
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import CardError, InputError, first_line
from benchmark.files import user_folder
from benchmark.tasks.cards import Card
from leaderboard.regular_files import require_regular

Labels = NDArray[np.int64]  # (N,)
Report = Callable[[str], None]  # takes one line of progress
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm"}
# what decoders of images, arrays and archives raise on damaged files
READ_ERRORS = (
    *(OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, IndexError, AttributeError, OverflowError),
    *(RuntimeError, MemoryError, struct.error, zlib.error, lzma.LZMAError, tokenize.TokenError, zipfile.BadZipFile),
)
MAX_IMAGE_BYTES = 64 * 2**20  # of one encoded image


@dataclass(frozen=True)
class StoredImage:
    """An encoded image inside a larger file: `size` bytes from `offset`."""

    path: Path
    offset: int
    size: int
    name: str


@dataclass(frozen=True)
class LazyImage:
    """An image that a function returns as a PIL image."""

    open: Callable[[], Any]
    name: str


Item = Path | StoredImage | LazyImage | NDArray[np.uint8]


@dataclass(frozen=True)
class Examples:
    """One split of a task.

    images: uint8 (N, H, W, 3), or N items that `read_image` reads.  labels: (N,) integers in 0..C-1.
    """

    images: NDArray[np.uint8] | Sequence[Item]
    labels: Labels


@dataclass(frozen=True)
class Source:
    """Where a task's images come from. A package adds sources through the entry-point group `benchmark.sources`.

    examples(card, split): the samples; every call returns the same ones in the same order.
    description: one line for `list sources`.
    options: the fields that a card's [source] may have besides `kind`.
    version: the version of the images, if code rather than files decides them.
    sample_digest(card, split): a JSON value that identifies the samples, for cache keys; it must be cheap to compute.
    fetch(card, report): downloads the missing files; does nothing if all are present, and resumes an interrupted download.
    present(card): whether all files are on this machine.
    """

    examples: Callable[[Card, str], Examples]
    description: str = ""
    options: tuple[str, ...] = ()
    version: str = ""
    sample_digest: Callable[[Card, str], Any] = lambda card, split: None
    fetch: Callable[[Card, Report], None] = lambda card, report: None
    present: Callable[[Card], bool] = lambda card: True


def data_folder() -> Path:
    """The folder of downloaded data: `$BENCHMARK_DATA`, else `transferability-benchmark/data` in the user's cache folder."""
    if folder := os.environ.get("BENCHMARK_DATA"):
        return Path(folder)
    return user_folder() / "data"


def read_image(item: Item) -> Any:
    """One image as an RGB PIL image. Raises InputError, naming the image, if it is corrupt or a decompression bomb."""
    from PIL import Image

    try:
        if isinstance(item, np.ndarray):
            return Image.fromarray(item).convert("RGB")
        if isinstance(item, LazyImage):
            return _check_size(item.open()).convert("RGB")
        if isinstance(item, Path):
            require_regular(item, MAX_IMAGE_BYTES)
        with Image.open(item if isinstance(item, Path) else io.BytesIO(_read_bytes(item))) as image:
            # the header contains the size, so it is checked before any pixel is decoded
            return _check_size(image).convert("RGB")
    except (Image.DecompressionBombError, *READ_ERRORS) as problem:
        raise InputError(
            f"{_name(item)}: cannot be read as an image ({first_line(problem)})", "fix or remove it"
        ) from None


def _check_size(image: Any) -> Any:
    """The image itself; raises ValueError if it has more pixels than PIL's limit."""
    from PIL import Image

    # PIL only warns between its limit and twice its limit, and a warning filter is not thread-safe
    if Image.MAX_IMAGE_PIXELS and image.width * image.height > Image.MAX_IMAGE_PIXELS:
        raise ValueError(f"{image.width}x{image.height} pixels, a decompression bomb")
    return image


def _read_bytes(item: StoredImage) -> bytes:
    require_regular(item.path)
    with item.path.open("rb") as file:
        file.seek(item.offset)
        return file.read(item.size)


def _name(item: Item) -> str:
    if isinstance(item, StoredImage):
        return f"{item.path}: {item.name}"
    return item.name if isinstance(item, LazyImage) else str(item) if isinstance(item, Path) else "an array"


# Fields of a card's [source] table


def card_path(card: Card) -> str:
    return f"{card.folder / card.name}.toml"


def source_error(card: Card, field: str, problem: str) -> CardError:
    """The error for a field of [source]; the caller raises it."""
    return CardError(f"{card_path(card)}: [source]: field '{field}' {problem}")


def text_field(card: Card, field: str, default: str | None = None) -> str:
    """A non-empty string; required if there is no default."""
    value = card.source.get(field, default)
    if type(value) is not str or not value:
        problem = (
            f"should be a non-empty string, found {value!r}" if field in card.source else "is missing; add a string"
        )
        raise source_error(card, field, problem)
    return value


def table_field(card: Card, field: str) -> dict[str, Any]:
    """A table; empty if the field is missing."""
    value = card.source.get(field, {})
    if not isinstance(value, dict):
        raise source_error(card, field, f"should be a table, found {value!r}")
    return value


def root_of(card: Card) -> Path:
    """The folder or file that `path` names: relative to the card, else to the folder of downloaded data."""
    # the user's own data lie beside the card, downloaded data in the common folder
    path = text_field(card, "path")
    beside_card = (card.folder / path).resolve()
    downloaded = data_folder() / path
    return downloaded if downloaded.exists() and not beside_card.exists() else beside_card


def relative_path(card: Card, field: str, name: str) -> str:
    """The name, if it is a path inside the folder of the data; raises CardError otherwise."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise source_error(card, field, f"contains '{name}', which is outside the folder of the data")
    return name
