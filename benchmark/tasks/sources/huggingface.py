"""huggingface: a data set of the Hugging Face Hub, or on disk in its layout, streamed once into shards in the data folder."""

import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmark import files
from benchmark.errors import InputError, first_line
from benchmark.files import write
from benchmark.tasks.cards import Card
from benchmark.tasks.sources.base import Examples, Report, Source, card_path, data_folder, text_field
from benchmark.tasks.sources.splits import declared_parts, json_digest, part_of
from benchmark.tasks.sources.tars import file_stamp, write_shard
from benchmark.tasks.sources.webdataset import COUNT, NAMES, check_stored_names, examples_of, shards

ROWS_PER_SHARD = 5000  # also the most that an interruption loses


def _folder(card: Card) -> Path:
    """The folder of the shards, a function of all options that decide their content."""
    options = [card.source.get(field) for field in ("repo", "config", "revision", "image", "label")]
    return data_folder() / card.name / f"huggingface-{json_digest(options)}"


def _parts(card: Card) -> list[str]:
    return declared_parts(card, "name the data set's splits for train, val and test, or for 'all'")


def _dataset_name(card: Card) -> str:
    return f"Hugging Face data set '{text_field(card, 'repo')}'"


def _stream(card: Card, part: str) -> Any:
    try:
        from datasets import Image, load_dataset
    except ImportError:
        raise InputError(
            f"{card_path(card)}: source 'huggingface' requires an optional package; "
            "`pip install 'transferability-benchmark[huggingface]'`"
        ) from None
    repo = text_field(card, "repo")
    # a folder beside the card takes precedence over a repository of that name
    local = (card.folder / repo).resolve()
    try:
        dataset = load_dataset(
            str(local) if local.is_dir() else repo,
            card.source.get("config"),
            split=text_field(card, part),
            streaming=True,
            revision=card.source.get("revision"),
        )
        # the encoded bytes are stored as they are, so that no image is compressed twice
        return dataset.cast_column(text_field(card, "image", "image"), Image(decode=False))
    except Exception as problem:  # a server, a file or a wrong name can raise anything
        raise InputError(f"{_dataset_name(card)}: could not be loaded ({first_line(problem)})") from None


def _samples(card: Card, rows: Any) -> Iterator[tuple[bytes, str, int]]:
    """(encoded image, suffix, label) of every row."""
    image, label = text_field(card, "image", "image"), text_field(card, "label", "label")
    try:
        for row in rows:
            value = row[image]
            # a data set of files gives paths instead of bytes
            body = value["bytes"] if value["bytes"] is not None else _read_local(card, value["path"])
            number = row[label]
            if not isinstance(number, int) or not 0 <= number < len(card.classes):
                raise InputError(
                    f"{_dataset_name(card)}: a row has label {number!r}, but {card_path(card)} has {len(card.classes)} classes, "
                    f"0 to {len(card.classes) - 1}"
                )
            yield body, _suffix(card, body), int(number)
    except (KeyError, TypeError, ValueError, OSError) as problem:
        raise InputError(
            f"{_dataset_name(card)}: its rows have no image '{image}' or no class '{label}' ({problem}); "
            f"correct `image` and `label` in {card_path(card)}"
        ) from None


def _read_local(card: Card, path: str) -> bytes:
    """An image that a row names by its path. Only a data set on this disk may do so, and only for files below itself."""
    root = (card.folder / text_field(card, "repo")).resolve()
    file = Path(path).resolve()
    if not (root.is_dir() and file.is_relative_to(root)):
        raise InputError(f"{_dataset_name(card)}: a row names {path}, which is outside the data set")
    return file.read_bytes()


def _suffix(card: Card, body: bytes) -> str:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(body)) as image:
            # from the content; Pillow reads a format outside the list in spite of its suffix .png
            return {"JPEG": ".jpg", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif"}.get(str(image.format), ".png")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as problem:
        raise InputError(f"{_dataset_name(card)}: a row's image cannot be read ({problem})") from None


def _fetch(card: Card, report: Report) -> None:
    for part in _parts(card):
        folder = _folder(card) / part
        # one process at a time streams a part
        with files.lock(folder / f".{COUNT}.lock"):
            if not (folder / COUNT).exists():
                _fetch_part(card, part, folder, report)
        _check_names(card)


def _fetch_part(card: Card, part: str, folder: Path, report: Report) -> None:
    stream, repo = _stream(card, part), text_field(card, "repo")
    features = getattr(stream, "features", None) or {}
    if names := getattr(features.get(text_field(card, "label", "label")), "names", None):
        write(_folder(card) / NAMES, "".join(f"{name}\n" for name in names))
        _check_names(card)
    # shards are written in order, so their number says where an interrupted stream stopped
    done = len(shards(_folder(card), part))
    report(f"fetch: '{repo}', {part}, from row {done * ROWS_PER_SHARD}")
    rows = iter(stream.skip(done * ROWS_PER_SHARD) if done else stream)
    while block := list(itertools.islice(rows, ROWS_PER_SHARD)):
        write_shard(folder / f"{done}.tar", _samples(card, block))
        done += 1
        report(f"fetch: '{repo}', {part}: {done} shards of {ROWS_PER_SHARD} rows written")
    if not done:
        raise InputError(f"{_dataset_name(card)}: its split '{text_field(card, part)}' is empty")
    write(folder / COUNT, f"{done}\n")  # last, since it marks the part as complete


def _check_names(card: Card) -> None:
    check_stored_names(card, _folder(card), _dataset_name(card))


def _present(card: Card) -> bool:
    return all((_folder(card) / part / COUNT).exists() for part in _parts(card))


def _shards(card: Card, split: str) -> list[Path]:
    """The shards of the part that contains a split."""
    part = part_of(card, split, _parts(card))
    if not (_folder(card) / part / COUNT).exists():
        raise InputError(
            f"{card_path(card)}: '{text_field(card, 'repo')}' is not on this machine; `python -m benchmark fetch` downloads it"
        )
    return shards(_folder(card), part)


def _examples(card: Card, split: str) -> Examples:
    paths = _shards(card, split)
    _check_names(card)
    return examples_of(card, split, _parts(card), paths)


def _sample_digest(card: Card, split: str) -> str:
    return json_digest([file_stamp(path) for path in _shards(card, split)])


SOURCE = Source(
    _examples,
    description="a data set of the Hugging Face Hub, streamed (needs the extra `huggingface`)",
    options=("repo", "config", "revision", "image", "label", "all", "train", "val", "test", "sample"),
    sample_digest=_sample_digest,
    fetch=_fetch,
    present=_present,
)
