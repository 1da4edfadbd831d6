"""huggingface: a data set of the Hugging Face Hub, or in its layout on disk, streamed once into shards in the data folder."""

import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.cards import Card
from benchmark.errors import InputError
from benchmark.sources.base import Examples, Labels, Say, Source, Stored, bad, data_folder, text, where
from benchmark.sources.splits import check_names, digest, held, part_of, rows_of
from benchmark.sources.tars import index, write_shard
from benchmark.sources.webdataset import COUNT, shards

ROWS = 5000  # in one shard


def _folder(card: Card) -> Path:
    return data_folder() / card.name / "huggingface"


def _parts(card: Card) -> list[str]:
    parts = held(card)
    if not parts:
        raise bad(card, "train", "is missing; name the data set's splits for train, val and test, or for 'all'")
    return parts


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
            body = given["bytes"] if given["bytes"] is not None else Path(given["path"]).read_bytes()
            yield body, _suffix(body, repo), int(row[label])
    except (KeyError, TypeError, ValueError) as problem:
        raise InputError(
            f"Hugging Face data set '{repo}': its rows lack an image '{image}' or a class '{label}' ({problem}); mend `image` and `label` in {where(card)}"
        ) from None


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
        if (folder / COUNT).exists():
            continue
        stream, repo = _stream(card, part), text(card, "repo")
        features = getattr(stream, "features", None) or {}
        names = getattr(features.get(text(card, "label", "label")), "names", None)
        if names:
            check_names(card, names, f"Hugging Face data set '{repo}'")
        done = len(shards(_folder(card), part))
        say(f"fetch: '{repo}', {part}, from row {done * ROWS}")
        rows = iter(stream.skip(done * ROWS) if done else stream)
        while some := list(itertools.islice(rows, ROWS)):
            write_shard(folder / f"{done}.tar", _samples(card, some, repo))
            done += 1
            say(f"fetch: '{repo}', {part}: {done} shards of {ROWS} rows written")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / COUNT).write_text(f"{done}\n", encoding="utf-8")


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
    indexed = [index(path) for path in paths]
    images: list[Stored] = [image for stored, _ in indexed for image in stored]
    labels: Labels = np.concatenate([labels for _, labels in indexed])
    rows = rows_of(card, split, _parts(card), labels, f"{paths[0].parent}: {len(paths)} shards")
    return Examples([images[i] for i in rows], labels[rows])


def _sample_list(card: Card, split: str) -> str:
    paths = _part(card, split)
    return digest(np.array([path.stat().st_size for path in paths]), [path.name for path in paths])


SOURCE = Source(
    _examples,
    options=("repo", "config", "revision", "image", "label", "all", "train", "val", "test", "sample"),
    sample_list=_sample_list,
    fetch=_fetch,
    present=_present,
)
