"""Recommending a model and a technique for one's own images."""

import csv
import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from common import Command

import leaderboard
from benchmark.embedding.cache import Cache
from benchmark.embedding.jobs import embed_suite
from benchmark.embedding.keys import Keys
from benchmark.errors import InputError
from benchmark.reports import predict, recommend, recommend_render
from benchmark.reports.measurements import suite_ledger
from benchmark.scoring import scoring
from benchmark.suites import suite
from benchmark.tasks import cards
from benchmark.tasks.image_folder import card_from_folder
from leaderboard.statistics import prediction

Pictures = Callable[..., Path]


@pytest.fixture
def loaded(own: Path) -> suite.Suite:
    whole = suite.load(str(own / "small.toml"))
    embed_suite(whole, Cache(own / "cache"), 1, quiet=True)
    return whole


def test_predictions_are_those_of_the_fit_on_the_suites_tasks(own: Path, loaded: suite.Suite) -> None:
    cache, rows = Cache(own / "cache"), suite_ledger(loaded)
    card = cards.load("digits")
    card = dataclasses.replace(card, sizes={"train": 60, "val": 10, "test": 10})
    found = recommend.recommend(loaded, rows, card, cache, quiet=True)
    assert not found.left_out
    assert len(found.choices) == 4
    assert [c.accuracy.value for c in found.choices] == sorted((c.accuracy.value for c in found.choices), reverse=True)
    m = leaderboard.summarise_ledger(rows)
    cells = scoring.score_suite(loaded, list(predict.COMBINATION), cache, quiet=True).scores
    known = predict.feature_table(cells, m, predict.COMBINATION)
    here = recommend.own_features(loaded, loaded.models, card, cache, jobs=1)
    for choice in found.choices:
        fitted = prediction.fit(known, m.values[choice.technique]["gain"].T)
        row = here[[model.name for model in loaded.models].index(choice.model)]
        assert choice.zero_shot == pytest.approx(1 - row[0])
        possible = np.clip(float(fitted.predict(row)), -choice.zero_shot, 1 - choice.zero_shot)
        assert choice.gain.value == pytest.approx(possible)
        assert choice.accuracy.value == pytest.approx(choice.zero_shot + choice.gain.value)
        assert choice.gain.low == -np.inf  # of five tasks no honest interval of 90 % can be had
    assert found.trust.distance > 0


def test_predicted_gains_keep_accuracy_in_its_range() -> None:
    within = recommend._clip(recommend.Interval(1.12, 0.9, 1.3), -0.02, 0.98)
    assert within == recommend.Interval(0.98, 0.9, 0.98)
    endless = recommend._clip(recommend.Interval(-0.5, -np.inf, np.inf), -0.2, 0.8)
    assert endless == recommend.Interval(-0.2, -np.inf, np.inf)


def test_task_of_the_suite_is_left_out_of_its_own_prediction(own: Path, loaded: suite.Suite) -> None:
    cache, rows = Cache(own / "cache"), suite_ledger(loaded)
    card = loaded.tasks[0]
    found = recommend.recommend(loaded, rows, card, cache, quiet=True)
    assert found.left_out
    forged = rows.with_columns(pl.when(trained_on=card.name).then(1.0).otherwise("after").alias("after"))
    again = recommend.recommend(loaded, forged, card, cache, quiet=True)
    assert again.choices == found.choices
    assert "the predictions were fitted without it" in recommend_render.render(found, "text")


def test_perfect_predictions_have_no_regret() -> None:
    rng = np.random.default_rng(0)
    headroom, probe = rng.uniform(0.2, 0.8, (2, 10, 3))
    known = np.stack([headroom, probe, rng.normal(size=(10, 3))], -1)
    gain = (0.5 * headroom + 0.3 * probe).T
    accuracy = 1 - headroom.T + gain
    values = {"full": {"gain": gain, "accuracy": accuracy, "forgetting": 0 * gain}}
    by_seed = {"full": {target: of[..., None] for target, of in values["full"].items()}}
    names = ("a", "b", "c"), tuple(map(str, range(10))), ("full",), (0,)
    m = leaderboard.Measured(*names, by_seed, values, {"full": 1 - headroom.T})
    lost, static = recommend.regrets(known, m)
    assert lost < 1e-6
    assert static > 0.01


def test_distant_images_cause_a_warning() -> None:
    trust = recommend.Trust(
        {}, {}, regret=0.1, static_regret=0.2, distance=0.9, typical=0.3, farthest=0.7, beyond={"iimm": 1}
    )
    assert len(trust.warnings) == 2
    assert "farther from every task of the suite (0.90)" in trust.warnings[0]
    assert "'iimm' is outside the range of the suite's tasks for 1 model;" in trust.warnings[1]
    assert not dataclasses.replace(trust, distance=0.5, beyond={}).warnings


def test_recommend_writes_tables_and_a_plot_for_a_folder(
    own: Path, command: Command, tmp_path: Path, pictures: Pictures
) -> None:
    root = pictures(tmp_path / "animals <b>")
    (root / "cat" / "0.png").write_bytes(b"x")
    words = ("recommend", root, "--suite", own / "small.toml", "--technique", "clip_adapter", "--out", "out")
    done = command(*words, cache=own / "cache")
    assert done.returncode == 0, done.stderr
    assert "animals <b>: 23 images of 2 classes, suite small. First choice: " in done.stdout
    assert "1 images were skipped: " in done.stdout
    folder = tmp_path / "out"
    assert {path.name for path in folder.iterdir()} == {f"recommend.{e}" for e in ("md", "csv", "json", "png", "svg")}
    rows = list(csv.DictReader((folder / "recommend.csv").read_text().splitlines()))
    assert [row["technique"] for row in rows] == ["clip_adapter"] * 2
    choices = json.loads((folder / "recommend.json").read_text())["choices"]
    assert [float(row["gain"]) for row in rows] == [c["gain"]["value"] for c in choices]
    assert "<b>" not in (folder / "recommend.md").read_text()
    assert (folder / "recommend.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (folder / "recommend.svg").read_text()
    bad = command("recommend", tmp_path / "none", "--suite", own / "small.toml", cache=own / "cache")
    assert bad.returncode == 1
    assert bad.stderr.strip().splitlines()[-1].startswith("error: ")
    assert "there is no such folder" in bad.stderr


@pytest.mark.slow
def test_real_images_get_a_recommendation_from_the_pocket_suite(shared: Path, tmp_path: Path, command: Command) -> None:
    subprocess.run([sys.executable, shared / "data" / "unpack", "images", "eurosat"], cwd=tmp_path, check=True)
    done = command("recommend", "images/eurosat", "--template", "a satellite image of {c}", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["images"] == 2000
    whole = suite.load("pocket")
    assert len(found["choices"]) == len(whole.models) * len(whole.techniques)
    for choice in found["choices"]:
        assert choice["gain"]["low"] < choice["gain"]["value"] < choice["gain"]["high"]
        assert 0 <= choice["accuracy"]["low"] <= choice["accuracy"]["high"] <= 1


def test_technique_measured_on_few_tasks_is_left_out(own: Path, loaded: suite.Suite) -> None:
    rows, cache = suite_ledger(loaded), Cache(own / "cache")
    few = rows.filter(pl.col("trained_on") == "two_colours").with_columns(technique=pl.lit("rare"))
    card = dataclasses.replace(cards.load("digits"), sizes={"train": 60, "val": 10, "test": 10})
    found = recommend.recommend(loaded, pl.concat([rows, few]), card, cache, quiet=True)
    assert {choice.technique for choice in found.choices} == {"full", "clip_adapter"}


def test_distance_is_to_tasks_with_train_images(own: Path, loaded: suite.Suite) -> None:
    cache, keys = Cache(own / "cache"), Keys()
    last = loaded.tasks[-1]
    evaluated = dataclasses.replace(last, sizes={**last.sizes, "train": 0, "val": 0})
    smaller = dataclasses.replace(loaded, tasks=(*loaded.tasks[:-1], evaluated))
    _, among = recommend.distances(smaller, loaded.models, loaded.tasks[0], cache, keys=keys)
    assert len(among) == len(loaded.tasks) - 1


def test_too_few_images_for_any_prediction_are_reported(own: Path, loaded: suite.Suite, pictures: Pictures) -> None:
    folder = pictures(own / "tiny", ("cat", "dog"), each=2)
    card, _ = card_from_folder(folder)
    with pytest.raises(
        InputError, match="nothing can be predicted from 4 images of 2 classes, since one of the scores"
    ):
        recommend.recommend(loaded, suite_ledger(loaded), card, Cache(own / "cache"), quiet=True)
