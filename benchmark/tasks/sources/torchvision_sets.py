"""torchvision: any of its classification data sets, downloaded by itself.

What is downloaded is what torchvision checks by the digests in its own code. Labels are read once and kept in the data folder.
"""

import functools
import inspect
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.errors import InputError, first_line
from benchmark.tasks.cards import Card
from benchmark.tasks.sources.base import (
    Examples,
    Labels,
    LazyImage,
    Report,
    Source,
    card_path,
    data_folder,
    table_field,
    text_field,
)
from benchmark.tasks.sources.download import locked
from benchmark.tasks.sources.splits import check_names, digest, held, part_of, rows_of

LABELS = ("targets", "_labels", "labels", "y")


def _root(card: Card) -> Path:
    given = card.source.get("root")
    return (card.folder / text_field(card, "root")).resolve() if given is not None else data_folder() / "torchvision"


def _parts(card: Card) -> list[str]:
    return held(card, "give the arguments of train, val and test, or of 'all'")


def _opened(card: Card, part: str, download: bool = False) -> Any:
    arguments = json.dumps(table_field(card, part), sort_keys=True)
    return _open(text_field(card, "dataset"), str(_root(card)), arguments, download, card_path(card))


@functools.lru_cache(maxsize=64)
def _open(name: str, root: str, arguments: str, download: bool, card: str) -> Any:
    from torchvision import datasets

    kind = getattr(datasets, name, None)
    if not (inspect.isclass(kind) and issubclass(kind, datasets.VisionDataset)):
        raise InputError(f"{card}: [source]: torchvision has no data set '{name}'")
    given = json.loads(arguments)
    if "download" in inspect.signature(kind.__init__).parameters:
        given["download"] = download
    try:
        Path(root).mkdir(parents=True, exist_ok=True)
        opened: Any = kind
        return opened(root=root, **given)
    except TypeError as problem:
        raise InputError(f"{card}: [source]: torchvision's {name} does not take {arguments} ({problem})") from None
    except Exception as problem:  # what a data set raises depends on its files and on the network
        raise InputError(f"torchvision's {name} cannot be had in {root} ({first_line(problem)})") from None


def _manifest(card: Card, part: str) -> Path:
    of = digest([str(_root(card)), text_field(card, "dataset"), table_field(card, part)])
    return data_folder() / card.name / "torchvision" / f"{part}-{of}.npz"


def _fetch(card: Card, say: Report) -> None:
    for part in _parts(card):
        path = _manifest(card, part)
        with locked(path):
            if path.exists():
                continue
            say(f"fetch: torchvision's {text_field(card, 'dataset')} into {_root(card)}")
            found = _opened(card, part, download=True)
            names = [name if isinstance(name, str) else name[0] for name in getattr(found, "classes", None) or ()]
            labels = _read_labels(found, f"torchvision's {text_field(card, 'dataset')}")
            part_file = path.with_name(f".{path.stem}.{os.getpid()}.part.npz")
            np.savez(part_file, labels=labels, names=np.array(names, np.str_))
            os.replace(part_file, path)
        _labels_of(card, part)


def _read_labels(found: Any, what: str) -> Labels:
    """The labels of all samples: from the attribute that holds them, where it agrees with some samples, else from each sample."""
    some = sorted({0, len(found) // 2, len(found) - 1})
    pairs = [getattr(found, "samples", None), getattr(found, "_samples", None)]
    columns = [getattr(found, name, None) for name in LABELS] + [
        [p[1] for p in several] for several in pairs if several
    ]
    for column in columns:
        if column is None or len(column) != len(found):
            continue
        values = np.asarray(column)
        if values.ndim == 1 and values.dtype.kind in "iu" and all(int(values[i]) == int(found[i][1]) for i in some):
            return values.astype(np.int64)
    labels = []
    for i in range(len(found)):
        label = found[i][1]
        if not isinstance(label, int | np.integer):
            raise InputError(
                f"{what}: sample {i} has label {label!r}, not a class; only classification data sets can be used"
            )
        labels.append(int(label))
    return np.array(labels, np.int64)


def _present(card: Card) -> bool:
    return all(_manifest(card, part).exists() for part in _parts(card))


def _labels_of(card: Card, part: str) -> Labels:
    path = _manifest(card, part)
    if not path.exists():
        raise InputError(
            f"{card_path(card)}: torchvision's {text_field(card, 'dataset')} is not here yet; `python -m benchmark fetch` brings it"
        )
    with np.load(path, allow_pickle=False) as file:
        labels, names = file["labels"], [str(name) for name in file["names"]]
    if names:
        check_names(card, names, f"torchvision's {text_field(card, 'dataset')}")
    return labels


def _labels(card: Card, split: str) -> tuple[str, Labels]:
    part = part_of(card, split, _parts(card))
    return part, _labels_of(card, part)


def _image(card: Card, part: str, i: int) -> Any:
    return _opened(card, part)[i][0]


def _examples(card: Card, split: str) -> Examples:
    part, labels = _labels(card, split)
    name = f"torchvision's {text_field(card, 'dataset')}, {part}"
    if len(_opened(card, part)) != len(labels):
        raise InputError(
            f"{name}: has {len(_opened(card, part))} images, and had {len(labels)} when it was fetched; remove {_manifest(card, part)}"
        )
    rows = rows_of(card, split, _parts(card), labels, name)
    images = [LazyImage(functools.partial(_image, card, part, int(i)), f"{name}: image {i}") for i in rows]
    return Examples(images, labels[rows])


def _sample_list(card: Card, split: str) -> str:
    return digest(_labels(card, split)[1])


SOURCE = Source(
    _examples,
    options=("dataset", "root", "all", "train", "val", "test", "sample"),
    sample_list=_sample_list,
    fetch=_fetch,
    present=_present,
)
