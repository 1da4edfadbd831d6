"""A seeded attack: damaged files of every kind that people hand in. Each ends in success or in one line; never in a traceback or a hang.

`ATTACK_INPUTS=20000 pytest tests/robustness/test_attack.py` attacks for longer; `ATTACK_SEED` changes the inputs.
"""

import io
import json
import logging
import os
import random
import signal
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

import leaderboard
import scorers
from benchmark.embedding.cache import Cache
from benchmark.errors import BenchmarkError
from benchmark.finetuning import ledger
from benchmark.finetuning.ledger import Run
from benchmark.reports import board_check, cite
from benchmark.suites import suite
from benchmark.tasks import cards, sources
from benchmark.tasks.sources import tars

INPUTS = int(os.environ.get("ATTACK_INPUTS", "3200"))
SEED = int(os.environ.get("ATTACK_SEED", "0"))
SECONDS = 20  # for one input; anything longer is a hang
ONE_LINE = (BenchmarkError, scorers.EmbeddingsError, leaderboard.LeaderboardError, OSError)
KEY = {"kind": "images", "of": "attack"}


def npz(**arrays: np.ndarray) -> bytes:
    body = io.BytesIO()
    np.savez_compressed(body, **arrays)  # type: ignore[arg-type]
    return body.getvalue()


def embeddings() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"image": rng.normal(size=(12, 4)), "labels": np.arange(12) % 3, "text": rng.normal(size=(3, 4))}


def safetensors() -> bytes:
    from safetensors.numpy import save

    return save(embeddings())


def shard() -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in (
            ("a.png", picture()),
            ("a.cls", b"0"),
            ("b" * 150 + ".png", picture()),
            ("b" * 150 + ".cls", b"1"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return body.getvalue()


def picture(form: str = "PNG") -> bytes:
    from PIL import Image

    body = io.BytesIO()
    Image.fromarray((np.arange(12 * 10 * 3) % 251).astype(np.uint8).reshape(12, 10, 3)).save(body, form)
    return body.getvalue()


def zip_of_compressions() -> bytes:
    """An archive with members of every compression, which numpy reads through zipfile."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, method in (
            ("image.npy", zipfile.ZIP_LZMA),
            ("labels.npy", zipfile.ZIP_BZIP2),
            ("text.npy", zipfile.ZIP_DEFLATED),
        ):
            part = io.BytesIO()
            np.save(part, embeddings()[name.removesuffix(".npy")])
            archive.writestr(name, part.getvalue(), compress_type=method)
    return body.getvalue()


CARD = """name = "t"
title = "t"
group = "own"
classes = ["a", "b"]
templates = ["a {c}"]
licence = "x"
citation = "x"
[splits]
train = 8
val = 2
test = 2
[source]
kind = "npz"
path = "t.npz"
"""
SUITE = """name = "s"
seeds = [0, 1]
tasks = ["digits"]
[techniques.full]
rate = 1e-3
batch = 10
epochs = 2
families.f.rate = 1e-4
[[models]]
name = "m"
family = "f"
load = "hf-hub:org/name"
"""
SCORES = "scorer,model,task,score\n" + "".join(f"s,m{i},t{j},{i * j / 10}\n" for i in range(3) for j in range(4))
GAINS = "model,technique,seed,trained_on,evaluated_on,before,after\n" + "".join(
    f"m{i},full,0,t{j},t{j},0.5,0.{i + j + 1}\n" for i in range(3) for j in range(4)
)
BOARD = json.dumps({"meta": {"board": "abc", "suite": "s", "models": ["m"], "tasks": ["t"]}, "rows": [{"scorer": "s"}]})


def read_notes(path: Path) -> object:
    return ledger.read(path.parent, "m")


def read_cache(path: Path) -> object:
    """The entry at a path under the name that belongs to KEY; damage counts as a miss."""
    cache = Cache(path.parent / "cache")
    target = cache.path(KEY)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(path.read_bytes())
    return cache.read(KEY)


def cache_entry() -> bytes:
    from benchmark.embedding.cache import _pack_arrays

    return _pack_arrays(KEY, {"x": np.arange(6.0)})


def notes() -> bytes:
    line = {
        "model": "m",
        "technique": "full",
        "seed": 0,
        "trained_on": "t",
        "rows": 1,
        "digest": "0",
        "val": [0.5],
        "seconds": 1.0,
    }
    return (json.dumps(line) + "\n").encode() * 3


def images_of_npz(path: Path) -> object:
    (path.parent / "t.toml").write_text(CARD)
    return sources.load(cards.read(path.parent / "t.toml"), "train")


# kind of file: (name, an intact file, its reader)
TARGETS: dict[str, tuple[str, bytes, Callable[[Path], object]]] = {
    "card": ("t.toml", CARD.encode(), cards.read),
    "suite": ("s.toml", SUITE.encode(), suite.read),
    "scores": ("scores.csv", SCORES.encode(), leaderboard.read_scores),
    "ledger": ("gains.csv", GAINS.encode(), leaderboard.read_ledger),
    "measurements": ("gains.csv", b"model,task,gain\nm,t,0.1\nm,u,0.2\n", leaderboard.read_measurements),
    "notes": ("m.runs.jsonl", notes(), read_notes),
    "board to cite": ("board.json", BOARD.encode(), cite.cite),
    "board to check": ("board.json", BOARD.encode(), lambda path: board_check.board_differences(path, None)),  # type: ignore[arg-type]
    "npz": ("e.npz", npz(**embeddings()), scorers.load_embeddings),
    "npz of other compressions": ("e.npz", zip_of_compressions(), scorers.load_embeddings),
    "safetensors": ("e.safetensors", safetensors(), scorers.load_embeddings),
    "images": (
        "t.npz",
        npz(images=np.zeros((12, 4, 4, 3), np.uint8), labels=np.arange(12) % 2),
        images_of_npz,
    ),
    "shard": ("0.tar", shard(), tars.index),
    "png": ("a.png", picture(), sources.read_image),
    "jpeg": ("a.jpg", picture("JPEG"), sources.read_image),
    "webp": ("a.webp", picture("WEBP"), sources.read_image),
    "tiff": ("a.tiff", picture("TIFF"), sources.read_image),
    "cache": ("entry", cache_entry(), read_cache),
}
FRAGMENTS = [
    *(b"\x00" * 8, b"\xff" * 8, b"nan", b"1e999", b"-1", b'"', b"'", b",", b"\n", b"\r", b"\x1b[2J", b"\xc3\x28", b"\xef\xbb\xbf"),
    *(b"9" * 5000, b"[" * 3000, b"{" * 3000, b'{"a":' * 2000, b"x" * 70_000, b"null", b"true", b"[]", b"{}", b"../../etc", b"=cmd()"),
]  # fmt: skip


def damage(body: bytes, rng: random.Random) -> bytes:
    """One to four changes of a file."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(body) + 1)
        length = rng.choice([1, 1, 2, 8, 100, 1000])
        change = rng.randrange(7)
        if change == 0:
            body = body[:at]
        elif change == 1:
            body = body[:at] + rng.choice(FRAGMENTS) + body[at:]
        elif change == 2:
            body = body[:at] + rng.choice(FRAGMENTS) + body[at + length :]
        elif change == 3:
            body = body[:at] + rng.randbytes(length) + body[at + length :]
        elif change == 4:
            body = body[:at] + body[at + length :]
        elif change == 5:
            body = body[:at] + body[at : at + length] * rng.randint(2, 5) + body[at + length :]
        elif body:
            at = rng.randrange(len(body))
            body = body[:at] + bytes([body[at] ^ (1 << rng.randrange(8))]) + body[at + 1 :]
    return body


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    def expire(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(reader: Callable[[Path], object], path: Path) -> str:
    """ "read", or the message of a refusal. Other exceptions are passed on."""
    try:
        with limited(SECONDS):
            return "read" if reader(path) is not None else "a miss"
    except TimeoutError:
        raise
    except ONE_LINE as error:
        return str(error)


@pytest.mark.parametrize("kind", sorted(set(TARGETS) - {"board to cite", "board to check", "notes"}))
def test_intact_files_are_read(kind: str, tmp_path: Path) -> None:
    """Otherwise the attack below would only test a first check. The kinds left out refer to other files, which are not there."""
    name, body, reader = TARGETS[kind]
    (tmp_path / name).write_bytes(body)
    assert outcome(reader, tmp_path / name) == "read"


@pytest.mark.slow
@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_end_in_success_or_in_one_line(kind: str, tmp_path: Path) -> None:
    name, intact, reader = TARGETS[kind]
    rng, outcomes = random.Random(f"{SEED}/{kind}"), Counter[bool]()
    logging.getLogger("benchmark.cache").setLevel(logging.ERROR)
    for number in range(max(1, INPUTS // len(TARGETS))):
        body = damage(intact, rng)
        (tmp_path / name).write_bytes(body)
        try:
            result = outcome(reader, tmp_path / name)
        except Exception as error:
            (tmp_path / f"input-{number}").write_bytes(body)
            pytest.fail(f"{kind}, input {number} ({tmp_path / f'input-{number}'}): {type(error).__name__}: {error}")
        assert "\n" not in result, f"input {number}"
        # a cached array is never wrong: damage that does not show would be a miss, too
        assert kind != "cache" or result == "a miss" or body == intact, f"input {number}"
        outcomes[result == "read"] += 1
    assert outcomes[False] > 0


@pytest.mark.slow
def test_an_append_torn_at_every_byte_is_repaired(tmp_path: Path) -> None:
    """Two runs whole, and of the third any number of bytes of its notes and then of its rows."""
    folder = tmp_path / "gains"
    values = {f"t{k}": 0.25 + k / 16 for k in range(3)}
    runs = [Run("m", "full", seed, "t0") for seed in range(3)]

    def append(run: Run) -> None:
        ledger.append(folder, run, before=values, after=values, notes={"val": [0.5], "seconds": 1.0})

    def contents() -> tuple[bytes, bytes]:
        return ledger.rows_path(folder, "m").read_bytes(), ledger.runs_path(folder, "m").read_bytes()

    for run in runs[:2]:
        append(run)
    rows, descriptions = contents()
    append(runs[2])
    whole_rows, whole_descriptions = contents()
    states = [(rows, whole_descriptions[:end]) for end in range(len(descriptions), len(whole_descriptions))]
    states += [(whole_rows[:end], whole_descriptions) for end in range(len(rows), len(whole_rows) + 1)]
    header = rows.index(b"\n")
    states += [(whole_rows[:end], whole_descriptions) for end in range(header)]  # nothing but a part of the header
    for table, lines in states:
        ledger.rows_path(folder, "m").write_bytes(table)
        ledger.runs_path(folder, "m").write_bytes(lines)
        ledger.repair(folder, "m")
        found, _ = ledger.read(folder, "m")
        complete = {Run(*run) for run in found.select("model", "technique", "seed", "trained_on").unique().iter_rows()}
        assert complete <= set(runs)
        if table.startswith(rows):
            assert complete >= set(runs[:2])  # nothing lost
        for run in runs:
            append(run)
        assert ledger.complete_runs(folder, "m", values) == set(runs)
        ledger.read(folder, "m")
