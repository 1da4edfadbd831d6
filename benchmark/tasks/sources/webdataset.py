"""webdataset: tar shards of images and labels, on disk, over HTTP, or on the Hugging Face Hub, in the layout of CLIP_benchmark.

Below `path`, `url` or `hub` each split has a folder of shards `0.tar`, `1.tar`, ... For downloads, `nshards.txt` in each folder has
their number. `classnames.txt` above the folders, one name per line in the order of the labels, is checked against the card.
"""

import os
from pathlib import Path

import numpy as np

from benchmark.errors import InputError, first_line
from benchmark.files import write
from benchmark.tasks.cards import Card
from benchmark.tasks.sources.base import (
    Examples,
    Labels,
    Report,
    Source,
    StoredImage,
    card_path,
    data_folder,
    relative_path,
    root_of,
    source_error,
    text_field,
)
from benchmark.tasks.sources.download import SMALL, download, forget, read_text
from benchmark.tasks.sources.splits import check_class_names, declared_parts, json_digest, part_of, rows_of
from benchmark.tasks.sources.tars import file_stamp, index
from leaderboard import regular_files

NAMES, TEMPLATES, COUNT = "classnames.txt", "zeroshot_classification_templates.txt", "nshards.txt"
MAX_SHARDS = 100_000


def base_url(card: Card) -> str:
    """The address that the shards are downloaded from; '' for shards on disk."""
    fields = [field for field in ("path", "url", "hub") if field in card.source]
    if len(fields) != 1:
        raise source_error(card, fields[1] if fields else "path", "should be the only one of path, url and hub")
    # the Hub serves files of a repository over plain HTTP
    if fields == ["hub"]:
        return hub_url(text_field(card, "hub"))
    url = text_field(card, "url").rstrip("/") if fields == ["url"] else ""
    if url and not url.startswith(("http://", "https://")):
        raise source_error(
            card, "url", f"is '{url}'; give an address that begins with https:// or http://, or `path` for a folder"
        )
    return url


def hub_url(repo: str) -> str:
    """The address of the files of a data set on the Hub."""
    return f"{os.environ.get('HF_ENDPOINT', 'https://huggingface.co').rstrip('/')}/datasets/{repo}/resolve/main"


def shard_folder(card: Card) -> Path:
    """The folder of the shards on this machine."""
    url = base_url(card)
    return download_folder(card.name, url) if url else root_of(card)


def download_folder(name: str, url: str) -> Path:
    """The folder of the shards from an address; shards from another address have another folder."""
    return data_folder() / name / f"webdataset-{json_digest([url])}"


def _parts(card: Card) -> list[str]:
    return declared_parts(card, "name the folder of shards of train, val and test, or of 'all'")


def text_file(path: Path) -> str:
    """A small text file. Raises InputError where it cannot be read."""
    try:
        return regular_files.read_text(path, regular_files.TEXT_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({first_line(error)})", "fetch it again") from None


def shards(root: Path, name: str) -> list[Path]:
    """The shards of a part in order: numbered up to the count in nshards.txt, else all *.tar files by name.

    With a count, some of the files may be missing.
    """
    folder = root / name if name != "." else root
    # the count tells missing shards apart from those that never existed
    count = folder / COUNT
    if count.exists():
        return [folder / f"{i}.tar" for i in range(shard_count(text_file(count), str(count)))]
    return sorted(folder.glob("*.tar"), key=lambda path: (len(path.stem), path.stem))  # 2.tar before 10.tar


def shard_count(text: str, where: str) -> int:
    """The content of nshards.txt as a number; raises InputError otherwise."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and 0 < int(digits) <= MAX_SHARDS):
        raise InputError(f"{where}: should contain the number of shards, found {digits[:40]!r}")
    return int(digits)


def fetch_part(url: str, root: Path, name: str, report: Report) -> None:
    """Download the shards of a part. A shard that arrives corrupt is downloaded once more."""
    count_path = root / name / COUNT
    download(f"{url}/{name}/{COUNT}", count_path, report, limit=SMALL)
    try:
        count = shard_count(text_file(count_path), f"{url}/{name}/{COUNT}")
    except InputError:
        # so that the next attempt downloads it again
        forget(count_path)
        raise
    for i in range(count):
        path = root / name / f"{i}.tar"
        if path.exists():
            continue
        # existing shards are complete, since downloads are atomic and checked
        report(f"fetch: {url}/{name}/{i}.tar, shard {i + 1} of {count}")
        for is_last_try in (False, True):
            download(f"{url}/{name}/{i}.tar", path, report)
            try:
                index(path)
                break
            except InputError:
                forget(path)
                if is_last_try:
                    raise


def _fetch(card: Card, report: Report) -> None:
    url, root = base_url(card), shard_folder(card)
    if not url:
        if not root.is_dir():
            raise source_error(
                card, "path", f"is '{card.source['path']}', and {root} is not a folder; give a folder of shards"
            )
        return
    for part in _parts(card):
        fetch_part(url, root, relative_path(card, part, text_field(card, part)), report)
    # optional: without it, only the range of the labels is checked
    names_path = root / NAMES
    if not names_path.exists() and (names := read_text(f"{url}/{NAMES}")) is not None:
        write(names_path, names)


def _present(card: Card) -> bool:
    root = shard_folder(card)
    # without the count some shards may not have been downloaded yet
    if base_url(card) and not all((root / text_field(card, part) / COUNT).exists() for part in _parts(card)):
        return False
    parts = [shards(root, text_field(card, part)) for part in _parts(card)]
    return all(parts) and all(path.exists() for paths in parts for path in paths)


def _split_shards(card: Card, split: str) -> tuple[list[Path], str]:
    """The shards of the part that contains a split, and the name of its folder; raises InputError if one is missing."""
    part = part_of(card, split, _parts(card))
    root, name = shard_folder(card), relative_path(card, part, text_field(card, part))
    paths = shards(root, name)
    if not paths:
        remedy = "`python -m benchmark fetch` downloads them" if base_url(card) else "give the folder of *.tar files"
        raise InputError(f"{root / name}: has no shards, which {card_path(card)} needs", remedy)
    for path in paths:
        if not path.exists():
            raise InputError(
                f"{path}: is missing, one of {len(paths)} shards; `python -m benchmark fetch` downloads it"
            )
    return paths, name


def check_stored_names(card: Card, root: Path, where: str) -> None:
    """Check the card against the class names stored with the shards, if there are any."""
    if (root / NAMES).exists():
        check_class_names(card, class_names(text_file(root / NAMES)), where)


def class_names(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def examples_of(card: Card, split: str, parts: list[str], paths: list[Path]) -> Examples:
    """A split, cut from the shards of its part."""
    indices = [index(path) for path in paths]
    images: list[StoredImage] = [image for stored, _ in indices for image in stored]
    labels: Labels = np.concatenate([labels for _, labels in indices])
    # one index over all shards of the part, in their order
    rows = rows_of(card, split, parts, labels, f"{paths[0].parent}: {len(paths)} shards")
    return Examples([images[i] for i in rows], labels[rows])


def _examples(card: Card, split: str) -> Examples:
    paths, _ = _split_shards(card, split)
    check_stored_names(card, shard_folder(card), str(shard_folder(card) / NAMES))
    return examples_of(card, split, _parts(card), paths)


def _sample_digest(card: Card, split: str) -> str:
    paths, name = _split_shards(card, split)
    # not a digest of the content, which would read gigabytes for every command
    return json_digest([name, *(file_stamp(path) for path in paths)])


SOURCE = Source(
    _examples,
    description="tar shards, on disk, over HTTP or on the Hugging Face Hub",
    options=("path", "url", "hub", "all", "train", "val", "test", "sample"),
    sample_digest=_sample_digest,
    fetch=_fetch,
    present=_present,
)
