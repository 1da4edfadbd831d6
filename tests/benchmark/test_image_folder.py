"""Cards for the user's own folders of images: which folders are accepted, and the errors for the others."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.errors import InputError
from benchmark.tasks import sources
from benchmark.tasks.image_folder import card_from_folder

Pictures = Callable[..., Path]


def test_folder_becomes_a_card_of_all_its_images(tmp_path: Path, pictures: Pictures) -> None:
    root = pictures(tmp_path / "animals")
    (root / ".cache").mkdir()
    (root / "notes.txt").write_text("no image")
    card, skipped = card_from_folder(root, "a drawing of a {c}")
    assert skipped == []
    assert card.classes == ("cat", "old dog")
    assert card.prompts() == ["a drawing of a cat", "a drawing of a old dog"]
    examples = sources.load(card, "train")
    assert len(examples.images) == card.sizes["train"] == 24
    assert [p.parent.name for p in examples.images] == [("cat", "old_dog")[label] for label in examples.labels]


def test_few_unreadable_images_are_skipped_and_reported(tmp_path: Path, pictures: Pictures) -> None:
    root = pictures(tmp_path / "animals")
    (root / "cat" / "3.png").write_bytes(b"\x89PNG nothing")
    (root / "old_dog" / "empty.jpg").write_bytes(b"")
    card, skipped = card_from_folder(root)
    assert all("fix or remove it" not in line for line in skipped)
    assert [Path(line.split(":")[0]).name for line in skipped] == ["3.png", "empty.jpg"]
    examples = sources.load(card, "train")
    assert card.sizes["train"] == len(examples.images) == 23
    assert not {"3.png"} & {p.name for p in examples.images if p.parent.name == "cat"}
    assert np.bincount(examples.labels).tolist() == [11, 12]


def test_huge_image_is_skipped_as_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: Pictures
) -> None:
    root = pictures(tmp_path / "animals")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400 * 30)
    Image.new("RGB", (500, 30)).save(root / "cat" / "huge.png")
    card, skipped = card_from_folder(root)
    assert len(skipped) == 1
    assert "huge.png" in skipped[0]
    assert card.sizes["train"] == 24


def test_class_names_come_from_a_file(tmp_path: Path, pictures: Pictures) -> None:
    root = pictures(tmp_path / "animals", ("n01", "n02"))
    names = tmp_path / "names.csv"
    names.write_text('n02,"dog, old"\nn01,cat\nn03,cow\n')
    assert card_from_folder(root, names=names)[0].classes == ("cat", "dog, old")
    names.write_text("n01,cat\n")
    with pytest.raises(InputError, match=r"names\.csv: has no class name for folder 'n02'; add a line `n02,NAME`"):
        card_from_folder(root, names=names)
    names.write_text("n01,cat\nn02\n")
    with pytest.raises(InputError, match=r"names\.csv: line 2 should be `folder,class name`, found 'n02'"):
        card_from_folder(root, names=names)
    names.write_text("n01,cat\nn02,cat\n")
    with pytest.raises(InputError, match="two classes have the name 'cat'"):
        card_from_folder(root, names=names)
    names.write_bytes(b"n01,caf\xe9\n")
    with pytest.raises(InputError, match=r"names\.csv: cannot be read as class names"):
        card_from_folder(root, names=names)
    with pytest.raises(InputError, match=r"none\.csv: cannot be read as class names"):
        card_from_folder(root, names=tmp_path / "none.csv")


def check_refused(path: Path, message: str, **options: object) -> None:
    with pytest.raises(InputError) as caught:
        card_from_folder(path, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_invalid_folder_is_refused_in_one_line(tmp_path: Path, pictures: Pictures) -> None:
    check_refused(tmp_path / "nothing", "nothing: there is no such folder")
    (tmp_path / "file.png").write_bytes(b"x")
    check_refused(tmp_path / "file.png", "file.png: is a file; give a folder with one sub-folder of images per class")
    (tmp_path / "empty").mkdir()
    check_refused(tmp_path / "empty", "empty: has no sub-folders")
    check_refused(pictures(tmp_path / "one", ("cat",)), "one: contains one class, 'cat'; a task needs at least 2")
    few = pictures(tmp_path / "few")
    for path in list((few / "cat").iterdir())[1:]:
        path.unlink()
    check_refused(few, "cat: one image; a class needs at least 2")
    next((few / "cat").iterdir()).unlink()
    check_refused(few, "cat: no image; a class needs at least 2")
    (few / "cat" / "bad.png").write_bytes(b"x")
    check_refused(few, "cat: no image that can be read (1 cannot: ")
    check_refused(pictures(tmp_path / "fine"), "template 'cat' does not contain {c}", template="cat")


def test_many_unreadable_images_are_an_error(tmp_path: Path, pictures: Pictures) -> None:
    root = pictures(tmp_path / "animals")
    for i in range(4):
        (root / "cat" / f"{i}.png").write_bytes(b"x")
    check_refused(root, "4 of 24 images cannot be read, more than 10%, the first: ")


def test_circular_and_broken_links_are_reported(tmp_path: Path, pictures: Pictures) -> None:
    root = pictures(tmp_path / "animals")
    (root / "loop").symlink_to("loop")
    check_refused(root, "loop: is a broken or circular link")
    (root / "loop").unlink()
    (root / "lost").symlink_to(tmp_path / "nowhere")
    check_refused(root, "lost: is a broken or circular link")
    (root / "lost").unlink()
    (root / "up").symlink_to("..", target_is_directory=True)
    check_refused(root, "up: no image")
    (root / "up").unlink()
    (root / "cat" / "again.png").symlink_to("again.png")
    assert card_from_folder(root)[0].sizes["train"] == 24


def test_names_that_are_not_utf8_are_refused_for_classes_and_accepted_for_images(
    tmp_path: Path, pictures: Pictures
) -> None:
    root = pictures(tmp_path / "animals")
    os.rename(os.fsencode(root / "cat" / "0.png"), os.fsencode(root / "cat") + b"/\xe9.png")
    card, skipped = card_from_folder(root)
    assert (card.sizes["train"], skipped) == (24, [])
    assert len(sources.source_of(card).sample_digest(card, "train")) == 64
    os.mkdir(os.fsencode(root) + b"/caf\xe9")
    check_refused(root, r"contains a name that is not UTF-8 ('caf\udce9'); rename it")
