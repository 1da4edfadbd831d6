"""npz: arrays of images and labels in one NumPy file, for all samples or for each split."""

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError, first_line
from benchmark.tasks.cards import SPLITS, Card
from benchmark.tasks.sources.base import READ_ERRORS, Examples, Labels, Source, root_of
from benchmark.tasks.sources.splits import part_of, rows_of
from leaderboard.regular_files import require_regular

LARGE = 2**30  # bytes that any array may take
EXPANSION = 100  # of compressed arrays above that; images hardly shrink, and zeros a thousandfold
LAYOUT = (
    "give `images` (N, H, W, 3) uint8 and `labels` (N), or both for each split, as `train_images` and `train_labels`"
)


def _read_array(path: Path, name: str) -> NDArray[np.generic]:
    try:
        require_regular(path)
        # object arrays are pickles, which can run code
        with np.load(path, allow_pickle=False) as file:
            return np.atleast_1d(file[name])
    except READ_ERRORS as problem:
        raise InputError(f"{path}: cannot be read ({first_line(problem)}); {LAYOUT}") from None


def _parts(path: Path) -> dict[str, str]:
    """The parts of the file, each with the prefix of its array names."""
    try:
        require_regular(path)
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.file_size > max(LARGE, EXPANSION * path.stat().st_size):
                    raise ValueError(f"{member.filename} would take {member.file_size / 2**30:.1f} GiB")
        with np.load(path, allow_pickle=False) as file:
            names = set(file.files)
    except READ_ERRORS as problem:
        raise InputError(f"{path}: cannot be read ({first_line(problem)}); {LAYOUT}") from None
    # one pair of arrays for all splits
    if "images" in names:
        return {"all": ""}
    parts = {split: f"{split}_" for split in SPLITS if f"{split}_images" in names}
    if not parts:
        raise InputError(f"{path}: contains {', '.join(sorted(names)) or 'nothing'}; {LAYOUT}")
    return parts


def _examples(card: Card, split: str) -> Examples:
    path = root_of(card)
    parts = _parts(path)
    part = part_of(card, split, list(parts))
    prefix = parts[part]
    labels = _read_labels(path, f"{prefix}labels")
    images = _read_array(path, f"{prefix}images")
    if images.ndim == 3:  # (N, H, W) grey
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3) or images.dtype != np.uint8 or len(images) != len(labels):
        raise InputError(
            f"{path}: {prefix}images should be uint8 ({len(labels)}, H, W, 3), found {images.dtype} {images.shape}"
        )
    rows = rows_of(card, split, list(parts), labels, f"{path}: {part}")
    pixels: NDArray[np.uint8] = images[rows].astype(np.uint8, copy=False)
    # grey to RGB
    return Examples(np.repeat(pixels, 3, 3) if pixels.shape[3] == 1 else pixels, labels[rows])


def _read_labels(path: Path, name: str) -> Labels:
    labels = _read_array(path, name)
    labels = labels.reshape(len(labels), -1)  # (N,) or (N, 1)
    if labels.shape[1] != 1 or labels.dtype.kind not in "iu":
        raise InputError(f"{path}: {name} should be N integers, found {labels.dtype} {labels.shape}")
    return labels[:, 0].astype(np.int64)


def _sample_digest(card: Card, split: str) -> list[int]:
    """Size and modification time of the file."""
    _parts(root_of(card))
    stat = root_of(card).stat()
    return [stat.st_size, stat.st_mtime_ns]


SOURCE = Source(
    _examples,
    description="arrays of images and labels in a NumPy file",
    options=("path", "sample"),
    sample_digest=_sample_digest,
    present=lambda card: root_of(card).is_file(),
)
