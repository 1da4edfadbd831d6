"""webdataset: tar shards of images and labels, on disk, over HTTP, or on the Hugging Face Hub, as CLIP_benchmark publishes them.

Below `path`, `url` or `hub` each split has a folder of shards `0.tar`, `1.tar`, ... and, where they are fetched, `nshards.txt` with their
number. `classnames.txt` beside them, one name per line in the order of the labels, is held against the card.
"""

import os
from pathlib import Path

import numpy as np

from benchmark.errors import InputError
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
from benchmark.tasks.sources.download import download, read_text
from benchmark.tasks.sources.splits import check_names, digest, held, part_of, rows_of
from benchmark.tasks.sources.tars import identity, index

NAMES, TEMPLATES, COUNT = "classnames.txt", "zeroshot_classification_templates.txt", "nshards.txt"


def address(card: Card) -> str:
    """Where the shards are fetched from; '' for shards on disk."""
    given = [field for field in ("path", "url", "hub") if field in card.source]
    if len(given) != 1:
        raise source_error(
            card, given[1] if given else "path", "should be one of path, url and hub, and only one of them"
        )
    if given == ["hub"]:
        return hub_address(text_field(card, "hub"))
    url = text_field(card, "url").rstrip("/") if given == ["url"] else ""
    if url and not url.startswith(("http://", "https://")):
        raise source_error(
            card, "url", f"is '{url}'; give an address that begins with https:// or http://, or `path` for a folder"
        )
    return url


def hub_address(repo: str) -> str:
    """Where the files of a data set of the Hub are."""
    return f"{os.environ.get('HF_ENDPOINT', 'https://huggingface.co').rstrip('/')}/datasets/{repo}/resolve/main"


def folder(card: Card) -> Path:
    """Where the shards lie on this machine: those of another address lie elsewhere."""
    base = address(card)
    return fetched_folder(card.name, base) if base else root_of(card)


def fetched_folder(name: str, base: str) -> Path:
    return data_folder() / name / f"webdataset-{digest([base])}"


def _parts(card: Card) -> list[str]:
    return held(card, "name the folder of shards of train, val and test, or of 'all'")


def shards(root: Path, name: str) -> list[Path]:
    """The shards of a part, by number where there is a count, else by name."""
    part = root / name if name != "." else root
    count = part / COUNT
    if count.exists():
        return [part / f"{i}.tar" for i in range(shard_count(count.read_text(encoding="utf-8"), str(count)))]
    return sorted(part.glob("*.tar"), key=lambda path: (len(path.stem), path.stem))


def shard_count(written: str, what: str) -> int:
    if not written.strip().isdigit() or not 0 < int(written) <= 100_000:
        raise InputError(f"{what}: should hold the number of shards, found {written.strip()[:40]!r}")
    return int(written)


def fetch_part(base: str, root: Path, name: str, say: Report) -> None:
    """Bring the shards of a part; a shard that came damaged is fetched once more."""
    count = root / name / COUNT
    download(f"{base}/{name}/{COUNT}", count, say)
    try:
        number = shard_count(count.read_text(encoding="utf-8"), f"{base}/{name}/{COUNT}")
    except InputError:
        count.unlink()
        raise
    for i in range(number):
        path = root / name / f"{i}.tar"
        if path.exists():
            continue
        say(f"fetch: {base}/{name}/{i}.tar, shard {i + 1} of {number}")
        for last in (False, True):
            download(f"{base}/{name}/{i}.tar", path, say)
            try:
                index(path)
                break
            except InputError:
                path.unlink()
                if last:
                    raise


def _fetch(card: Card, say: Report) -> None:
    base, root = address(card), folder(card)
    if not base:
        if not root.is_dir():
            raise source_error(
                card, "path", f"is '{card.source['path']}', and {root} is not a folder; give a folder of shards"
            )
        return
    for part in _parts(card):
        fetch_part(base, root, relative_path(card, part, text_field(card, part)), say)
    names = root / NAMES
    if not names.exists() and (found := read_text(f"{base}/{NAMES}")) is not None:
        write(names, found)


def _present(card: Card) -> bool:
    root = folder(card)
    if address(card) and not all((root / text_field(card, part) / COUNT).exists() for part in _parts(card)):
        return False
    found = [shards(root, text_field(card, part)) for part in _parts(card)]
    return all(found) and all(path.exists() for several in found for path in several)


def _part(card: Card, split: str) -> tuple[list[Path], str]:
    part = part_of(card, split, _parts(card))
    root, name = folder(card), relative_path(card, part, text_field(card, part))
    found = shards(root, name)
    if not found:
        how = "`python -m benchmark fetch` brings them" if address(card) else "give the folder of *.tar files"
        raise InputError(f"{root / name}: has no shards, which {card_path(card)} asks for; {how}")
    for path in found:
        if not path.exists():
            raise InputError(f"{path}: is missing, one of {len(found)} shards; `python -m benchmark fetch` brings it")
    return found, name


def check_names_beside(card: Card, root: Path, what: str) -> None:
    """Hold the card against the class names that lie beside shards, where there are some."""
    if (root / NAMES).exists():
        check_names(card, class_names((root / NAMES).read_text(encoding="utf-8")), what)


def class_names(written: str) -> list[str]:
    return [line.strip() for line in written.splitlines() if line.strip()]


def examples_of(card: Card, split: str, parts: list[str], paths: list[Path]) -> Examples:
    """A split, cut from the shards of its part."""
    indexed = [index(path) for path in paths]
    images: list[StoredImage] = [image for stored, _ in indexed for image in stored]
    labels: Labels = np.concatenate([labels for _, labels in indexed])
    rows = rows_of(card, split, parts, labels, f"{paths[0].parent}: {len(paths)} shards")
    return Examples([images[i] for i in rows], labels[rows])


def _examples(card: Card, split: str) -> Examples:
    paths, _ = _part(card, split)
    check_names_beside(card, folder(card), str(folder(card) / NAMES))
    return examples_of(card, split, _parts(card), paths)


def _sample_list(card: Card, split: str) -> str:
    paths, name = _part(card, split)
    return digest([name, *(identity(path) for path in paths)])


SOURCE = Source(
    _examples,
    options=("path", "url", "hub", "all", "train", "val", "test", "sample"),
    sample_list=_sample_list,
    fetch=_fetch,
    present=_present,
)
