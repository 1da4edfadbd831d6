"""Files that are no regular files, too large, links, or of other programs; full and read-only disks."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import leaderboard
import scorers
from benchmark import files
from benchmark.cli import main
from benchmark.embedding.cache import MARKER, Cache
from benchmark.errors import BenchmarkError, InputError
from benchmark.finetuning import ledger
from benchmark.finetuning.ledger import Run
from benchmark.reports import board_check, cite
from benchmark.suites import suite
from benchmark.tasks import cards, sources
from benchmark.tasks.image_folder import card_from_folder
from benchmark.tasks.sources import tars
from leaderboard.output.page import _write as write_page
from leaderboard.regular_files import read_text, require_regular

KEY = {"kind": "images", "of": "test"}
ARRAYS = {"x": np.arange(3.0)}
READERS: dict[str, Callable[[Path], object]] = {
    "card": cards.read,
    "suite": suite.read,
    "image": sources.read_image,
    "shard": tars.index,
    "embeddings": scorers.load_embeddings,
    "scores": leaderboard.read_scores,
    "ledger": leaderboard.read_ledger,
    "measurements": leaderboard.read_measurements,
    "board to cite": cite.cite,
    "board to check": lambda path: board_check.board_differences(path, None),  # type: ignore[arg-type]
}
ERRORS = (BenchmarkError, scorers.EmbeddingsError, leaderboard.LeaderboardError)


def make_special(path: Path, kind: str) -> Path:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(path.name)  # a link to itself
    return path


@pytest.mark.parametrize("kind", ["pipe", "device", "circular link"])
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_regular_file_is_refused_in_one_line(reader: str, kind: str, tmp_path: Path) -> None:
    path = make_special(tmp_path / {"embeddings": "e.npz", "shard": "0.tar"}.get(reader, "file.toml"), kind)
    with pytest.raises(ERRORS) as caught:
        READERS[reader](path)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_size_is_limited(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)
    assert read_text(tmp_path / "file", 100) == "x" * 100
    with pytest.raises(OSError, match="has 100 bytes, and the limit is 99") as caught:
        read_text(tmp_path / "file", 99)
    assert caught.value.errno == errno.EFBIG
    require_regular(tmp_path / "file")


@pytest.mark.parametrize("kind", ["embeddings", "images"])
def test_an_archive_that_expands_enormously_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "e.npz"
    names = ("image", "labels") if kind == "embeddings" else ("images", "labels")
    with_zeros = {names[0]: np.zeros((1, 600, 600, 1024 * 3), np.uint8), names[1]: np.zeros(1, np.int64)}
    np.savez_compressed(path, **with_zeros)
    assert path.stat().st_size < 2_000_000
    if kind == "embeddings":
        with pytest.raises(
            scorers.EmbeddingsError, match=r"field 'image' would take 1\.0 GiB from a file of 1\.\d MiB"
        ):
            scorers.load_embeddings(path)
        return
    text = 'name = "t"\ntitle = "t"\ngroup = "own"\nclasses = ["a", "b"]\ntemplates = ["{c}"]\nlicence = "x"\ncitation = "x"\n'
    text += f'[splits]\ntrain = 8\nval = 2\ntest = 2\n[source]\nkind = "npz"\npath = "{path}"\n'
    (tmp_path / "t.toml").write_text(text)
    with pytest.raises(InputError, match=r"images\.npy would take 1\.0 GiB"):
        sources.load(cards.read(tmp_path / "t.toml"), "train")


def test_links_are_replaced_and_never_written_through(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("keep")
    link = tmp_path / "out.txt"
    link.symlink_to(target)
    files.write(link, "new")
    assert (target.read_text(), link.read_text(), link.is_symlink()) == ("keep", "new", False)
    lock = tmp_path / "lock"
    lock.symlink_to(target)
    with pytest.raises(OSError, match="lock"), files.lock(lock):
        pass
    assert target.read_text() == "keep"
    lock.unlink()
    lock.write_text("content")
    with files.lock(lock):
        assert lock.read_text() == "content"  # not truncated
    # the page of a board and its parts
    page = tmp_path / "index.html"
    page.symlink_to(target)
    write_page(page, "<html>")
    assert target.read_text() == "keep"


def test_ledger_does_not_append_through_a_link(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("keep")
    (tmp_path / "gains").mkdir()
    (tmp_path / "gains" / "m.csv").symlink_to(target)
    with pytest.raises((OSError, BenchmarkError)):
        ledger.append(
            tmp_path / "gains",
            Run("m", "full", 0, "t"),
            before={"t": 0.5},
            after={"t": 0.6},
            notes={"val": [1.0], "seconds": 1.0},
        )
    assert target.read_text() == "keep"


def test_prune_deletes_only_files_of_the_cache(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign = tmp_path / "models" / "ab" / "model.safetensors"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"seven billion parameters")
    assert main(["cache", "prune", "--all", "--cache", str(tmp_path)]) == 1
    assert f"is not a cache of this program, since it has no file {MARKER} of it" in capsys.readouterr().err
    (tmp_path / MARKER).write_text("Signature: 8a477f597d28d172789f06886806bc55\n# of another program\n")
    assert main(["cache", "prune", "--all", "--cache", str(tmp_path)]) == 1
    (tmp_path / MARKER).unlink()
    cache = Cache(tmp_path)
    cache.write(KEY, ARRAYS)
    named_alike = cache.path(KEY).parent / "notes.safetensors"
    lock, part = tmp_path / "locks" / "mine", foreign.parent / "download.part"
    for path in (named_alike, lock, part):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"mine")
        os.utime(path, (1, 1))
    assert main(["cache", "prune", "--all", "--cache", str(tmp_path)]) == 0
    assert not cache.path(KEY).exists()
    assert all(path.exists() for path in (foreign, named_alike, lock, part))


def test_a_folder_in_place_of_a_cache_file_is_named(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.path(KEY).mkdir(parents=True)
    with pytest.raises(InputError, match="is a folder where a file of the cache belongs; remove it"):
        cache.get(KEY, lambda: ARRAYS)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
"""


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("from benchmark import files; files.write(Path('out.txt'), 'x' * 9000)", "out.txt"),
        (
            "from benchmark.embedding.cache import Cache; import numpy as np\n"
            "Cache(Path('cache')).write({'kind': 'images'}, {'x': np.zeros(9000)})",
            ".safetensors",
        ),
        (
            "from benchmark.finetuning import ledger\n"
            "run = ledger.Run('m', 'full', 0, 't0')\n"
            "values = {f't{k}': 0.5 for k in range(400)}\n"
            "ledger.append(Path('gains'), run, before=values, after=values, notes={'val': [1.0], 'seconds': 1.0})",
            "m.csv",
        ),
    ],
)
def test_a_full_disk_is_reported_with_the_file_and_leaves_no_part(code: str, name: str, tmp_path: Path) -> None:
    root = str(Path(leaderboard.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK + code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("OSError: [Errno 27] File too large: ")
    assert name in last
    assert not list(tmp_path.rglob("*.part"))
    table = tmp_path / "gains" / "m.csv"
    assert not table.exists() or table.stat().st_size == 0


def test_a_read_only_cache_serves_what_it_has(measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.scoring.scoring import score_cell

    loaded = suite.load(str(measured / "small.toml"))
    cell = loaded.models[0], loaded.tasks[0], ["h_score"]
    first = score_cell(loaded, *cell, root=measured / "cache")

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(files, "lock", refuse)
    monkeypatch.setattr(files, "write", refuse)
    assert score_cell(loaded, *cell, root=measured / "cache") == first


def test_unreadable_images_of_a_new_card_are_named_and_limited(
    tmp_path: Path, pictures: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    pictures(tmp_path / "images", ("cat", "dog"))
    (tmp_path / "images" / "cat" / "broken.png").write_bytes(b"\x89PNG nothing")
    words = ["new-card", str(tmp_path / "images"), "--name", "pets", "--out", str(tmp_path)]
    assert main(words) == 1
    assert "1 of 25 images cannot be read, more than 1%" in capsys.readouterr().err
    assert not (tmp_path / "pets.toml").exists()
    assert main([*words, "--max-bad", "10"]) == 0
    printed = capsys.readouterr().err
    assert "left out: " in printed
    assert "broken.png" in printed
    card, skipped = card_from_folder(tmp_path / "images")
    assert len(skipped) == 1
    assert card.sizes["train"] == 24


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad\x1b[31mname.npz"
    assert main(["score", str(path)]) == 1
    printed = capsys.readouterr().err
    assert "\x1b" not in printed
    assert r"bad\x1b[31mname.npz" in printed
    (tmp_path / "s.csv").write_text("scorer,model,task,score\n\x1b[2Jx,m,t,1\n")
    with pytest.raises(leaderboard.LeaderboardError, match="row 2, column 'scorer': contains a control character"):
        leaderboard.read_scores(tmp_path / "s.csv")
    card = json.dumps("a\x07b")
    text = f'name = "t"\ntitle = "t"\ngroup = "own"\nclasses = [{card}, "b"]\ntemplates = ["{{c}}"]\nlicence = "x"\ncitation = "x"\n'
    (tmp_path / "t.toml").write_text(text + '[splits]\ntrain = 8\nval = 2\ntest = 2\n[source]\nkind = "digits"\n')
    with pytest.raises(InputError, match="contains a control character"):
        cards.read(tmp_path / "t.toml")


def test_a_read_only_ledger_can_be_planned(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.finetuning.planning import pending_runs

    loaded = suite.load(str(own / "small.toml"))

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(files, "lock", refuse)
    monkeypatch.setattr(files, "write", refuse)
    assert pending_runs(loaded, part=loaded) == []


def test_an_unreadable_file_is_named_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "e.npz"
    np.savez(path, image=np.eye(4), labels=[0, 0, 1, 1])

    def deny(self: Path, *arguments: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", deny)
    with pytest.raises(scorers.EmbeddingsError, match=r"e\.npz: cannot be read \(Permission denied\)"):
        scorers.load_embeddings(path)
