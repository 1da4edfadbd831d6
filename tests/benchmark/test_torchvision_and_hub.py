"""Data sets in torchvision's and Hugging Face's layouts on disk, written by the tests and read back."""

import csv
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.errors import InputError
from benchmark.tasks import cards, sources
from benchmark.tasks.cards import Card


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCHMARK_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def write_card(folder: Path, classes: list[str], sizes: tuple[int, int, int], source: str) -> Card:
    (folder / "own.toml").write_text(
        f'name = "own"\ntitle = "own"\nclasses = {classes!r}\ntemplates = ["a {{c}}"]\n'
        f"[splits]\ntrain = {sizes[0]}\nval = {sizes[1]}\ntest = {sizes[2]}\n[source]\n{source}"
    )
    return cards.read(folder / "own.toml")


def encode_label(label: int, i: int, size: int = 32) -> np.ndarray:
    """An image whose brightness encodes its label; i makes the images of a class differ."""
    return np.full((size, size, 3), 20 * label + i % 7, np.uint8)


def check_labels(card: Card, levels: int = 20) -> None:
    reports: list[str] = []
    sources.fetch(card, reports.append)
    assert reports
    for split in cards.SPLITS:
        examples = sources.load(card, split)
        assert len(examples.labels) == card.sizes[split]
        decoded = [int(np.asarray(sources.read_image(item)).mean()) // levels for item in examples.images]
        assert decoded == list(examples.labels)
    assert sources.source_of(card).present(card)
    reports.clear()
    sources.fetch(card, reports.append)
    assert not reports


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write_mnist(root: Path, name: str = "MNIST") -> None:
    raw = root / name / "raw"
    raw.mkdir(parents=True)
    for part, n in (("train", 60), ("t10k", 30)):
        labels = np.arange(n) % 10
        images = np.stack([encode_label(k, i, 28)[..., 0] for i, k in enumerate(labels)])
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))


def write_eurosat(root: Path) -> None:
    for k in range(3):
        folder = root / "eurosat" / "2750" / f"Kind{k}"
        folder.mkdir(parents=True)
        for i in range(20):
            Image.fromarray(encode_label(k, i)).save(folder / f"{i}.png")


def write_gtsrb(root: Path) -> None:
    base = root / "gtsrb" / "GTSRB"
    test = base / "Final_Test" / "Images"
    test.mkdir(parents=True)
    for k in range(3):
        folder = base / "Training" / f"{k:05d}"
        folder.mkdir(parents=True)
        for i in range(10):
            Image.fromarray(encode_label(k, i)).save(folder / f"{i:05d}.ppm")
    with (root / "gtsrb" / "GT-final_test.csv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["Filename", "ClassId"])
        for i in range(9):
            Image.fromarray(encode_label(i % 3, i)).save(test / f"{i:05d}.ppm")
            writer.writerow([f"{i:05d}.ppm", i % 3])


def write_dtd(root: Path) -> None:
    base = root / "dtd" / "dtd"
    (base / "labels").mkdir(parents=True)
    for k, name in enumerate(("banded", "dotted")):
        (base / "images" / name).mkdir(parents=True)
        for i in range(9):
            Image.fromarray(encode_label(k, i)).save(base / "images" / name / f"{name}_{i}.jpg", quality=100)
    for part, rows in (("train", range(3)), ("val", range(3, 6)), ("test", range(6, 9))):
        lines = [f"{name}/{name}_{i}.jpg" for name in ("banded", "dotted") for i in rows]
        (base / "labels" / f"{part}1.txt").write_text("\n".join(lines) + "\n")


BY_FLAG = "train = { train = true }\ntest = { train = false }\n"
DIGITS = [str(k) for k in range(10)]


@pytest.mark.parametrize(
    ("name", "write", "classes", "sizes", "parts"),
    [
        ("MNIST", write_mnist, DIGITS, (50, 10, 30), BY_FLAG),
        ("FashionMNIST", lambda root: write_mnist(root, "FashionMNIST"), DIGITS, (40, 20, 30), BY_FLAG),
        ("KMNIST", lambda root: write_mnist(root, "KMNIST"), DIGITS, (50, 10, 30), BY_FLAG),
        ("EuroSAT", write_eurosat, ["zero", "one", "two"], (36, 12, 12), "all = {}\n"),
        (
            "GTSRB",
            write_gtsrb,
            ["stop", "yield", "left"],
            (24, 6, 9),
            'train = { split = "train" }\ntest = { split = "test" }\n',
        ),
        (
            "DTD",
            write_dtd,
            ["banded", "dotted"],
            (6, 6, 6),
            'train = { split = "train" }\nval = { split = "val" }\ntest = { split = "test" }\n',
        ),
    ],
)
def test_torchvision_data_set_is_read_from_disk(
    tmp_path: Path,
    data: Path,
    name: str,
    write: Callable[[Path], None],
    classes: list[str],
    sizes: tuple[int, int, int],
    parts: str,
) -> None:
    write(data / "torchvision")
    check_labels(write_card(tmp_path, classes, sizes, f'kind = "torchvision"\ndataset = "{name}"\n{parts}'))


def test_torchvision_class_names_in_another_order_are_refused(tmp_path: Path, data: Path) -> None:
    write_dtd(data / "torchvision")
    parts = 'train = { split = "train" }\nval = { split = "val" }\ntest = { split = "test" }\n'
    card = write_card(tmp_path, ["dotted", "banded"], (6, 6, 6), f'kind = "torchvision"\ndataset = "DTD"\n{parts}')
    with pytest.raises(InputError, match="class 0 is 'banded', but 'dotted' in"):
        sources.fetch(card, lambda text: None)
    with pytest.raises(InputError, match="class 0 is 'banded', but 'dotted' in"):
        sources.load(card, "train")  # checked on every use, not only after the download


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('dataset = "Nothing"\nall = {}\n', "torchvision has no data set 'Nothing'"),
        ('dataset = "transforms"\nall = {}\n', "torchvision has no data set 'transforms'"),
        ('dataset = "DTD"\nall = { colour = 3 }\n', "torchvision's DTD does not take"),
        ('dataset = "ImageFolder"\nall = {}\n', "torchvision's ImageFolder could not be loaded from"),
        ('dataset = "DTD"\n', "field 'train' is missing"),
    ],
)
def test_torchvision_error_is_one_line(tmp_path: Path, source: str, message: str) -> None:
    card = write_card(tmp_path, ["a", "b"], (6, 6, 6), f'kind = "torchvision"\n{source}')
    with pytest.raises(InputError, match=message) as caught:
        sources.fetch(card, lambda text: None)
    assert "\n" not in str(caught.value)


def test_data_set_that_is_not_fetched_is_reported_with_the_command(tmp_path: Path) -> None:
    card = write_card(tmp_path, DIGITS, (50, 10, 30), f'kind = "torchvision"\ndataset = "MNIST"\n{BY_FLAG}')
    assert not sources.source_of(card).present(card)
    with pytest.raises(InputError, match=r"MNIST is not on this machine; `python -m benchmark fetch` downloads it"):
        sources.load(card, "train")


# Hugging Face


def write_hub_layout(root: Path) -> None:
    """An image-folder data set, as `load_dataset` reads it from disk."""
    for part, n in (("train", 24), ("test", 9)):
        for i in range(n):
            folder = root / part / ("banded", "dotted", "plain")[i % 3]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(encode_label(i % 3, i)).save(folder / f"{i:03d}.png")


HUB = 'kind = "huggingface"\nrepo = "hub"\ntrain = "train"\ntest = "test"\n'


@pytest.mark.parametrize("rows", [5000, 7])
def test_hub_data_set_is_streamed_into_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    pytest.importorskip("datasets", reason="the extra `huggingface` is not installed")
    from benchmark.tasks.sources import huggingface

    monkeypatch.setattr(huggingface, "ROWS_PER_SHARD", rows)
    write_hub_layout(tmp_path / "hub")
    check_labels(write_card(tmp_path, ["banded", "dotted", "plain"], (18, 6, 9), HUB))
    assert len(list((tmp_path / "data").rglob("train/*.tar"))) == -(-24 // rows)


def test_interrupted_stream_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets", reason="the extra `huggingface` is not installed")
    from benchmark.tasks.sources import huggingface

    monkeypatch.setattr(huggingface, "ROWS_PER_SHARD", 10)
    write_hub_layout(tmp_path / "hub")
    card = write_card(tmp_path, ["banded", "dotted", "plain"], (18, 6, 9), HUB)
    write, written = huggingface.write_shard, []

    def once(path: Path, samples: object) -> int:
        if written:
            raise KeyboardInterrupt
        written.append(path)
        return write(path, samples)

    monkeypatch.setattr(huggingface, "write_shard", once)
    with pytest.raises(KeyboardInterrupt):
        sources.fetch(card, lambda text: None)
    monkeypatch.setattr(huggingface, "write_shard", write)
    first_written = written[0].stat().st_mtime_ns
    check_labels(card)
    assert written[0].stat().st_mtime_ns == first_written


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            HUB.replace('"hub"', '"nobody/nothing-here"'),
            "Hugging Face data set 'nobody/nothing-here': could not be loaded",
        ),
        (HUB.replace('train = "train"', 'train = "practice"'), "could not be loaded"),
        (HUB + 'image = "picture"\n', "could not be loaded|have no image 'picture'"),
        (HUB + 'label = "kind"\n', "have no image 'image' or no class 'kind'"),
    ],
)
def test_hub_error_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str) -> None:
    pytest.importorskip("datasets", reason="the extra `huggingface` is not installed")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    write_hub_layout(tmp_path / "hub")
    card = write_card(tmp_path, ["banded", "dotted", "plain"], (18, 6, 9), source)
    with pytest.raises(InputError, match=message) as caught:
        sources.fetch(card, lambda text: None)
    assert "\n" not in str(caught.value)


def test_hub_class_names_in_another_order_are_refused_on_fetch_and_on_load(tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="the extra `huggingface` is not installed")
    write_hub_layout(tmp_path / "hub")
    check_labels(write_card(tmp_path, ["banded", "dotted", "plain"], (18, 6, 9), HUB))
    card = write_card(tmp_path, ["dotted", "banded", "plain"], (18, 6, 9), HUB)
    for use in (lambda: sources.fetch(card, lambda text: None), lambda: sources.load(card, "train")):
        with pytest.raises(InputError, match="put the card's classes into the order of the data"):
            use()


def test_hub_label_outside_the_classes_is_found_before_the_download_ends(tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="the extra `huggingface` is not installed")
    write_hub_layout(tmp_path / "hub")
    for part in ("train", "test"):
        (tmp_path / "hub" / part / "plain").rename(tmp_path / "hub" / part / "zigzag")
    (tmp_path / "hub" / "train" / "extra").mkdir()
    Image.fromarray(encode_label(1, 1)).save(tmp_path / "hub" / "train" / "extra" / "0.png")
    with pytest.raises(InputError, match=r"has 4 class names, but .*own\.toml has 3|a row has label 3"):
        sources.fetch(write_card(tmp_path, ["banded", "dotted", "zigzag"], (18, 6, 9), HUB), lambda text: None)
