"""The geometry of a suite's models: summed up, asked for, kept in a table, and shown with the suite's health."""

import dataclasses
from pathlib import Path

import pytest

from benchmark import fingerprint, geometry, health, suite
from benchmark.errors import InputError
from benchmark.geometry import DEMANDS, Demand, Place, summarise


def place(**change: object) -> Place:
    plain = Place("m", "t", 4, 100.0, 0.0, 1.0, 0.2, 0.6, 0.5, 0.8, "a-b")
    return dataclasses.replace(plain, **change)  # type: ignore[arg-type]


def demand(column: str) -> Demand:
    return next(d for d in DEMANDS if d.column == column)


def test_a_model_is_summed_up_over_its_tasks() -> None:
    places = [
        place(task="a", iimm_inter=0.1, iimm_intra=0.95, modality_gap=0.9, zero_shot=0.2),
        place(task="b", iimm_inter=0.3, iimm_intra=0.55, modality_gap=1.1, zero_shot=0.8),
        place(model="n"),
    ]
    first, second = summarise(places)
    assert (first.model, second.model) == ("m", "n")
    assert first.inter_mean == pytest.approx(0.2)
    assert first.inter_deviation == pytest.approx(0.1)
    assert first.intra_mean == pytest.approx(0.75)
    assert first.intra_deviation == pytest.approx(0.2)
    assert first.intra_above == 1
    assert first.modality_gap == pytest.approx(1.0)
    assert (first.zero_shot_lowest, first.zero_shot_highest) == (0.2, 0.8)
    assert first.near_chance == 0.5


@pytest.mark.parametrize(("accuracy", "near"), [(0.1, True), (0.3, True), (0.31, False)])
def test_worse_than_chance_is_no_start_either(accuracy: float, near: bool) -> None:
    assert place(zero_shot=accuracy).near_chance is near


def test_models_with_a_bias_have_ranges_of_their_own() -> None:
    softmax, sigmoid = summarise([place(iimm_inter=-0.05), place(model="s", iimm_inter=-0.05, logit_bias=-16.0)])
    inter, intra = demand("inter_mean"), demand("intra_deviation")
    assert not inter.met(softmax)
    assert inter.met(sigmoid)
    assert not intra.met(softmax)  # one task has no deviation
    assert intra.met(sigmoid)
    assert geometry.ranges(inter) == "0.05 to 0.40; with a bias -0.10 to 0.20"
    assert geometry.ranges(intra) == "0.050 to 0.120; with a bias any"
    assert geometry.ranges(demand("logit_scale")) == "at least 90; with a bias at least 60"
    assert geometry.found(inter, [softmax, sigmoid]) == "-0.05; with a bias -0.05 (not m)"


def test_the_verdict_is_on_the_figure_as_it_is_printed() -> None:
    (summary,) = summarise([place(task="a", iimm_inter=0.2 - 0.0604), place(task="b", iimm_inter=0.2 + 0.0604)])
    assert demand("inter_deviation").met(summary)
    (summary,) = summarise([place(task="a", iimm_inter=0.2 - 0.0606), place(task="b", iimm_inter=0.2 + 0.0606)])
    assert not demand("inter_deviation").met(summary)


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    rows = [place(), place(model="n", logit_bias=-16.0, own_corpus=0.25)]
    geometry.write(tmp_path / "deep" / "g.csv", rows)
    assert geometry.read(tmp_path / "deep" / "g.csv") == rows
    (tmp_path / "bad.csv").write_text("model,task\na,b\n")
    with pytest.raises(InputError, match=r"bad\.csv: is no table of geometry"):
        geometry.read(tmp_path / "bad.csv")


def test_health_shows_the_geometry_of_what_the_suite_now_has(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = suite.load(str(own / "small.toml"))
    monkeypatch.setattr(geometry, "path_of", lambda name: own / "geometry.csv")
    assert health.places(loaded) == []
    before = len(health.check(loaded, []))
    rows = [
        place(model=model.name, task=card.name, classes=len(card.classes), zero_shot=0.9, identity=f"{weights}-{task}")
        for model in loaded.models
        for weights in [geometry.weights_name(model)]
        for card in loaded.tasks
        for task in [fingerprint.task_identity(card)[:8]]
    ]
    geometry.write(own / "geometry.csv", rows)
    checks = {c.what: c for c in health.check(loaded, [])}
    assert len(checks) == before + 3 + len(DEMANDS)
    assert checks["cells (model, task) with geometry measured on what the suite now has"].holds
    assert checks["cells that start within 5 points of chance, or below"].found == "0%"
    assert checks["modality gap, mean over tasks"].holds
    assert not checks["iimm_intra, deviation over tasks"].holds
    geometry.write(own / "geometry.csv", [*rows[1:], dataclasses.replace(rows[0], identity="old-old")])
    checks = {c.what: c for c in health.check(loaded, [])}
    assert not checks["cells (model, task) with geometry measured on what the suite now has"].holds
    assert health.table(loaded, [])[1][4] == "0.90"
