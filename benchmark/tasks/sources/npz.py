"""npz: arrays of images and labels in one NumPy file, whole or by split."""

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError
from benchmark.tasks.cards import Card
from benchmark.tasks.sources.base import Examples, Labels, Source, root_of
from benchmark.tasks.sources.splits import part_of, rows_of

LAYOUT = (
    "give `images` (N, H, W, 3) uint8 and `labels` (N), or both for each split, as `train_images` and `train_labels`"
)


def _arrays(path: Path, names: list[str]) -> list[NDArray[np.generic]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return [np.atleast_1d(file[name]) for name in names]
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as problem:
        raise InputError(f"{path}: cannot be read ({problem}); {LAYOUT}") from None


def _parts(path: Path) -> dict[str, str]:
    """Which parts the file holds, and what the names of their arrays begin with."""
    try:
        with np.load(path, allow_pickle=False) as file:
            names = set(file.files)
    except (OSError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as problem:
        raise InputError(f"{path}: cannot be read ({problem}); {LAYOUT}") from None
    found = {part: f"{part}_" for part in ("train", "val", "test") if f"{part}_images" in names}
    if "images" in names:
        found = {"all": ""}
    if not found:
        raise InputError(f"{path}: holds {', '.join(sorted(names)) or 'nothing'}; {LAYOUT}")
    return found


def _labels(card: Card, split: str) -> tuple[Path, str, NDArray[np.int64], Labels]:
    path = root_of(card)
    parts = _parts(path)
    part = part_of(card, split, list(parts))
    labels = _arrays(path, [f"{parts[part]}labels"])[0]
    labels = labels.reshape(len(labels), -1)
    if labels.shape[1] != 1 or labels.dtype.kind not in "iu":
        raise InputError(f"{path}: {parts[part]}labels should be N whole numbers, found {labels.dtype} {labels.shape}")
    whole = labels[:, 0].astype(np.int64)
    return path, parts[part], rows_of(card, split, list(parts), whole, f"{path}: {part}"), whole


def _examples(card: Card, split: str) -> Examples:
    path, prefix, rows, labels = _labels(card, split)
    images = _arrays(path, [f"{prefix}images"])[0]
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3) or images.dtype != np.uint8 or len(images) != len(labels):
        raise InputError(
            f"{path}: {prefix}images should be uint8 ({len(labels)}, H, W, 3), found {images.dtype} {images.shape}"
        )
    chosen: NDArray[np.uint8] = images[rows].astype(np.uint8, copy=False)
    return Examples(np.repeat(chosen, 3, 3) if chosen.shape[3] == 1 else chosen, labels[rows])


def _sample_list(card: Card, split: str) -> list[int]:
    _parts(root_of(card))
    stat = root_of(card).stat()
    return [stat.st_size, stat.st_mtime_ns]


SOURCE = Source(
    _examples, options=("path", "sample"), sample_list=_sample_list, present=lambda card: root_of(card).is_file()
)
