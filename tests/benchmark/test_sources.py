"""Sources of images: what they accept, what they refuse and how, and that what they give is what the card says."""

import csv
import http.server
import io
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.errors import CardError, InputError, UsageError
from benchmark.tasks import cards, sources
from benchmark.tasks.cards import Card
from benchmark.tasks.new_card import new_card
from benchmark.tasks.sources import download, tars
from benchmark.tasks.sources.base import StoredImage

CLASSES = ("dark", "light", "red")
HEAD = """\
name = "{name}"
title = "Three tones"
classes = ["dark", "light", "red"]
templates = ["a {{c}} picture"]
homepage = "https://example.org/tones"
[splits]
train = {train}
val = {val}
test = {test}
"""


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_DATA", str(tmp_path / "data"))


def write_card(folder: Path, source: str, train: int = 18, val: int = 3, test: int = 9, name: str = "tones") -> Card:
    path = folder / f"{name}.toml"
    path.write_text(HEAD.format(name=name, train=train, val=val, test=test) + source)
    return cards.read(path)


def picture(label: int, i: int) -> Image.Image:
    return Image.new("RGB", (24 + i, 20), [(10 + i, 0, 0), (240, 240 - i, 240), (250, i, 9)][label])


def encoded(label: int, i: int) -> bytes:
    out = io.BytesIO()
    picture(label, i).save(out, "PNG")
    return out.getvalue()


def tone(item: sources.Item) -> int:
    """The label that a picture shows."""
    red, green, _ = np.asarray(sources.read_image(item)).reshape(-1, 3).mean(0)
    return 0 if red < 100 else 1 if green > 150 else 2


def labels_are_right(card: Card, splits: tuple[str, ...] = cards.SPLITS) -> None:
    for split in splits:
        examples = sources.load(card, split)
        assert len(examples.labels) == card.sizes[split]
        assert [tone(item) for item in examples.images] == list(examples.labels)


def samples(n: int) -> Iterator[tuple[bytes, str, int]]:
    return ((encoded(i % 3, i), ".png", i % 3) for i in range(n))


def write_shards(root: Path, train: int = 21, test: int = 9, names: str = "dark\nlight\nred\n") -> Path:
    for part, n in (("train", train), ("test", test)):
        half = list(samples(n))
        tars.write_shard(root / part / "0.tar", half[: n // 2])
        tars.write_shard(root / part / "1.tar", half[n // 2 :])
        (root / part / "nshards.txt").write_text("2\n")
    (root / "classnames.txt").write_text(names)
    (root / "zeroshot_classification_templates.txt").write_text("a {c} picture\nthe {c} one\n")
    return root


SHARDS = '[source]\nkind = "webdataset"\npath = "shards"\ntrain = "train"\ntest = "test"\n'


# shards on disk


def test_shards_are_read_in_place_and_cut_as_the_card_says(tmp_path: Path) -> None:
    write_shards(tmp_path / "shards")
    card = write_card(tmp_path, SHARDS)
    labels_are_right(card)
    train, val = (sources.load(card, split) for split in ("train", "val"))
    assert not {item.name + str(item.path) for item in train.images} & {
        item.name + str(item.path) for item in val.images
    }
    assert sorted(val.labels) == [0, 1, 2]  # cut class by class
    assert sources.source_of(card).present(card)
    assert not list(tmp_path.glob("shards/**/*.png"))


def test_the_sample_list_of_shards_changes_with_them(tmp_path: Path) -> None:
    root = write_shards(tmp_path / "shards")
    card = write_card(tmp_path, SHARDS)
    before = sources.source_of(card).sample_list(card, "train")
    tars.write_shard(root / "train" / "1.tar", list(samples(15)))
    assert sources.source_of(card).sample_list(card, "train") != before
    assert sources.source_of(card).sample_list(card, "test") != before


def test_sizes_that_differ_from_the_card_are_refused_and_may_be_sampled(tmp_path: Path) -> None:
    write_shards(tmp_path / "shards")
    card = write_card(tmp_path, SHARDS, train=12)
    with pytest.raises(InputError, match=r"21 images, where .*tones\.toml expects 15; .*`sample = true`"):
        sources.load(card, "train")
    labels_are_right(write_card(tmp_path, SHARDS + "sample = true\n", train=12))
    with pytest.raises(InputError, match="expects 33"):
        sources.load(write_card(tmp_path, SHARDS + "sample = true\n", train=30), "train")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("dark\nlight\n", "names 2 classes, where .*tones.toml has 3"),
        ("light\ndark\nred\n", "class 0 is 'light' there and 'dark' in .*tones.toml; the orders differ"),
    ],
)
def test_class_names_beside_the_shards_are_held_against_the_card(tmp_path: Path, names: str, said: str) -> None:
    write_shards(tmp_path / "shards", names=names)
    with pytest.raises(InputError, match=said):
        sources.load(write_card(tmp_path, SHARDS), "train")


@pytest.mark.parametrize(
    ("ours", "theirs", "agree"),
    [
        (["missile", "projectile"], ["missile", "missile"], True),
        (["cardigan dog", "cardigan"], ["Cardigan", "cardigan"], True),
        (["猫", "狗"], ["猫", "狗"], True),
        (["C", "C++", "C#"], ["C", "C++", "C#"], True),
        (["猫", "狗"], ["狗", "猫"], False),
        (["annual crop", "forest"], ["Forest", "AnnualCrop"], False),
    ],
)
def test_class_names_are_compared_as_words(tmp_path: Path, ours: list[str], theirs: list[str], agree: bool) -> None:
    from benchmark.tasks.sources.splits import check_names

    card = replace(write_card(tmp_path, SHARDS), classes=tuple(ours))
    if agree:
        check_names(card, theirs, "data")
    else:
        with pytest.raises(InputError, match="the orders differ"):
            check_names(card, theirs, "data")


def test_other_words_for_the_same_classes_are_accepted(tmp_path: Path) -> None:
    write_shards(tmp_path / "shards", names="a dark tone\nLight\nred-ish\n")
    labels_are_right(write_card(tmp_path, SHARDS))


def add(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    with tarfile.open(path, "w") as archive:
        for member, body in members:
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


IMAGE = encoded(0, 1)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([(member("../../evil.png"), IMAGE)], "leads out of the archive"),
        ([(member("/etc/evil.png"), IMAGE)], "leads out of the archive"),
        ([(member("a.png", tarfile.SYMTYPE, "/etc/passwd"), b"")], "is a link or a device"),
        ([(member("a.png", tarfile.LNKTYPE, "b.png"), b"")], "is a link or a device"),
        ([(member("a.png", tarfile.FIFOTYPE), b"")], "is a link or a device"),
        ([(member("a.png"), IMAGE)], "sample 'a' has no label"),
        ([(member("a.cls"), b"1")], "sample 'a' has no image"),
        ([(member("a.png"), IMAGE), (member("a.jpg"), IMAGE), (member("a.cls"), b"0")], "has two images"),
        ([(member("a.png"), IMAGE), (member("a.cls"), b"cat")], "should hold the number of a class, found 'cat'"),
        ([(member("a.png"), IMAGE), (member("a.cls"), b"1" * 5000)], "should hold the number of a class"),
        ([(member("a.png"), IMAGE), (member("a.cls"), b"-1")], "found '-1'"),
        ([(member("a.png"), IMAGE), (member("a.cls"), b"0"), (member("a.cls.txt"), b"1")], "has two labels"),
        ([(member("a.png"), IMAGE), (member("a.cls"), b"9" * 20)], "should hold the number of a class"),
    ],
)
def test_bad_members_are_refused_with_one_line(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], said: str
) -> None:
    add(tmp_path / "0.tar", *members)
    with pytest.raises(InputError, match=said) as caught:
        tars.index(tmp_path / "0.tar")
    assert "\n" not in str(caught.value)
    assert "0.tar" in str(caught.value)


def test_an_image_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tars, "LARGEST", 10)
    tars.write_shard(tmp_path / "0.tar", samples(1))
    with pytest.raises(InputError, match="more than an image may have"):
        tars.index(tmp_path / "0.tar")


@pytest.mark.parametrize("keep", [100, 700, -2000])
def test_a_shard_that_is_cut_off_is_refused(tmp_path: Path, keep: int) -> None:
    tars.write_shard(tmp_path / "0.tar", samples(4))
    whole = (tmp_path / "0.tar").read_bytes().rstrip(b"\0")
    (tmp_path / "0.tar").write_bytes(whole[:keep])
    with pytest.raises(InputError, match=r"0\.tar: .*(damaged|ends within|has no label)"):
        tars.index(tmp_path / "0.tar")


@pytest.mark.parametrize("body", [b"", b"no tar at all" * 100, b"\x1f\x8b" + b"0" * 600])
def test_what_is_no_tar_is_refused(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "0.tar").write_bytes(body)
    with pytest.raises(InputError, match="is damaged, or not a plain tar archive"):
        tars.index(tmp_path / "0.tar")


def test_a_shard_damaged_in_the_middle_is_not_a_shorter_one(tmp_path: Path) -> None:
    tars.write_shard(tmp_path / "0.tar", samples(10))
    whole = bytearray((tmp_path / "0.tar").read_bytes())
    start = tars.index(tmp_path / "0.tar")[0][4].offset - 512
    for put in (b"x" * 512, bytes(512)):
        (tmp_path / "0.tar").write_bytes(whole[:start] + put + whole[start + 512 :])
        with pytest.raises(InputError, match="is damaged after"):
            tars.index(tmp_path / "0.tar")
    (tmp_path / "0.tar").write_bytes(whole[:start])
    with pytest.raises(InputError, match="is damaged after"):
        tars.index(tmp_path / "0.tar")


def test_a_mended_label_is_seen(tmp_path: Path) -> None:
    root = write_shards(tmp_path / "shards")
    card = write_card(tmp_path, SHARDS)
    before = sources.source_of(card).sample_list(card, "test")
    rows = [(body, suffix, (label + 1) % 3) for body, suffix, label in samples(4)]
    tars.write_shard(root / "test" / "0.tar", rows)
    assert sources.source_of(card).sample_list(card, "test") != before


@pytest.mark.parametrize("name", ["../train", "/etc"])
def test_a_card_does_not_lead_out_of_its_data(tmp_path: Path, name: str) -> None:
    write_shards(tmp_path / "shards")
    for source in (SHARDS, SHARDS.replace("webdataset", "folder")):
        with pytest.raises(CardError, match="leads out of the folder of the data"):
            sources.load(write_card(tmp_path, source.replace('train = "train"', f'train = "{name}"')), "train")


def test_a_label_beyond_the_classes_is_refused(tmp_path: Path) -> None:
    root = write_shards(tmp_path / "shards")
    tars.write_shard(root / "test" / "0.tar", [(IMAGE, ".png", 3)])
    with pytest.raises(InputError, match=r"image 0 has label 3, but .* has 3 classes, 0 to 2"):
        sources.load(write_card(tmp_path, SHARDS), "test")


def test_truncated_images_and_bombs_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(out, "JPEG")
    tars.write_shard(tmp_path / "0.tar", [(out.getvalue()[:900], ".jpg", 0), (encoded(1, 2), ".png", 1)])
    cut, whole = tars.index(tmp_path / "0.tar")[0]
    with pytest.raises(InputError, match=r"0\.tar: s0000000\.jpg: cannot be read as an image"):
        sources.read_image(cut)
    assert sources.read_image(whole).size == (26, 20)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(InputError, match=r"s0000001\.png: cannot be read as an image .*decompression bomb"):
        sources.read_image(whole)


# shards over HTTP


@dataclass
class Server:
    """A file server on the loopback that can be made to misbehave; `asked` lists (path, Range)."""

    root: Path
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    misbehave: Callable[["http.server.BaseHTTPRequestHandler", bytes], bytes | None] | None = None


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server(write_shards(tmp_path / "served"))

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            pass

        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            state.asked.append((self.path, wanted))
            path = state.root / self.path.lstrip("/")
            if not path.is_file():
                return self.send_error(404)
            body = path.read_bytes()
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            if start and start >= len(body):
                return self.send_error(416)
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            given: bytes | None = body[start:]
            if state.misbehave:
                given = state.misbehave(self, body[start:])
            if given is not None:
                self.wfile.write(given)

    monkeypatch.setattr(download, "TIMEOUT", 10.0)
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{httpd.server_port}"
    yield state
    httpd.shutdown()
    httpd.server_close()


def at(server: Server) -> str:
    return f'[source]\nkind = "webdataset"\nurl = "{server.url}"\ntrain = "train"\ntest = "test"\n'


def fetched(card: Card) -> list[str]:
    said: list[str] = []
    sources.fetch(card, said.append)
    return said


def test_shards_are_fetched_once_and_checked(tmp_path: Path, server: Server) -> None:
    card = write_card(tmp_path, at(server))
    assert not sources.source_of(card).present(card)
    with pytest.raises(InputError, match=r"has no shards.*`python -m benchmark fetch` brings them"):
        sources.load(card, "train")
    assert any("shard 2 of 2" in line for line in fetched(card))
    labels_are_right(card)
    assert sources.source_of(card).present(card)
    asked = len(server.asked)
    fetched(card)
    assert len(server.asked) == asked


def test_a_dropped_connection_goes_on_where_it_broke(tmp_path: Path, server: Server) -> None:
    def drop(handler: http.server.BaseHTTPRequestHandler, rest: bytes) -> bytes | None:
        if handler.path.endswith("train/0.tar") and "Range" not in handler.headers:
            handler.wfile.write(rest[:3000])
            handler.connection.close()
            return None
        return rest

    server.misbehave = drop
    card = write_card(tmp_path, at(server))
    assert any("3000 of" in line and "try 2" in line for line in fetched(card))
    assert ("/train/0.tar", "bytes=3000-") in server.asked
    labels_are_right(card)


def test_a_server_that_falls_silent_is_given_up_and_what_came_is_kept(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 1.0)
    silent = threading.Event()

    def hang(handler: http.server.BaseHTTPRequestHandler, rest: bytes) -> bytes | None:
        if handler.path.endswith("train/1.tar"):
            handler.wfile.write(rest[:1000])
            handler.wfile.flush()
            silent.wait(20)
            return None
        return rest

    server.misbehave = hang
    card = write_card(tmp_path, at(server))
    with pytest.raises(
        InputError,
        match=r"train/1\.tar: cannot be fetched \(.*the same command goes on.*elsewhere: https://example.org",
    ):
        fetched(card)
    silent.set()
    monkeypatch.setattr(download, "TIMEOUT", 10.0)
    kept = next((tmp_path / "data" / "tones").glob("webdataset-*")) / "train"
    assert (kept / "0.tar").exists()
    assert (kept / "1.tar.part").stat().st_size == 1000 * download.TRIES
    server.misbehave, server.asked[:] = None, []
    (kept / "1.tar.part").write_bytes((server.root / "train" / "1.tar").read_bytes()[:1000])
    fetched(card)
    assert ("/train/1.tar", "bytes=1000-") in server.asked
    assert all(path != "/train/0.tar" for path, _ in server.asked)
    labels_are_right(card)


def test_a_shard_that_comes_damaged_is_fetched_once_more_and_then_refused(tmp_path: Path, server: Server) -> None:
    spoiled: list[str] = []

    def spoil(handler: http.server.BaseHTTPRequestHandler, rest: bytes) -> bytes:
        if handler.path.endswith(".tar") and (not spoiled or len(spoiled) < most):
            spoiled.append(handler.path)
            return b"x" * len(rest)
        return rest

    server.misbehave, most = spoil, 1
    card = write_card(tmp_path, at(server))
    fetched(card)
    labels_are_right(card)
    spoiled.clear()
    most = 99
    again = write_card(tmp_path, at(server), name="again")
    with pytest.raises(InputError, match="is damaged, or not a plain tar archive"):
        fetched(again)
    assert len(spoiled) == 2
    assert not list((tmp_path / "data" / "again").rglob("*.tar"))


@pytest.mark.parametrize(
    ("count", "said"), [("many", "should hold the number of shards"), (None, "the server says 404")]
)
def test_a_server_without_a_sound_count_is_named(tmp_path: Path, server: Server, count: str | None, said: str) -> None:
    path = server.root / "train" / "nshards.txt"
    path.unlink() if count is None else path.write_text(count)
    with pytest.raises(InputError, match=said):
        fetched(write_card(tmp_path, at(server)))


def test_no_server_at_all_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    with pytest.raises(InputError, match=r"cannot be fetched \(.*refused") as caught:
        fetched(
            write_card(tmp_path, '[source]\nkind = "webdataset"\nurl = "http://127.0.0.1:9"\ntest = "test"\n', 0, 0)
        )
    assert "\n" not in str(caught.value)


def test_the_hub_is_asked_at_its_endpoint(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shards(server.root / "datasets" / "org" / "tones" / "resolve" / "main")
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    card = write_card(tmp_path, '[source]\nkind = "webdataset"\nhub = "org/tones"\ntrain = "train"\ntest = "test"\n')
    fetched(card)
    labels_are_right(card)


def test_shards_of_another_address_are_other_shards(tmp_path: Path, server: Server) -> None:
    write_shards(server.root / "other", train=24)
    fetched(write_card(tmp_path, at(server)))
    other = write_card(tmp_path, at(server).replace(server.url, f"{server.url}/other"), train=21)
    assert not sources.source_of(other).present(other)
    fetched(other)
    labels_are_right(other)


def test_two_processes_do_not_write_one_file_together(tmp_path: Path, server: Server) -> None:
    def slowly(handler: http.server.BaseHTTPRequestHandler, rest: bytes) -> bytes | None:
        for start in range(0, len(rest), 2000):
            handler.wfile.write(rest[start : start + 2000])
            threading.Event().wait(0.02)
        return None

    server.misbehave = slowly
    url, path = f"{server.url}/train/0.tar", tmp_path / "came" / "0.tar"
    both = [threading.Thread(target=download.download, args=(url, path)) for _ in range(3)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert path.read_bytes() == (server.root / "train" / "0.tar").read_bytes()
    assert len([path for path, _ in server.asked if path == "/train/0.tar"]) == 1


# a card's sources


def test_a_card_settles_on_the_source_whose_files_are_here(tmp_path: Path) -> None:
    both = (
        SHARDS.replace("[source]", "[[source]]").replace('"shards"', '"elsewhere"')
        + "\n"
        + SHARDS.replace("[source]", "[[source]]")
    )
    card = write_card(tmp_path, both + '\n[[source]]\nkind = "npz"\npath = "tones.npz"\n')
    assert sources.resolve_source(card).source["path"] == "elsewhere"
    write_shards(tmp_path / "shards")
    assert sources.resolve_source(card).source["path"] == "shards"
    assert sources.resolve_source(card, "npz").kind == "npz"
    with pytest.raises(UsageError, match=r"unknown source 'npy'.*did you mean npz"):
        sources.resolve_source(card, "npy")


def test_an_evaluation_only_card_has_test_images_alone(tmp_path: Path) -> None:
    write_shards(tmp_path / "shards")
    card = write_card(tmp_path, SHARDS.replace('train = "train"\n', ""), 0, 0)
    assert card.evaluation_only
    labels_are_right(card, ("test",))
    with pytest.raises(InputError, match="has no train images, since it is for evaluation only"):
        sources.load(card, "train")
    with pytest.raises(CardError, match="'train' is 2: fewer samples than the 3 classes"):
        write_card(tmp_path, SHARDS, train=2, val=3)


def test_every_card_is_complete_and_known_to_its_sources() -> None:
    for name in cards.card_names():
        card = cards.load(name)
        for kind, given in card.sources:
            sources.source_of(replace(card, kind=kind, source=given))
        assert sources.resolve_source(card).name == name
        if card.kind not in ("pocket", "digits"):
            assert card.citation != "none"
            assert card.homepage.startswith("http")


# npz, CSV


def test_npz_whole_or_by_split(tmp_path: Path) -> None:
    labels = np.arange(30) % 3
    images = np.stack([np.asarray(picture(k, 0)) for k in labels])
    np.savez(tmp_path / "tones.npz", images=images, labels=labels[:, None])
    source = '[source]\nkind = "npz"\npath = "tones.npz"\n'
    labels_are_right(write_card(tmp_path, source))
    np.savez(
        tmp_path / "tones.npz", train_images=images, train_labels=labels, test_images=images[:9], test_labels=labels[:9]
    )
    card = write_card(tmp_path, source, 24, 6, 9)
    labels_are_right(card)
    np.savez(
        tmp_path / "tones.npz",
        train_images=images[..., 0],
        train_labels=labels,
        test_images=images[:9],
        test_labels=labels[:9],
    )
    assert np.asarray(sources.load(card, "train").images).shape == (24, 20, 24, 3)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.zeros(3)}, "holds x; give `images`"),
        ({"images": np.zeros((30, 4, 4, 3))}, "labels"),
        ({"images": np.zeros((30, 4, 4, 3)), "labels": np.arange(30) % 3}, "should be uint8 .*found float64"),
        (
            {"images": np.zeros((30, 4, 4, 3), np.uint8), "labels": np.ones(30)},
            "should be N whole numbers, found float64",
        ),
        ({"images": np.array([object()] * 30), "labels": np.arange(30) % 3}, "cannot be read"),
    ],
)
def test_npz_of_another_kind_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray], said: str) -> None:
    np.savez(tmp_path / "tones.npz", **arrays)
    with pytest.raises(InputError, match=said):
        sources.load(write_card(tmp_path, '[source]\nkind = "npz"\npath = "tones.npz"\n'), "train")


def write_csv(root: Path, rows: int = 30, **changed: str) -> None:
    (root / "pics").mkdir(parents=True, exist_ok=True)
    with (root / "list.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["file", "tone", "part", "day"])
        writer.writeheader()
        for i in range(rows):
            picture(i % 3, i).save(root / "pics" / f"{i}.png")
            part = "train" if i < 21 else "test"
            row = {"file": f"{i}.png", "tone": CLASSES[i % 3].upper(), "part": part, "day": f"20{10 + i % 2}-01-01"}
            writer.writerow(row | (changed if i == 4 else {}))


LISTED = """\
[source]
kind = "folder"
path = "own"
csv = "list.csv"
image = "pics/{file}"
label = "tone"
values = ["DARK", "LIGHT", "RED"]
split = "part"
train = "train"
test = "test"
"""


def test_a_csv_lists_images_labels_and_splits(tmp_path: Path) -> None:
    write_csv(tmp_path / "own")
    labels_are_right(write_card(tmp_path, LISTED))
    labels_are_right(write_card(tmp_path, LISTED.replace("{file}", "{row}.png")))
    dated = LISTED + 'dated = "day"\n[source.dates]\ntrain = ["2010", "2011"]\n'
    labels_are_right(write_card(tmp_path, dated, 8, 3))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"tone": "GREEN"}, r"list\.csv: line 6 has label 'GREEN', which is no class"),
        ({"file": "../../other.png"}, "line 6 leads out of"),
        ({"tone": "1"}, None),
        ({"file": "missing.png"}, r"missing\.png: cannot be read as an image"),
    ],
)
def test_a_bad_line_of_a_csv_is_named(tmp_path: Path, changed: dict[str, str], said: str | None) -> None:
    write_csv(tmp_path / "own", **changed)
    card = write_card(tmp_path, LISTED)
    if said is None:  # a number is that of a class, where no class is called by a number
        return labels_are_right(card)
    with pytest.raises(InputError, match=said):
        [sources.read_image(item) for item in sources.load(card, "train").images]
    if "file" in changed:
        with pytest.raises(InputError, match=r"leads out|is listed, but there is no such file"):
            sources.source_of(card).sample_list(card, "train")


def test_numbers_as_class_names_are_names(tmp_path: Path) -> None:
    write_csv(tmp_path / "own", tone="0")
    listed = LISTED.replace('["DARK", "LIGHT", "RED"]', '["1", "2", "RED"]')
    with pytest.raises(InputError, match="label 'DARK', which is no class"):
        sources.load(write_card(tmp_path, listed), "train")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (('split = "part"', 'split = "side"'), "has no column 'side'"),
        (("{file}", "{path}"), r"`image = 'pics/\{path\}'` .* cannot be filled in from line 2"),
        (("{file}", "{file"), "cannot be filled in from line 2"),
        (
            ('test = "test"', 'test = "test"\ndated = "day"\n[source.dates]\ntrain = 3'),
            "should be the first day and the first one beyond",
        ),
    ],
)
def test_a_card_that_does_not_fit_its_csv_is_one_line(tmp_path: Path, changed: tuple[str, str], said: str) -> None:
    write_csv(tmp_path / "own")
    with pytest.raises(InputError, match=said):
        sources.load(write_card(tmp_path, LISTED.replace(*changed)), "train")


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    write_csv(tmp_path / "own")
    with pytest.raises(InputError, match=r"has no column 'kind', .*columns: file, tone, part, day"):
        sources.load(write_card(tmp_path, LISTED.replace('"tone"', '"kind"')), "train")


def test_class_folders_with_splits_of_their_own(tmp_path: Path) -> None:
    for part, n in (("train", 21), ("test", 9)):
        for i in range(n):
            folder = tmp_path / "data" / "own" / part / CLASSES[i % 3]
            folder.mkdir(parents=True, exist_ok=True)
            picture(i % 3, i).save(folder / f"{i}.png")
    labels_are_right(write_card(tmp_path, '[source]\nkind = "folder"\npath = "own"\ntrain = "train"\ntest = "test"\n'))


# new-card


def test_a_card_is_written_from_what_lies_beside_the_shards(tmp_path: Path, server: Server) -> None:
    path, said = new_card(server.url, "fetched", None, tmp_path)
    card = cards.read(path)
    assert card.templates == ("a {c} picture", "the {c} one")
    assert (card.classes, card.sizes) == (CLASSES, {"train": 18, "val": 3, "test": 9})
    assert said == "3 classes, 18 + 3 + 9 images of train, val and test"
    labels_are_right(card)


def test_a_card_is_written_for_shards_on_disk_and_for_folders(tmp_path: Path, pictures: Callable[..., Path]) -> None:
    write_shards(tmp_path / "shards", train=60)
    path, _ = new_card(str(tmp_path / "shards"), "local", "a {c} thing", tmp_path)
    card = cards.read(path)
    assert card.templates == ("a {c} thing",)
    labels_are_right(card)
    path, said = new_card(str(pictures(tmp_path / "animals", each=20)), "animals", None, tmp_path)
    assert said == "2 classes, 28 + 4 + 8 images of train, val and test"
    assert cards.read(path).classes == ("cat", "old dog")
    assert len(sources.load(cards.read(path), "test").labels) == 8
    with pytest.raises(UsageError, match="is there already"):
        new_card(str(tmp_path / "animals"), "animals", None, tmp_path)
    with pytest.raises(InputError, match="too few to be cut"):
        new_card(str(pictures(tmp_path / "few", each=2)), "few", None, tmp_path)
    with pytest.raises(UsageError, match="should be letters"):
        new_card(str(tmp_path / "animals"), "../animals", None, tmp_path)


def test_stored_items_are_read_whole(tmp_path: Path) -> None:
    tars.write_shard(tmp_path / "0.tar", samples(3))
    for i, item in enumerate(tars.index(tmp_path / "0.tar")[0]):
        assert isinstance(item, StoredImage)
        assert np.array_equal(np.asarray(sources.read_image(item)), np.asarray(picture(i % 3, i)))
