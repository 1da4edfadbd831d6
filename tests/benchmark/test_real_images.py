"""The whole stair on folders of real photographs, drawings and scans."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import leaderboard
from benchmark.pocket.families import BPE, WEIGHTS

TASKS = {
    "eurosat": "a satellite image of {c}",
    "gtsrb_one_frame_per_track": "a traffic sign of {c}",
    "fashion_mnist": "a picture of a {c}",
    "cifar10": "a picture of a {c}",
}


@pytest.mark.slow
def test_image_folders_go_up_the_whole_stair(
    shared: Path, tmp_path: Path, command: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    subprocess.run([sys.executable, shared / "data" / "unpack", "images", *TASKS], cwd=tmp_path, check=True)
    for name, template in TASKS.items():
        classes = sorted(path.name for path in (tmp_path / "images" / name).iterdir())
        count = sum(1 for _ in (tmp_path / "images" / name).rglob("*.*"))
        (tmp_path / f"{name}.toml").write_text(
            f"name = {name!r}\ntitle = {name!r}\ntemplates = [{template!r}]\nclasses = {classes!r}\n"
            f"[splits]\ntrain = {count // 2}\nval = {count // 4}\ntest = {count // 4}\n"
            f'[source]\nkind = "folder"\npath = "images/{name}"\n'
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
        done = command(*words, *suite)
        assert done.returncode == 0, done.stderr

    rows = leaderboard.read_ledger(tmp_path / "gains")
    assert len(rows) == 2 * 4 * 4
    home = [row for row in rows if row.trained_on == row.evaluated_on]
    assert sum(row.after > row.before + 0.05 for row in home) >= 6  # these models know little of photographs, and learn
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
