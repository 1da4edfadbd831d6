"""The geometry of a suite's models: summed up, asked for, kept in a table, and shown with the suite's health."""

import dataclasses
from pathlib import Path

import pytest

import leaderboard
from benchmark.errors import InputError
from benchmark.reports import geometry, health
from benchmark.reports.geometry import DEMANDS, Demand, Place, summarise
from benchmark.suites import suite
from benchmark.tasks.fingerprint import task_fingerprint


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
    assert not inter.is_met(softmax)
    assert inter.is_met(sigmoid)
    assert not intra.is_met(softmax)  # one task has no deviation
    assert intra.is_met(sigmoid)
    assert geometry.describe_range(inter) == "0.05 to 0.40; with a bias -0.10 to 0.20"
    assert geometry.describe_range(intra) == "0.050 to 0.120; with a bias any"
    assert geometry.describe_range(demand("logit_scale")) == "at least 90; with a bias at least 60"
    assert geometry.describe_values(inter, [softmax, sigmoid]) == "-0.05; with a bias -0.05 (not m)"


def test_the_verdict_is_on_the_figure_as_it_is_printed() -> None:
    (summary,) = summarise([place(task="a", iimm_inter=0.2 - 0.0604), place(task="b", iimm_inter=0.2 + 0.0604)])
    assert demand("inter_deviation").is_met(summary)
    (summary,) = summarise([place(task="a", iimm_inter=0.2 - 0.0606), place(task="b", iimm_inter=0.2 + 0.0606)])
    assert not demand("inter_deviation").is_met(summary)


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    rows = [place(), place(model="n", logit_bias=-16.0, own_corpus=0.25)]
    geometry.write(tmp_path / "deep" / "g.csv", rows)
    assert geometry.read(tmp_path / "deep" / "g.csv") == rows
    (tmp_path / "bad.csv").write_text("model,task\na,b\n")
    with pytest.raises(InputError, match=r"bad\.csv: is not a table of geometry"):
        geometry.read(tmp_path / "bad.csv")


def test_health_shows_the_geometry_of_what_the_suite_now_has(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = suite.load(str(own / "small.toml"))
    monkeypatch.setattr(geometry, "path_of", lambda name: own / "geometry.csv")
    assert health.measured_geometry(loaded) == []
    before = len(health.criteria(loaded, leaderboard.ledger_table([])))
    rows = [
        place(model=model.name, task=card.name, classes=len(card.classes), zero_shot=0.9, identity=f"{weights}-{task}")
        for model in loaded.models
        for weights in [geometry.weights_name(model)]
        for card in loaded.tasks
        for task in [task_fingerprint(card)[:8]]
    ]
    geometry.write(own / "geometry.csv", rows)
    checks = {c.name: c for c in health.criteria(loaded, leaderboard.ledger_table([]))}
    assert len(checks) == before + 3 + len(DEMANDS)
    assert checks["cells (model, task) whose geometry is measured for the present weights and tasks"].passed
    assert checks["cells that start within 5 points of chance, or below"].value == "0%"
    assert checks["modality gap, mean over tasks"].passed
    assert not checks["iimm_intra, deviation over tasks"].passed
    geometry.write(own / "geometry.csv", [*rows[1:], dataclasses.replace(rows[0], identity="old-old")])
    checks = {c.name: c for c in health.criteria(loaded, leaderboard.ledger_table([]))}
    assert not checks["cells (model, task) whose geometry is measured for the present weights and tasks"].passed
    assert health.task_table(loaded, leaderboard.ledger_table([]))["zero-shot"][1] == "0.90"
