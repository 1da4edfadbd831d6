"""Sources of images: accepted and refused data, error messages, and that the samples agree with the card."""

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
def _data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_DATA", str(tmp_path / "data"))


def write_card(folder: Path, source: str, train: int = 18, val: int = 3, test: int = 9, name: str = "tones") -> Card:
    path = folder / f"{name}.toml"
    path.write_text(HEAD.format(name=name, train=train, val=val, test=test) + source)
    return cards.read(path)


def draw(label: int, i: int) -> Image.Image:
    return Image.new("RGB", (24 + i, 20), [(10 + i, 0, 0), (240, 240 - i, 240), (250, i, 9)][label])


def encode(label: int, i: int) -> bytes:
    out = io.BytesIO()
    draw(label, i).save(out, "PNG")
    return out.getvalue()


def decode_label(item: sources.Item) -> int:
    """The label that a drawn image shows."""
    red, green, _ = np.asarray(sources.read_image(item)).reshape(-1, 3).mean(0)
    return 0 if red < 100 else 1 if green > 150 else 2


def check_labels(card: Card, splits: tuple[str, ...] = cards.SPLITS) -> None:
    for split in splits:
        examples = sources.load(card, split)
        assert len(examples.labels) == card.sizes[split]
        assert [decode_label(item) for item in examples.images] == list(examples.labels)


def samples(n: int) -> Iterator[tuple[bytes, str, int]]:
    return ((encode(i % 3, i), ".png", i % 3) for i in range(n))


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


def test_shards_are_read_in_place_and_cut_into_the_splits_of_the_card(tmp_path: Path) -> None:
    write_shards(tmp_path / "shards")
    card = write_card(tmp_path, SHARDS)
    check_labels(card)
    train, val = (sources.load(card, split) for split in ("train", "val"))
    assert not {item.name + str(item.path) for item in train.images} & {
        item.name + str(item.path) for item in val.images
    }
    assert sorted(val.labels) == [0, 1, 2]  # balanced over classes
    assert sources.source_of(card).present(card)
    assert not list(tmp_path.glob("shards/**/*.png"))


def test_sample_digest_of_shards_changes_with_them(tmp_path: Path) -> None:
    root = write_shards(tmp_path / "shards")
    card = write_card(tmp_path, SHARDS)
    before = sources.source_of(card).sample_digest(card, "train")
    tars.write_shard(root / "train" / "1.tar", list(samples(15)))
    assert sources.source_of(card).sample_digest(card, "train") != before
    assert sources.source_of(card).sample_digest(card, "test") != before


def test_other_sizes_than_the_card_are_refused_unless_sampled(tmp_path: Path) -> None:
    write_shards(tmp_path / "shards")
    card = write_card(tmp_path, SHARDS, train=12)
    with pytest.raises(InputError, match=r"has 21 images, but .*tones\.toml expects 15; .*`sample = true`"):
        sources.load(card, "train")
    check_labels(write_card(tmp_path, SHARDS + "sample = true\n", train=12))
    with pytest.raises(InputError, match="expects 33"):
        sources.load(write_card(tmp_path, SHARDS + "sample = true\n", train=30), "train")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("dark\nlight\n", "has 2 class names, but .*tones.toml has 3 classes"),
        (
            "light\ndark\nred\n",
            "class 0 is 'light', but 'dark' in .*tones.toml; put the card's classes into the order of the data",
        ),
    ],
)
def test_class_names_of_the_shards_are_checked_against_the_card(tmp_path: Path, names: str, message: str) -> None:
    write_shards(tmp_path / "shards", names=names)
    with pytest.raises(InputError, match=message):
        sources.load(write_card(tmp_path, SHARDS), "train")


@pytest.mark.parametrize(
    ("card_names", "data_names", "agree"),
    [
        (["missile", "projectile"], ["missile", "missile"], True),
        (["cardigan dog", "cardigan"], ["Cardigan", "cardigan"], True),
        (["猫", "狗"], ["猫", "狗"], True),
        (["C", "C++", "C#"], ["C", "C++", "C#"], True),
        (["猫", "狗"], ["狗", "猫"], False),
        (["annual crop", "forest"], ["Forest", "AnnualCrop"], False),
    ],
)
def test_class_names_are_compared_as_words(
    tmp_path: Path, card_names: list[str], data_names: list[str], agree: bool
) -> None:
    from benchmark.tasks.sources.splits import check_class_names

    card = replace(write_card(tmp_path, SHARDS), classes=tuple(card_names))
    if agree:
        check_class_names(card, data_names, "data")
    else:
        with pytest.raises(InputError, match="into the order of the data"):
            check_class_names(card, data_names, "data")


def test_other_names_for_the_same_classes_are_accepted(tmp_path: Path) -> None:
    write_shards(tmp_path / "shards", names="a dark tone\nLight\nred-ish\n")
    check_labels(write_card(tmp_path, SHARDS))


def write_tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    with tarfile.open(path, "w") as archive:
        for member, body in members:
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


IMAGE = encode(0, 1)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([(member("../../evil.png"), IMAGE)], "is outside the archive"),
        ([(member("/etc/evil.png"), IMAGE)], "is outside the archive"),
        ([(member("a.png", tarfile.SYMTYPE, "/etc/passwd"), b"")], "is a link or a device"),
        ([(member("a.png", tarfile.LNKTYPE, "b.png"), b"")], "is a link or a device"),
        ([(member("a.png", tarfile.FIFOTYPE), b"")], "is a link or a device"),
        ([(member("a.png"), IMAGE)], "sample 'a' has no label"),
        ([(member("a.cls"), b"1")], "sample 'a' has no image"),
        ([(member("a.png"), IMAGE), (member("a.jpg"), IMAGE), (member("a.cls"), b"0")], "has two images"),
        ([(member("a.png"), IMAGE), (member("a.cls"), b"cat")], "should contain the number of a class, found 'cat'"),
        ([(member("a.png"), IMAGE), (member("a.cls"), b"1" * 5000)], "should contain the number of a class"),
        ([(member("a.png"), IMAGE), (member("a.cls"), b"-1")], "found '-1'"),
        ([(member("a.png"), IMAGE), (member("a.cls"), b"0"), (member("a.cls.txt"), b"1")], "has two labels"),
        ([(member("a.png"), IMAGE), (member("a.cls"), b"9" * 20)], "should contain the number of a class"),
    ],
)
def test_invalid_member_is_refused_in_one_line(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], message: str
) -> None:
    write_tar(tmp_path / "0.tar", *members)
    with pytest.raises(InputError, match=message) as caught:
        tars.index(tmp_path / "0.tar")
    assert "\n" not in str(caught.value)
    assert "0.tar" in str(caught.value)


def test_too_large_image_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tars, "MAX_IMAGE_BYTES", 10)
    tars.write_shard(tmp_path / "0.tar", samples(1))
    with pytest.raises(InputError, match="the limit for an image is 10"):
        tars.index(tmp_path / "0.tar")


@pytest.mark.parametrize("size", [100, 700, -2000])
def test_truncated_shard_is_refused(tmp_path: Path, size: int) -> None:
    tars.write_shard(tmp_path / "0.tar", samples(4))
    whole = (tmp_path / "0.tar").read_bytes().rstrip(b"\0")
    (tmp_path / "0.tar").write_bytes(whole[:size])
    with pytest.raises(InputError, match=r"0\.tar: .*(corrupt|ends within|has no label)"):
        tars.index(tmp_path / "0.tar")


@pytest.mark.parametrize("body", [b"", b"no tar at all" * 100, b"\x1f\x8b" + b"0" * 600])
def test_file_that_is_not_a_tar_is_refused(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "0.tar").write_bytes(body)
    with pytest.raises(InputError, match="is corrupt, or not an uncompressed tar archive"):
        tars.index(tmp_path / "0.tar")


def test_shard_corrupt_in_the_middle_is_not_read_as_a_shorter_one(tmp_path: Path) -> None:
    tars.write_shard(tmp_path / "0.tar", samples(10))
    whole = bytearray((tmp_path / "0.tar").read_bytes())
    start = tars.index(tmp_path / "0.tar")[0][4].offset - 512
    for header in (b"x" * 512, bytes(512)):
        (tmp_path / "0.tar").write_bytes(whole[:start] + header + whole[start + 512 :])
        with pytest.raises(InputError, match="is corrupt after"):
            tars.index(tmp_path / "0.tar")
    (tmp_path / "0.tar").write_bytes(whole[:start])
    with pytest.raises(InputError, match="is corrupt after"):
        tars.index(tmp_path / "0.tar")


def test_corrected_label_changes_the_sample_digest(tmp_path: Path) -> None:
    root = write_shards(tmp_path / "shards")
    card = write_card(tmp_path, SHARDS)
    before = sources.source_of(card).sample_digest(card, "test")
    rows = [(body, suffix, (label + 1) % 3) for body, suffix, label in samples(4)]
    tars.write_shard(root / "test" / "0.tar", rows)
    assert sources.source_of(card).sample_digest(card, "test") != before


@pytest.mark.parametrize("name", ["../train", "/etc"])
def test_card_cannot_name_a_folder_outside_its_data(tmp_path: Path, name: str) -> None:
    write_shards(tmp_path / "shards")
    for source in (SHARDS, SHARDS.replace("webdataset", "folder")):
        with pytest.raises(CardError, match="is outside the folder of the data"):
            sources.load(write_card(tmp_path, source.replace('train = "train"', f'train = "{name}"')), "train")


def test_label_outside_the_classes_is_refused(tmp_path: Path) -> None:
    root = write_shards(tmp_path / "shards")
    tars.write_shard(root / "test" / "0.tar", [(IMAGE, ".png", 3)])
    with pytest.raises(InputError, match=r"image 0 has label 3, but .* has 3 classes, 0 to 2"):
        sources.load(write_card(tmp_path, SHARDS), "test")


def test_truncated_images_and_decompression_bombs_are_reported_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(out, "JPEG")
    tars.write_shard(tmp_path / "0.tar", [(out.getvalue()[:900], ".jpg", 0), (encode(1, 2), ".png", 1)])
    truncated, intact = tars.index(tmp_path / "0.tar")[0]
    with pytest.raises(InputError, match=r"0\.tar: s0000000\.jpg: cannot be read as an image"):
        sources.read_image(truncated)
    assert sources.read_image(intact).size == (26, 20)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(InputError, match=r"s0000001\.png: cannot be read as an image .*decompression bomb"):
        sources.read_image(intact)


# shards over HTTP


@dataclass
class Server:
    """A file server on the loopback interface that can simulate faults; `requests` lists (path, Range)."""

    root: Path
    url: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    fault: Callable[["http.server.BaseHTTPRequestHandler", bytes], bytes | None] | None = None
    tag: str = ""  # the ETag of every file
    redirect: str = ""  # where every request is sent


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server(write_shards(tmp_path / "served"))

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            byte_range = self.headers.get("Range", "")
            state.requests.append((self.path, byte_range))
            path = state.root / self.path.lstrip("/")
            if state.redirect:
                self.send_response(302)
                self.send_header("Location", state.redirect)
                return self.end_headers()
            if not path.is_file():
                return self.send_error(404)
            body = path.read_bytes()
            # a range of another version of the file is answered by the whole of this one
            if state.tag and self.headers.get("If-Range", state.tag) != state.tag:
                byte_range = ""
            start = int(byte_range.removeprefix("bytes=").rstrip("-")) if byte_range else 0
            if start and start >= len(body):
                return self.send_error(416)
            self.send_response(206 if start else 200)
            if state.tag:
                self.send_header("ETag", state.tag)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            answer: bytes | None = body[start:]
            if state.fault:
                answer = state.fault(self, body[start:])
            if answer is not None:
                self.wfile.write(answer)

    monkeypatch.setattr(download, "TIMEOUT", 10.0)
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{httpd.server_port}"
    yield state
    httpd.shutdown()
    httpd.server_close()


def source_at(server: Server) -> str:
    return f'[source]\nkind = "webdataset"\nurl = "{server.url}"\ntrain = "train"\ntest = "test"\n'


def fetch(card: Card) -> list[str]:
    """Fetch a task; returns the reports of progress."""
    reports: list[str] = []
    sources.fetch(card, reports.append)
    return reports


def test_shards_are_fetched_once_and_checked(tmp_path: Path, server: Server) -> None:
    card = write_card(tmp_path, source_at(server))
    assert not sources.source_of(card).present(card)
    with pytest.raises(InputError, match=r"has no shards.*`python -m benchmark fetch` downloads them"):
        sources.load(card, "train")
    assert any("shard 2 of 2" in line for line in fetch(card))
    check_labels(card)
    assert sources.source_of(card).present(card)
    count = len(server.requests)
    fetch(card)
    assert len(server.requests) == count


def test_dropped_connection_is_resumed(tmp_path: Path, server: Server) -> None:
    def drop(handler: http.server.BaseHTTPRequestHandler, rest: bytes) -> bytes | None:
        if handler.path.endswith("train/0.tar") and "Range" not in handler.headers:
            handler.wfile.write(rest[:3000])
            handler.connection.close()
            return None
        return rest

    server.fault = drop
    card = write_card(tmp_path, source_at(server))
    assert any("3000 of" in line and "try 2" in line for line in fetch(card))
    assert ("/train/0.tar", "bytes=3000-") in server.requests
    check_labels(card)


def test_file_that_changed_during_the_download_starts_anew(tmp_path: Path, server: Server) -> None:
    """The first connection breaks, then the server has another file of the same length under another ETag."""
    shard = server.root / "train" / "0.tar"
    old = shard.read_bytes()
    new = bytes(reversed(old))
    sent: list[str] = []

    def change(handler: http.server.BaseHTTPRequestHandler, rest: bytes) -> bytes | None:
        sent.append(handler.headers.get("If-Range", ""))
        if len(sent) == 1:
            handler.wfile.write(rest[:3000])
            shard.write_bytes(new)
            server.tag = '"new"'
            handler.connection.close()
            return None
        return rest

    server.tag, server.fault = '"old"', change
    target = tmp_path / "0.tar"
    download.download(f"{server.url}/train/0.tar", target, pause=0)
    assert target.read_bytes() == new
    assert sent[:2] == ["", '"old"']
    assert not list(tmp_path.glob("0.tar.part*"))


def test_another_file_than_the_first_time_is_refused(tmp_path: Path, server: Server) -> None:
    url, target = f"{server.url}/train/0.tar", tmp_path / "0.tar"
    download.download(url, target)
    first = target.read_bytes()
    target.write_bytes(first[:-1] + b"x")
    with pytest.raises(InputError, match=r"0\.tar has changed since \(SHA-256 .*; remove .* to accept it"):
        download.download(url, target)
    target.unlink()
    (server.root / "train" / "0.tar").write_bytes(first + b"more")
    with pytest.raises(InputError, match=r"is not the file that was downloaded first \(SHA-256"):
        download.download(url, target)
    download.forget(target)
    download.download(url, target)
    assert target.read_bytes() == first + b"more"


def test_endless_slow_and_misleading_servers_are_given_up(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{server.url}/train/0.tar"
    with pytest.raises(InputError, match=r"it has \d+ bytes, and the limit is 100"):
        download.download(url, tmp_path / "a", limit=100)

    class Endless:
        def read1(self, size: int) -> bytes:
            return b"x" * 1000

    with pytest.raises(download._RefusedError, match="it sends more than 50000 bytes, the limit"):
        download._copy(Endless(), tmp_path / "b.part", append=False, limit=50_000)
    assert (tmp_path / "b.part").stat().st_size < 60_000
    monkeypatch.setattr(download, "PATIENCE", 0.0)
    monkeypatch.setattr(download, "SLOWEST", 1e12)
    with pytest.raises(download._IncompleteError, match="less than 1000000000000 bytes per second"):
        download._copy(Endless(), tmp_path / "b.part", append=False, limit=10**9)
    for location in ("file:///etc/passwd", "ftp://127.0.0.1/x", "http://[bad"):
        server.redirect = location
        with pytest.raises(InputError, match="cannot be downloaded") as caught:
            download.download(url, tmp_path / "c", pause=0)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "c").exists()


def test_silent_server_times_out_and_received_bytes_are_kept(
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

    server.fault = hang
    card = write_card(tmp_path, source_at(server))
    with pytest.raises(
        InputError,
        match=r"train/1\.tar: cannot be downloaded \(.*run the same command again.*alternatives: https://example.org",
    ):
        fetch(card)
    silent.set()
    monkeypatch.setattr(download, "TIMEOUT", 10.0)
    folder = next((tmp_path / "data" / "tones").glob("webdataset-*")) / "train"
    assert (folder / "0.tar").exists()
    assert (folder / "1.tar.part").stat().st_size == 1000 * download.TRIES
    server.fault, server.requests[:] = None, []
    (folder / "1.tar.part").write_bytes((server.root / "train" / "1.tar").read_bytes()[:1000])
    fetch(card)
    assert ("/train/1.tar", "bytes=1000-") in server.requests
    assert all(path != "/train/0.tar" for path, _ in server.requests)
    check_labels(card)


def test_shard_that_arrives_corrupt_is_downloaded_once_more_and_then_refused(tmp_path: Path, server: Server) -> None:
    corrupted: list[str] = []

    def corrupt(handler: http.server.BaseHTTPRequestHandler, rest: bytes) -> bytes:
        if handler.path.endswith(".tar") and (not corrupted or len(corrupted) < limit):
            corrupted.append(handler.path)
            return b"x" * len(rest)
        return rest

    server.fault, limit = corrupt, 1
    card = write_card(tmp_path, source_at(server))
    fetch(card)
    check_labels(card)
    corrupted.clear()
    limit = 99
    second = write_card(tmp_path, source_at(server), name="second")
    with pytest.raises(InputError, match="is corrupt, or not an uncompressed tar archive"):
        fetch(second)
    assert len(corrupted) == 2
    assert not list((tmp_path / "data" / "second").rglob("*.tar"))


@pytest.mark.parametrize(
    ("count", "message"), [("many", "should contain the number of shards"), (None, "HTTP status 404")]
)
def test_server_without_a_valid_shard_count_is_reported(
    tmp_path: Path, server: Server, count: str | None, message: str
) -> None:
    path = server.root / "train" / "nshards.txt"
    path.unlink() if count is None else path.write_text(count)
    with pytest.raises(InputError, match=message):
        fetch(write_card(tmp_path, source_at(server)))


def test_unreachable_server_is_reported_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    with pytest.raises(InputError, match=r"cannot be downloaded \(.*refused") as caught:
        fetch(write_card(tmp_path, '[source]\nkind = "webdataset"\nurl = "http://127.0.0.1:9"\ntest = "test"\n', 0, 0))
    assert "\n" not in str(caught.value)


def test_hub_is_reached_at_its_endpoint(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shards(server.root / "datasets" / "org" / "tones" / "resolve" / "main")
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    card = write_card(tmp_path, '[source]\nkind = "webdataset"\nhub = "org/tones"\ntrain = "train"\ntest = "test"\n')
    fetch(card)
    check_labels(card)


def test_shards_of_another_address_have_their_own_folder(tmp_path: Path, server: Server) -> None:
    write_shards(server.root / "other", train=24)
    fetch(write_card(tmp_path, source_at(server)))
    other = write_card(tmp_path, source_at(server).replace(server.url, f"{server.url}/other"), train=21)
    assert not sources.source_of(other).present(other)
    fetch(other)
    check_labels(other)


def test_concurrent_downloads_of_one_file_do_not_mix(tmp_path: Path, server: Server) -> None:
    def send_slowly(handler: http.server.BaseHTTPRequestHandler, rest: bytes) -> bytes | None:
        for start in range(0, len(rest), 2000):
            handler.wfile.write(rest[start : start + 2000])
            threading.Event().wait(0.02)
        return None

    server.fault = send_slowly
    url, path = f"{server.url}/train/0.tar", tmp_path / "downloads" / "0.tar"
    threads = [threading.Thread(target=download.download, args=(url, path)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() == (server.root / "train" / "0.tar").read_bytes()
    assert len([path for path, _ in server.requests if path == "/train/0.tar"]) == 1


# a card's sources


def test_first_source_with_files_on_this_machine_is_selected(tmp_path: Path) -> None:
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


def test_evaluation_only_card_has_test_images_only(tmp_path: Path) -> None:
    write_shards(tmp_path / "shards")
    card = write_card(tmp_path, SHARDS.replace('train = "train"\n', ""), 0, 0)
    assert card.evaluation_only
    check_labels(card, ("test",))
    with pytest.raises(InputError, match="has no train images, since it is for evaluation only"):
        sources.load(card, "train")
    with pytest.raises(CardError, match="'train' is 2: fewer samples than the 3 classes"):
        write_card(tmp_path, SHARDS, train=2, val=3)


def test_every_card_is_complete_and_has_valid_sources() -> None:
    for name in cards.card_names():
        card = cards.load(name)
        for kind, options in card.sources:
            sources.source_of(replace(card, kind=kind, source=options))
        assert sources.resolve_source(card).name == name
        if card.kind not in ("pocket", "digits"):
            assert card.citation != "none"
            assert card.homepage.startswith("http")


# npz, CSV


def test_npz_with_or_without_splits(tmp_path: Path) -> None:
    labels = np.arange(30) % 3
    images = np.stack([np.asarray(draw(k, 0)) for k in labels])
    np.savez(tmp_path / "tones.npz", images=images, labels=labels[:, None])
    source = '[source]\nkind = "npz"\npath = "tones.npz"\n'
    check_labels(write_card(tmp_path, source))
    np.savez(
        tmp_path / "tones.npz", train_images=images, train_labels=labels, test_images=images[:9], test_labels=labels[:9]
    )
    card = write_card(tmp_path, source, 24, 6, 9)
    check_labels(card)
    np.savez(
        tmp_path / "tones.npz",
        train_images=images[..., 0],
        train_labels=labels,
        test_images=images[:9],
        test_labels=labels[:9],
    )
    assert np.asarray(sources.load(card, "train").images).shape == (24, 20, 24, 3)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros(3)}, "contains x; give `images`"),
        ({"images": np.zeros((30, 4, 4, 3))}, "labels"),
        ({"images": np.zeros((30, 4, 4, 3)), "labels": np.arange(30) % 3}, "should be uint8 .*found float64"),
        (
            {"images": np.zeros((30, 4, 4, 3), np.uint8), "labels": np.ones(30)},
            "should be N integers, found float64",
        ),
        ({"images": np.array([object()] * 30), "labels": np.arange(30) % 3}, "cannot be read"),
    ],
)
def test_npz_with_other_arrays_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "tones.npz", **arrays)
    with pytest.raises(InputError, match=message):
        sources.load(write_card(tmp_path, '[source]\nkind = "npz"\npath = "tones.npz"\n'), "train")


def write_csv(root: Path, rows: int = 30, **changes: str) -> None:
    (root / "pics").mkdir(parents=True, exist_ok=True)
    with (root / "list.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["file", "tone", "part", "day"])
        writer.writeheader()
        for i in range(rows):
            draw(i % 3, i).save(root / "pics" / f"{i}.png")
            part = "train" if i < 21 else "test"
            row = {"file": f"{i}.png", "tone": CLASSES[i % 3].upper(), "part": part, "day": f"20{10 + i % 2}-01-01"}
            writer.writerow(row | (changes if i == 4 else {}))


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


def test_csv_lists_images_labels_and_splits(tmp_path: Path) -> None:
    write_csv(tmp_path / "own")
    check_labels(write_card(tmp_path, LISTED))
    check_labels(write_card(tmp_path, LISTED.replace("{file}", "{row}.png")))
    dated = LISTED + 'dated = "day"\n[source.dates]\ntrain = ["2010", "2011"]\n'
    check_labels(write_card(tmp_path, dated, 8, 3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tone": "GREEN"}, r"list\.csv: line 6 has label 'GREEN', which is not a class"),
        ({"file": "../../other.png"}, r"line 6 names pics/\.\./\.\./other\.png, which is outside"),
        ({"tone": "1"}, None),
        ({"file": "missing.png"}, r"missing\.png: cannot be read as an image"),
    ],
)
def test_invalid_line_of_a_csv_is_reported(tmp_path: Path, changes: dict[str, str], message: str | None) -> None:
    write_csv(tmp_path / "own", **changes)
    card = write_card(tmp_path, LISTED)
    if message is None:  # class numbers are accepted, since no class name is a number
        return check_labels(card)
    with pytest.raises(InputError, match=message):
        [sources.read_image(item) for item in sources.load(card, "train").images]
    if "file" in changes:
        with pytest.raises(InputError, match=r"is outside|is listed, but there is no such file"):
            sources.source_of(card).sample_digest(card, "train")


def test_numeric_class_names_are_not_class_numbers(tmp_path: Path) -> None:
    write_csv(tmp_path / "own", tone="0")
    listed = LISTED.replace('["DARK", "LIGHT", "RED"]', '["1", "2", "RED"]')
    with pytest.raises(InputError, match="label 'DARK', which is not a class"):
        sources.load(write_card(tmp_path, listed), "train")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('split = "part"', 'split = "side"'), "has no column 'side'"),
        (("{file}", "{path}"), r"`image = 'pics/\{path\}'` .* cannot be filled in from line 2"),
        (("{file}", "{file"), "cannot be filled in from line 2"),
        (
            ('test = "test"', 'test = "test"\ndated = "day"\n[source.dates]\ntrain = 3'),
            "should be the first day and the first day after the last",
        ),
    ],
)
def test_card_that_contradicts_its_csv_is_reported(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    write_csv(tmp_path / "own")
    with pytest.raises(InputError, match=message):
        sources.load(write_card(tmp_path, LISTED.replace(*change)), "train")


def test_missing_column_is_reported(tmp_path: Path) -> None:
    write_csv(tmp_path / "own")
    with pytest.raises(InputError, match=r"has no column 'kind', .*columns: file, tone, part, day"):
        sources.load(write_card(tmp_path, LISTED.replace('"tone"', '"kind"')), "train")


def test_class_folders_per_split(tmp_path: Path) -> None:
    for part, n in (("train", 21), ("test", 9)):
        for i in range(n):
            folder = tmp_path / "data" / "own" / part / CLASSES[i % 3]
            folder.mkdir(parents=True, exist_ok=True)
            draw(i % 3, i).save(folder / f"{i}.png")
    check_labels(write_card(tmp_path, '[source]\nkind = "folder"\npath = "own"\ntrain = "train"\ntest = "test"\n'))


# new-card


def test_new_card_from_the_class_names_and_prompts_of_shards(tmp_path: Path, server: Server) -> None:
    path, counts = new_card(server.url, "fetched", None, tmp_path)
    card = cards.read(path)
    assert card.templates == ("a {c} picture", "the {c} one")
    assert (card.classes, card.sizes) == (CLASSES, {"train": 18, "val": 3, "test": 9})
    assert counts == "3 classes, 18 + 3 + 9 images of train, val and test"
    check_labels(card)


def test_new_card_for_shards_on_disk_and_for_folders(tmp_path: Path, pictures: Callable[..., Path]) -> None:
    write_shards(tmp_path / "shards", train=60)
    path, _ = new_card(str(tmp_path / "shards"), "local", "a {c} thing", tmp_path)
    card = cards.read(path)
    assert card.templates == ("a {c} thing",)
    check_labels(card)
    path, counts = new_card(str(pictures(tmp_path / "animals", each=20)), "animals", None, tmp_path)
    assert counts == "2 classes, 28 + 4 + 8 images of train, val and test"
    assert cards.read(path).classes == ("cat", "old dog")
    assert len(sources.load(cards.read(path), "test").labels) == 8
    with pytest.raises(UsageError, match="exists already"):
        new_card(str(tmp_path / "animals"), "animals", None, tmp_path)
    with pytest.raises(InputError, match="are too few for train, val and test"):
        new_card(str(pictures(tmp_path / "few", each=2)), "few", None, tmp_path)
    with pytest.raises(UsageError, match="should be letters"):
        new_card(str(tmp_path / "animals"), "../animals", None, tmp_path)


def test_stored_images_are_read_completely(tmp_path: Path) -> None:
    tars.write_shard(tmp_path / "0.tar", samples(3))
    for i, item in enumerate(tars.index(tmp_path / "0.tar")[0]):
        assert isinstance(item, StoredImage)
        assert np.array_equal(np.asarray(sources.read_image(item)), np.asarray(draw(i % 3, i)))
