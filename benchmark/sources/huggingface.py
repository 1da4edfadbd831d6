"""huggingface: a data set of the Hugging Face Hub, or in its layout on disk, streamed once into shards in the data folder."""

import io
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.cards import Card
from benchmark.errors import InputError
from benchmark.sources.base import Examples, Labels, Say, Source, Stored, data_folder, text, where
from benchmark.sources.download import locked
from benchmark.sources.splits import check_names, digest, held, part_of, rows_of
from benchmark.sources.tars import identity, index, write_shard
from benchmark.sources.webdataset import COUNT, NAMES, class_names, shards

ROWS = 5000  # in one shard


def _folder(card: Card) -> Path:
    of = [card.source.get(field) for field in ("repo", "config", "revision", "image", "label")]
    return data_folder() / card.name / f"huggingface-{digest(of)}"


def _parts(card: Card) -> list[str]:
    return held(card, "name the data set's splits for train, val and test, or for 'all'")


def _stream(card: Card, part: str) -> Any:
    try:
        from datasets import Image, load_dataset
    except ImportError:
        raise InputError(
            f"{where(card)}: source 'huggingface' needs a package more; `pip install 'transferability-benchmark[huggingface]'`"
        ) from None
    repo = text(card, "repo")
    beside = (card.folder / repo).resolve()
    try:
        found = load_dataset(
            str(beside) if beside.is_dir() else repo,
            card.source.get("config"),
            split=text(card, part),
            streaming=True,
            revision=card.source.get("revision"),
        )
        return found.cast_column(text(card, "image", "image"), Image(decode=False))
    except Exception as problem:  # whatever a server, a file or a wrong name may cause
        said = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise InputError(f"Hugging Face data set '{repo}' cannot be had ({said})") from None


def _samples(card: Card, rows: Any, repo: str) -> Iterator[tuple[bytes, str, int]]:
    image, label = text(card, "image", "image"), text(card, "label", "label")
    try:
        for row in rows:
            given = row[image]
            body = given["bytes"] if given["bytes"] is not None else _beside(card, given["path"])
            number = row[label]
            if not isinstance(number, int) or not 0 <= number < len(card.classes):
                raise InputError(
                    f"Hugging Face data set '{repo}': a row has label {number!r}, where {where(card)} has {len(card.classes)} classes, "
                    f"0 to {len(card.classes) - 1}"
                )
            yield body, _suffix(body, repo), int(number)
    except (KeyError, TypeError, ValueError, OSError) as problem:
        raise InputError(
            f"Hugging Face data set '{repo}': its rows lack an image '{image}' or a class '{label}' ({problem}); mend `image` and `label` in {where(card)}"
        ) from None


def _beside(card: Card, path: str) -> bytes:
    """An image that a row names by its path, which only a data set on this disk may, and only below itself."""
    root = (card.folder / text(card, "repo")).resolve()
    file = Path(path).resolve()
    if not (root.is_dir() and file.is_relative_to(root)):
        raise InputError(
            f"Hugging Face data set '{text(card, 'repo')}': a row names {path}, which lies outside the data set"
        )
    return file.read_bytes()


def _suffix(body: bytes, repo: str) -> str:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(body)) as opened:
            return {"JPEG": ".jpg", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif"}.get(str(opened.format), ".png")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as problem:
        raise InputError(f"Hugging Face data set '{repo}': holds what is no image ({problem})") from None


def _fetch(card: Card, say: Say) -> None:
    for part in _parts(card):
        folder = _folder(card) / part
        with locked(folder / COUNT):
            if not (folder / COUNT).exists():
                _fetch_part(card, part, folder, say)
        _check_names(card)


def _fetch_part(card: Card, part: str, folder: Path, say: Say) -> None:
    stream, repo = _stream(card, part), text(card, "repo")
    features = getattr(stream, "features", None) or {}
    if names := getattr(features.get(text(card, "label", "label")), "names", None):
        (_folder(card) / NAMES).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        _check_names(card)
    done = len(shards(_folder(card), part))
    say(f"fetch: '{repo}', {part}, from row {done * ROWS}")
    rows = iter(stream.skip(done * ROWS) if done else stream)
    while some := list(itertools.islice(rows, ROWS)):
        write_shard(folder / f"{done}.tar", _samples(card, some, repo))
        done += 1
        say(f"fetch: '{repo}', {part}: {done} shards of {ROWS} rows written")
    if not done:
        raise InputError(f"Hugging Face data set '{repo}': its split '{text(card, part)}' is empty")
    (folder / "part").write_text(f"{done}\n", encoding="utf-8")
    os.replace(folder / "part", folder / COUNT)


def _check_names(card: Card) -> None:
    names = _folder(card) / NAMES
    if names.exists():
        check_names(
            card, class_names(names.read_text(encoding="utf-8")), f"Hugging Face data set '{text(card, 'repo')}'"
        )


def _present(card: Card) -> bool:
    return all((_folder(card) / part / COUNT).exists() for part in _parts(card))


def _part(card: Card, split: str) -> list[Path]:
    part = part_of(card, split, _parts(card))
    if not (_folder(card) / part / COUNT).exists():
        raise InputError(
            f"{where(card)}: '{text(card, 'repo')}' is not here yet; `python -m benchmark fetch` brings it"
        )
    return shards(_folder(card), part)


def _examples(card: Card, split: str) -> Examples:
    paths = _part(card, split)
    _check_names(card)
    indexed = [index(path) for path in paths]
    images: list[Stored] = [image for stored, _ in indexed for image in stored]
    labels: Labels = np.concatenate([labels for _, labels in indexed])
    rows = rows_of(card, split, _parts(card), labels, f"{paths[0].parent}: {len(paths)} shards")
    return Examples([images[i] for i in rows], labels[rows])


def _sample_list(card: Card, split: str) -> str:
    paths = _part(card, split)
    return digest([identity(path) for path in paths])


SOURCE = Source(
    _examples,
    options=("repo", "config", "revision", "image", "label", "all", "train", "val", "test", "sample"),
    sample_list=_sample_list,
    fetch=_fetch,
    present=_present,
)
