"""Cards, suites and sources: errors are one line with the file and the field."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmark.errors import BenchmarkError, CardError, InputError, SuiteError, UsageError
from benchmark.suites import suite
from benchmark.tasks import cards, sources
from benchmark.tasks.fingerprint import task_fingerprint

CARD = """\
name = "mine"
title = "My task"
templates = ["a {c}", "one {c}"]
classes = ["red", "blue"]
[splits]
train = 20
val = 4
test = 6
[source]
kind = "pocket"
scene = "object"
attribute = "colour"
"""


def write_card(folder: Path, text: str = CARD) -> cards.Card:
    (folder / "mine.toml").write_text(text)
    return cards.read(folder / "mine.toml")


def check_one_line(caught: "pytest.ExceptionInfo[BenchmarkError]", *parts: str) -> None:
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_card_is_read(tmp_path: Path) -> None:
    card = write_card(tmp_path)
    assert card.prompts() == ["a red", "one red", "a blue", "one blue"]
    assert card.sizes == {"train": 20, "val": 4, "test": 6}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "My task"\n', "", "field 'title' is missing; add a string"),
        ('title = "My task"', "title = 3", "field 'title' should be a string, found 3"),
        ('"red", "blue"', '"red"', "field 'classes' needs at least 2 entries, found 1"),
        ('"red", "blue"', '"red", "red"', "field 'classes' contains 'red' twice"),
        ('"red", "blue"', '"red", ""', "field 'classes' should contain non-blank strings, but entry 2 is ''"),
        ('"a {c}"', '"a class"', "field 'templates' contains 'a class' without {c}"),
        ("train = 20", "train = 1", "[splits]: field 'train' is 1: fewer samples than the 2 classes"),
        ("train = 20", 'train = "20"', "[splits]: field 'train' should be an integer, found '20'"),
        ("val = 4\n", "", "[splits]: field 'val' is missing"),
        ('name = "mine"', 'name = "other"', "field 'name' is 'other', but the file is mine.toml"),
        ('title = "My task"', 'titel = "x"\ntitle = "y"', "field 'titel' is unknown"),
        ("[source]\n", "[source]\n\n[[", "not valid TOML"),
        ("[source]\n", "[source]\nfixed = 2020-01-01\n", "[source]: field 'kind' has a date or time as an option"),
    ],
)
def test_invalid_card_is_reported(old: str, new: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(CardError) as caught:
        write_card(tmp_path, CARD.replace(old, new))
    check_one_line(caught, "mine.toml", message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "pocket"', 'kind = "pockte"', "unknown source 'pockte': did you mean pocket?"),
        ('scene = "object"', 'scene = "objekt"', "field 'scene' is 'objekt'; known: object"),
        ('"red", "blue"', '"red", "ultraviolet"', "'ultraviolet' cannot be drawn by scene 'object'"),
        ("[source]", "[source]\nimbalence = 3", "field 'imbalence' is not an option of source 'pocket'"),
        ("[source]", "[source]\nimbalance = 'k'", "field 'imbalance' should be a number in 1..1000, found 'k'"),
        ('scene = "object"', "scene = [1]", "field 'scene' should be a non-empty string, found [1]"),
        ("[source]", "[source]\nfixed = 3", "field 'fixed' should be a table, found 3"),
        ("[source]", "[source]\nstyle = {noize = 3.0}", "field 'style.noize' is not known; known: tilt, noise"),
        ("[source]", "[source]\nstyle = {noise = true}", "field 'style.noise' should be of type float, found True"),
    ],
)
def test_invalid_source_is_reported(old: str, new: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(CardError) as caught:
        sources.load(write_card(tmp_path, CARD.replace(old, new)), "train")
    check_one_line(caught, "mine.toml", message)


def test_missing_and_unknown_cards_are_reported(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"none\.toml: there is no such file"):
        cards.load("none.toml", tmp_path)
    with pytest.raises(UsageError, match="unknown task 'shape': did you mean shapes"):
        cards.load("shape")


# folders of images


FOLDER = (
    CARD.replace('"red", "blue"', '"cat", "dog"').split("[source]")[0] + '[source]\nkind = "folder"\npath = "images"\n'
)
FOLDER = FOLDER.replace("train = 20", "train = 12")


def test_folder_is_cut_into_balanced_disjoint_splits(tmp_path: Path, pictures: Callable[..., Path]) -> None:
    pictures(tmp_path / "images", ("cat", "dog"))
    card = write_card(tmp_path, FOLDER)
    splits = {split: sources.load(card, split) for split in cards.SPLITS}
    files = [path for s in splits.values() for path in s.images]
    assert len(set(files)) == len(files) == 22
    for s in splits.values():
        assert all(path.parent.name == ("cat", "dog")[label] for path, label in zip(s.images, s.labels, strict=True))
        assert abs(np.bincount(s.labels)[0] - np.bincount(s.labels)[1]) <= 1
    repeated = sources.load(write_card(tmp_path, FOLDER), "train")
    assert repeated.images == splits["train"].images


def test_changed_file_times_change_the_sample_digest_but_not_the_task_fingerprint(
    tmp_path: Path, pictures: Callable[..., Path]
) -> None:
    pictures(tmp_path / "images", ("cat", "dog"))
    card = write_card(tmp_path, FOLDER)
    before, fingerprint = sources.source_of(card).sample_digest(card, "train"), task_fingerprint(card)
    for path in (tmp_path / "images").rglob("*.png"):
        os.utime(path, (1, 1))
    assert sources.source_of(card).sample_digest(card, "train") != before
    assert task_fingerprint(card) == fingerprint


def test_invalid_folder_is_reported(tmp_path: Path, pictures: Callable[..., Path]) -> None:
    pictures(tmp_path / "images", ("cat", "dog"))
    with pytest.raises(CardError, match=r"field 'path' is 'other', and .* is not a folder"):
        sources.load(write_card(tmp_path, FOLDER.replace('"images"', '"other"')), "train")
    with pytest.raises(InputError, match="0 images for class 'cow'"):
        sources.load(write_card(tmp_path, FOLDER.replace('"dog"', '"cow"')), "train")
    with pytest.raises(CardError, match="field 'folders' should name one folder for each of the 2 classes"):
        sources.load(write_card(tmp_path, FOLDER + 'folders = ["cat"]'), "train")
    with pytest.raises(CardError, match="field 'path' should be a non-empty string, found 5"):
        sources.load(write_card(tmp_path, FOLDER.replace('"images"', "5")), "train")
    with pytest.raises(CardError, match="need 40 samples, but there are only 24; lower the sizes"):
        sources.load(write_card(tmp_path, FOLDER.replace("train = 12", "train = 30")), "train")


def test_unreadable_image_is_reported(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"\x89PNG nothing")
    with pytest.raises(InputError, match=r"bad\.png: cannot be read as an image .*; fix or remove it") as caught:
        sources.read_image(tmp_path / "bad.png")
    assert caught.value.remedy == "fix or remove it"
    assert str(caught.value) == f"{caught.value.problem}; fix or remove it"


# suites

SUITE = """\
name = "own"
seeds = [0, 1]
tasks = ["shapes", "mine.toml"]
ledger = "gains"
[techniques.clip_adapter]
rate = 1e-3
batch = 10
epochs = 2
[[models]]
name = "clip"
load = "hf-hub:org/name"
"""


def write_suite(folder: Path, text: str = SUITE) -> suite.Suite:
    (folder / "mine.toml").write_text(CARD)
    (folder / "own.toml").write_text(text)
    return suite.load(str(folder / "own.toml"))


def test_suite_is_read(tmp_path: Path) -> None:
    own = write_suite(tmp_path)
    assert [card.name for card in own.tasks] == ["shapes", "mine"]
    assert own.ledger == tmp_path / "gains"
    assert own.techniques[0].options == {"rate": 1e-3, "batch": 10, "epochs": 2}
    assert [card.name for card in own.subset(None, ["mine"]).tasks] == ["mine"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds = [0, 1]", "seeds = [0, 0]", "field 'seeds' should contain distinct integers"),
        ("seeds = [0, 1]", "", "field 'seeds' is missing; add a list"),
        ('"shapes", "mine.toml"', '"shapes", "shapes"', "field 'tasks' contains 'shapes' twice"),
        ("rate = 1e-3", "", "[techniques.clip_adapter]: field 'rate' is missing; add a number above 0"),
        ("rate = 1e-3", 'rate = "x"', "[techniques.clip_adapter]: field 'rate' should be a number, found 'x'"),
        ('load = "hf-hub:org/name"', 'load = "local-dir:nowhere"', "has no open_clip_config.json"),
        (
            'load = "hf-hub:org/name"',
            'load = "hf-hub:org/name"\nbpe = "none.gz"',
            "field 'bpe' is 'none.gz', but there is no",
        ),
        ('load = "hf-hub:org/name"', 'load = "ViT-B-32"', "field 'load' is 'ViT-B-32'; give ARCHITECTURE/TAG"),
        ("rate = 1e-3", "rate = nan", "field 'rate' is nan; give a number above 0"),
        ("epochs = 2", "epochs = 2.5", "field 'epochs' is 2.5; give a whole number"),
        (
            "epochs = 2",
            "epochs = 2\nwarm_up = 1",
            "field 'warm_up' is not an option of technique 'clip_adapter'; known: optimizer, schedule, rate",
        ),
        ("epochs = 2", 'epochs = 2\noptimizer = "adam"', "field 'optimizer' is 'adam'; give one of adamw, sgd"),
        ('load = "hf-hub:org/name"', "", "[[models]] entry 1: field 'load' is missing"),
        ('name = "own"', 'name = "owm"', "field 'name' is 'owm', but the file is own.toml"),
        ('name = "own"', 'name = "own"\ncolour = "red"', "field 'colour' is unknown"),
        (
            "[techniques.clip_adapter]\nrate = 1e-3\nbatch = 10\nepochs = 2\n",
            "[techniques]\n",
            "field 'techniques' is empty",
        ),
        ("seeds = [0, 1]", "seeds = [0, 1]\ncross_task_images = 0", "should be a whole number of at least 1, found 0"),
        ("epochs = 2", "epochs = 2\nfamilies = 3", "'families' should contain a table for each family, found 3"),
        (
            "epochs = 2",
            "epochs = 2\nfamilies.clip.rate = -1",
            "[techniques.clip_adapter.families.clip]: field 'rate' is -1",
        ),
        (
            "epochs = 2",
            "epochs = 2\nfamilies.clip.rate = 1e-4",
            "has clip_adapter.families.clip; families of the models: none; add `family` to the models",
        ),
    ],
)
def test_invalid_suite_is_reported(old: str, new: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SuiteError) as caught:
        write_suite(tmp_path, SUITE.replace(old, new))
    check_one_line(caught, "own.toml", message)


def test_options_of_a_family_replace_those_of_the_technique(tmp_path: Path) -> None:
    text = SUITE.replace("epochs = 2", "epochs = 2\nfamilies.clip.rate = 1e-4")
    text += 'family = "clip"\n[[models]]\nname = "other"\nload = "hf-hub:org/other"\n'
    own = write_suite(tmp_path, text)
    assert own.options("clip_adapter", "clip") == {"rate": 1e-4, "batch": 10, "epochs": 2}
    assert own.options("clip_adapter", "other") == {"rate": 1e-3, "batch": 10, "epochs": 2}
    assert own.techniques[0].options == own.options("clip_adapter", "other")


def test_unknown_technique_is_reported_before_anything_is_measured(tmp_path: Path) -> None:
    from benchmark.finetuning.measure import measure

    own = write_suite(tmp_path, SUITE.replace("clip_adapter]", "clip_adaptor]"))
    with pytest.raises(UsageError, match="unknown technique 'clip_adaptor': did you mean clip_adapter"):
        measure(own, part=own, root=tmp_path, jobs=1, quiet=True)


def test_unknown_name_gets_suggestions(tmp_path: Path) -> None:
    own = write_suite(tmp_path)
    with pytest.raises(UsageError, match="unknown model 'klip': did you mean clip") as caught:
        own.subset(["klip"], None)
    assert caught.value.suggestions == ("clip",)
    with pytest.raises(UsageError, match="unknown task 'shaqes': did you mean shapes"):
        own.subset(None, ["shaqes"])
    with pytest.raises(UsageError, match="unknown suite 'poket': did you mean pocket"):
        suite.load("poket")
    with pytest.raises(SuiteError, match="there is no such file"):
        suite.load(str(tmp_path / "none.toml"))
