"""The whole pipeline on real photographs, drawings and scans: from folders, in torchvision's layout, and from shards over HTTP."""

import csv
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest

import leaderboard
from benchmark.pocket.families import BPE, WEIGHTS

TASKS = {
    "eurosat": "a satellite image of {c}",
    "gtsrb_one_frame_per_track": "a traffic sign of {c}",
    "fashion_mnist": "a picture of a {c}",
    "cifar10": "a picture of a {c}",
}


@pytest.fixture
def shards(shared: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a server with CIFAR-10's images as shards."""
    from benchmark.tasks.sources import tars

    subprocess.run([sys.executable, shared / "data" / "unpack", "images", *TASKS], cwd=tmp_path, check=True)
    classes = sorted((tmp_path / "images" / "cifar10").iterdir())
    samples = [
        (file.read_bytes(), file.suffix, k) for k, folder in enumerate(classes) for file in sorted(folder.iterdir())
    ]
    root = tmp_path / "served"
    for part, rows in (("train", samples[::2]), ("test", samples[1::2])):
        for i in range(3):
            tars.write_shard(root / part / f"{i}.tar", rows[i::3])
        (root / part / "nshards.txt").write_text("3")
    (root / "classnames.txt").write_text("\n".join(folder.name for folder in classes))
    (root / "zeroshot_classification_templates.txt").write_text(TASKS["cifar10"])
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=root))
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.mark.slow
def test_whole_pipeline_on_real_images(
    shards: str,
    tmp_path: Path,
    command: Callable[..., "subprocess.CompletedProcess[str]"],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BENCHMARK_DATA", str(tmp_path / "data"))
    process = command("new-card", shards, "--name", "cifar10")
    assert process.returncode == 0, process.stderr
    (tmp_path / "data" / "torchvision" / "eurosat").mkdir(parents=True)
    (tmp_path / "images" / "eurosat").rename(tmp_path / "data" / "torchvision" / "eurosat" / "2750")
    for name, template in TASKS.items():
        if name == "cifar10":
            continue
        source = f'kind = "folder"\npath = "images/{name}"\n'
        folder = tmp_path / "images" / name
        if name == "eurosat":
            source, folder = (
                'kind = "torchvision"\ndataset = "EuroSAT"\nall = {}\n',
                tmp_path / "data/torchvision/eurosat/2750",
            )
        classes = sorted(path.name for path in folder.iterdir())
        count = sum(1 for _ in folder.rglob("*.*"))
        train, val = count - 2 * (count // 4), count // 4
        (tmp_path / f"{name}.toml").write_text(
            f"name = {name!r}\ntitle = {name!r}\ntemplates = [{template!r}]\nclasses = {classes!r}\n"
            f"[splits]\ntrain = {train}\nval = {val}\ntest = {val}\n[source]\n{source}"
        )
    models = "".join(
        f'[[models]]\nname = "{name}"\nload = "local-dir:{WEIGHTS / name}"\nbpe = "{BPE}"\n'
        for name in ("clip-things", "eva02-signs")
    )
    (tmp_path / "photos.toml").write_text(
        f'name = "photos"\nseeds = [0]\nledger = "gains"\ntasks = {[f"{name}.toml" for name in TASKS]!r}\n'
        'source_vocabulary = ["a circle", "a square", "a red object"]\n'
        f"[techniques.clip_adapter]\nrate = 1e-2\nbatch = 100\nepochs = 25\n{models}"
    )
    suite = ("--suite", "photos.toml")
    for words in (["embed"], ["measure"], ["score"], ["rank"], ["run"]):
        process = command(*words, *suite)
        assert process.returncode == 0, process.stderr

    rows = leaderboard.read_ledger(tmp_path / "gains")
    assert len(rows) == 2 * 4 * 4
    home = rows.filter(pl.col("trained_on") == pl.col("evaluated_on"))
    assert (home["after"] > home["before"] + 0.05).sum() >= 6  # these models know little of photographs, and learn
    folder = tmp_path / "results" / "photos"
    board = json.loads((folder / "board.json").read_text())
    line = next(
        r
        for r in board["rows"]
        if (r["scorer"], r["target"], r["axis"], r["measure"]) == ("headroom", "gain", "tasks", "pearson")
    )
    assert set(line["per_group"]) == {"clip-things", "eva02-signs"}
    assert -1 <= line["value"] <= 1
    assert line["low"] is None  # no interval from four tasks
    with (folder / "scores.csv").open(newline="") as file:
        scores = list(csv.DictReader(file))
    assert {row["task"] for row in scores} == set(TASKS)
    assert sum(bool(row["score"]) for row in scores) > 0.9 * len(scores)
