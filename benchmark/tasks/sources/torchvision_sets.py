"""torchvision: any of its classification data sets.

torchvision downloads the files and verifies them by the checksums in its own code. The labels are read once, and stored in the data
folder as the manifest of each part.
"""

import functools
import inspect
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import files
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
from benchmark.tasks.sources.splits import (
    check_class_names,
    declared_parts,
    json_digest,
    labels_digest,
    part_of,
    rows_of,
)

LABEL_ATTRIBUTES = ("targets", "_labels", "labels", "y")  # of torchvision's data set classes


def _root(card: Card) -> Path:
    if "root" in card.source:
        return (card.folder / text_field(card, "root")).resolve()
    return data_folder() / "torchvision"


def _dataset_name(card: Card) -> str:
    return f"torchvision's {text_field(card, 'dataset')}"


def _parts(card: Card) -> list[str]:
    return declared_parts(card, "give the arguments of train, val and test, or of 'all'")


def _open_part(card: Card, part: str, download: bool = False) -> Any:
    """The data set object of a part; opened once per process, since indexing a large data set takes long."""
    # a string, since arguments of a cached function must be hashable
    arguments = json.dumps(table_field(card, part), sort_keys=True)
    return _open(
        text_field(card, "dataset"), root=str(_root(card)), arguments=arguments, download=download, card=card_path(card)
    )


@functools.lru_cache(maxsize=64)
def _open(name: str, *, root: str, arguments: str, download: bool, card: str) -> Any:
    from torchvision import datasets

    dataset = getattr(datasets, name, None)
    if not (inspect.isclass(dataset) and issubclass(dataset, datasets.VisionDataset)):
        raise InputError(f"{card}: [source]: torchvision has no data set '{name}'; correct `dataset`")
    keywords = json.loads(arguments)
    # data sets without this argument must be downloaded by hand
    if "download" in inspect.signature(dataset.__init__).parameters:
        keywords["download"] = download
    try:
        Path(root).mkdir(parents=True, exist_ok=True)
        constructor: Any = dataset
        return constructor(root=root, **keywords)
    except TypeError as problem:
        raise InputError(f"{card}: [source]: torchvision's {name} does not take {arguments} ({problem})") from None
    except Exception as problem:  # the exception depends on the data set, its files and the network
        raise InputError(f"torchvision's {name} could not be loaded from {root} ({first_line(problem)})") from None


def _manifest(card: Card, part: str) -> Path:
    """The file of a part's labels and class names."""
    # another root or other arguments mean other data
    digest = json_digest([str(_root(card)), text_field(card, "dataset"), table_field(card, part)])
    return data_folder() / card.name / "torchvision" / f"{part}-{digest}.npz"


def _fetch(card: Card, report: Report) -> None:
    for part in _parts(card):
        path = _manifest(card, part)
        with files.lock(path.with_name(f".{path.name}.lock")):
            if path.exists():
                continue
            report(f"fetch: {_dataset_name(card)} into {_root(card)}")
            dataset = _open_part(card, part, download=True)
            # a class may be a tuple of synonyms, as in ImageNet
            names = [name if isinstance(name, str) else name[0] for name in getattr(dataset, "classes", None) or ()]
            labels = _read_labels(dataset, _dataset_name(card))
            partial = path.with_name(f".{path.stem}.{os.getpid()}.part.npz")
            np.savez(partial, labels=labels, names=np.array(names, np.str_))
            # atomic, since the manifest marks a part as complete
            os.replace(partial, path)
        _labels_of(card, part)


def _read_labels(dataset: Any, name: str) -> Labels:
    """The labels (N,) of all samples: from an attribute of the data set if it agrees with three samples, else from each sample.

    Reading each sample decodes its image, so the attribute saves minutes on a large data set.
    """
    # first, middle and last: data sets are often sorted by class
    probes = sorted({0, len(dataset) // 2, len(dataset) - 1})
    pair_lists = [getattr(dataset, "samples", None), getattr(dataset, "_samples", None)]
    columns = [getattr(dataset, attribute, None) for attribute in LABEL_ATTRIBUTES]
    columns += [[pair[1] for pair in pairs] for pairs in pair_lists if pairs]
    for column in columns:
        if column is None or len(column) != len(dataset):
            continue
        values = np.asarray(column)
        # one integer per sample; attributes of segmentation or regression data look otherwise
        if values.ndim == 1 and values.dtype.kind in "iu" and all(int(values[i]) == int(dataset[i][1]) for i in probes):
            return values.astype(np.int64)
    labels = []
    for i in range(len(dataset)):
        label = dataset[i][1]
        if not isinstance(label, int | np.integer):
            raise InputError(
                f"{name}: sample {i} has label {label!r}, not a class; select a data set for classification"
            )
        labels.append(int(label))
    return np.array(labels, np.int64)


def _present(card: Card) -> bool:
    return all(_manifest(card, part).exists() for part in _parts(card))


def _labels_of(card: Card, part: str) -> Labels:
    """The labels of a part; raises InputError if its class names contradict the card."""
    path = _manifest(card, part)
    if not path.exists():
        raise InputError(
            f"{card_path(card)}: {_dataset_name(card)} is not on this machine; `python -m benchmark fetch` downloads it"
        )
    with np.load(path, allow_pickle=False) as file:
        labels, names = file["labels"], [str(name) for name in file["names"]]
    if names:
        check_class_names(card, names, _dataset_name(card))
    return labels


def _image(card: Card, part: str, i: int) -> Any:
    return _open_part(card, part)[i][0]


def _examples(card: Card, split: str) -> Examples:
    part = part_of(card, split, _parts(card))
    labels, count = _labels_of(card, part), len(_open_part(card, part))
    name = f"{_dataset_name(card)}, {part}"
    if count != len(labels):
        raise InputError(
            f"{name}: has {count} images, but had {len(labels)} when it was fetched; "
            f"remove {_manifest(card, part)} and fetch it again"
        )
    rows = rows_of(card, split, _parts(card), labels, name)
    # images are decoded when they are embedded, so a large split needs little memory
    images = [LazyImage(functools.partial(_image, card, part, int(i)), f"{name}: image {i}") for i in rows]
    return Examples(images, labels[rows])


def _sample_digest(card: Card, split: str) -> str:
    return labels_digest(_labels_of(card, part_of(card, split, _parts(card))))


SOURCE = Source(
    _examples,
    description="a classification data set of torchvision",
    options=("dataset", "root", "all", "train", "val", "test", "sample"),
    sample_digest=_sample_digest,
    fetch=_fetch,
    present=_present,
)
