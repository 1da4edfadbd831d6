"""huggingface: a data set of the Hugging Face Hub, or in its layout on disk, streamed once into shards in the data folder."""

import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmark.errors import InputError, first_line
from benchmark.files import write
from benchmark.tasks.cards import Card
from benchmark.tasks.sources.base import Examples, Report, Source, card_path, data_folder, text_field
from benchmark.tasks.sources.download import locked
from benchmark.tasks.sources.splits import digest, held, part_of
from benchmark.tasks.sources.tars import identity, write_shard
from benchmark.tasks.sources.webdataset import COUNT, NAMES, check_names_beside, examples_of, shards

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
            f"{card_path(card)}: source 'huggingface' needs a package more; `pip install 'transferability-benchmark[huggingface]'`"
        ) from None
    repo = text_field(card, "repo")
    beside = (card.folder / repo).resolve()
    try:
        found = load_dataset(
            str(beside) if beside.is_dir() else repo,
            card.source.get("config"),
            split=text_field(card, part),
            streaming=True,
            revision=card.source.get("revision"),
        )
        return found.cast_column(text_field(card, "image", "image"), Image(decode=False))
    except Exception as problem:  # whatever a server, a file or a wrong name may cause
        raise InputError(f"Hugging Face data set '{repo}' cannot be had ({first_line(problem)})") from None


def _samples(card: Card, rows: Any, repo: str) -> Iterator[tuple[bytes, str, int]]:
    image, label = text_field(card, "image", "image"), text_field(card, "label", "label")
    try:
        for row in rows:
            given = row[image]
            body = given["bytes"] if given["bytes"] is not None else _beside(card, given["path"])
            number = row[label]
            if not isinstance(number, int) or not 0 <= number < len(card.classes):
                raise InputError(
                    f"Hugging Face data set '{repo}': a row has label {number!r}, where {card_path(card)} has {len(card.classes)} classes, "
                    f"0 to {len(card.classes) - 1}"
                )
            yield body, _suffix(body, repo), int(number)
    except (KeyError, TypeError, ValueError, OSError) as problem:
        raise InputError(
            f"Hugging Face data set '{repo}': its rows lack an image '{image}' or a class '{label}' ({problem}); mend `image` and `label` in {card_path(card)}"
        ) from None


def _beside(card: Card, path: str) -> bytes:
    """An image that a row names by its path, which only a data set on this disk may, and only below itself."""
    root = (card.folder / text_field(card, "repo")).resolve()
    file = Path(path).resolve()
    if not (root.is_dir() and file.is_relative_to(root)):
        raise InputError(
            f"Hugging Face data set '{text_field(card, 'repo')}': a row names {path}, which lies outside the data set"
        )
    return file.read_bytes()


def _suffix(body: bytes, repo: str) -> str:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(body)) as opened:
            return {"JPEG": ".jpg", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif"}.get(str(opened.format), ".png")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as problem:
        raise InputError(f"Hugging Face data set '{repo}': holds what is no image ({problem})") from None


def _fetch(card: Card, say: Report) -> None:
    for part in _parts(card):
        folder = _folder(card) / part
        with locked(folder / COUNT):
            if not (folder / COUNT).exists():
                _fetch_part(card, part, folder, say)
        _check_names(card)


def _fetch_part(card: Card, part: str, folder: Path, say: Report) -> None:
    stream, repo = _stream(card, part), text_field(card, "repo")
    features = getattr(stream, "features", None) or {}
    if names := getattr(features.get(text_field(card, "label", "label")), "names", None):
        write(_folder(card) / NAMES, "".join(f"{name}\n" for name in names))
        _check_names(card)
    done = len(shards(_folder(card), part))
    say(f"fetch: '{repo}', {part}, from row {done * ROWS}")
    rows = iter(stream.skip(done * ROWS) if done else stream)
    while some := list(itertools.islice(rows, ROWS)):
        write_shard(folder / f"{done}.tar", _samples(card, some, repo))
        done += 1
        say(f"fetch: '{repo}', {part}: {done} shards of {ROWS} rows written")
    if not done:
        raise InputError(f"Hugging Face data set '{repo}': its split '{text_field(card, part)}' is empty")
    write(folder / COUNT, f"{done}\n")


def _check_names(card: Card) -> None:
    check_names_beside(card, _folder(card), f"Hugging Face data set '{text_field(card, 'repo')}'")


def _present(card: Card) -> bool:
    return all((_folder(card) / part / COUNT).exists() for part in _parts(card))


def _part(card: Card, split: str) -> list[Path]:
    part = part_of(card, split, _parts(card))
    if not (_folder(card) / part / COUNT).exists():
        raise InputError(
            f"{card_path(card)}: '{text_field(card, 'repo')}' is not here yet; `python -m benchmark fetch` brings it"
        )
    return shards(_folder(card), part)


def _examples(card: Card, split: str) -> Examples:
    paths = _part(card, split)
    _check_names(card)
    return examples_of(card, split, _parts(card), paths)


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
