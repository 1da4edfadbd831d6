"""Predicting from scores: what is fitted on what, and what is printed."""

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import leaderboard
from benchmark.reports import predict, predict_render

MODELS, TASKS = [f"m{i}" for i in range(4)], [f"t{j:02d}" for j in range(14)]


def planted() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Gain is .6 headroom + .3 linear_probe − .4 (points of a small noise); a score `noise` says nothing; `shy` scores one task."""
    rng = np.random.default_rng(0)
    cells, rows = [], []
    for model in MODELS:
        for task in TASKS:
            headroom, probe = rng.uniform(0.2, 0.8, 2)
            gain = 0.6 * headroom + 0.3 * probe - 0.2 + 0.01 * rng.normal()
            known = {"headroom": headroom, "linear_probe": probe, "iimm": rng.normal(), "noise": rng.normal()}
            cells += [{"scorer": name, "model": model, "task": task, "score": value} for name, value in known.items()]
            cells += [
                {"scorer": "shy", "model": model, "task": task, "score": rng.normal() if task == "t00" else None},
                {"scorer": "same", "model": model, "task": task, "score": 1.0},
            ]
            cells.append(
                {
                    "scorer": "static_rank",
                    "model": model,
                    "task": task,
                    "score": gain,
                    "technique": "full",
                    "target": "gain",
                }
            )
            for other in TASKS:
                lost = gain if other == task else -0.1 * headroom
                rows.append((model, "full", 0, task, other, 0.5, 0.5 + lost))
    return leaderboard.score_table(cells), leaderboard.ledger_table(rows)


def test_planted_predictors_win_and_ledger_scorers_are_excluded() -> None:
    found = predict.predict("toy", *planted())
    lines = {(line.target, line.predictor): line for line in found.lines}
    assert {name for _, name in lines} == {"the mean", "combination", "headroom", "linear_probe", "iimm", "noise"}
    gain = {name: lines["gain", name].tasks for name in ("the mean", "combination", "headroom", "noise")}
    assert gain["combination"].mae < 0.015
    assert gain["combination"].r2 > 0.97
    assert gain["headroom"].mae < gain["noise"].mae
    assert abs(gain["the mean"].r2) < 1e-6
    assert lines["forgetting", "headroom"].tasks.r2 > 0.999
    assert gain["combination"].n == len(MODELS) * len(TASKS)
    assert lines["gain", "combination"].models is not None
    curve = next(c for c in found.curves if (c.target, c.predictor) == ("gain", "combination")).points
    assert list(curve) == [2, 3, 5, 8, 12]
    assert curve[12][0] < curve[2][0]


def test_features_are_placed_by_name() -> None:
    cells, rows = planted()
    m = leaderboard.summarise_ledger(rows)
    table = predict.feature_table(cells[::-1], m, ["linear_probe", "shy"])
    assert table.shape == (14, 4, 2)
    assert table[3, 2, 0] == cells.filter(scorer="linear_probe", model="m2", task="t03")["score"][0]
    assert np.isfinite(table[..., 1]).sum() == 4


@pytest.mark.parametrize("form", leaderboard.FORMATS)
def test_all_formats_contain_the_same_numbers(form: str) -> None:
    found = predict.predict("toy", *planted())
    line = next(x for x in found.lines if (x.target, x.predictor) == ("gain", "combination"))
    text = predict_render.render(found, form)
    if form == "csv":
        row = next(r for r in csv.DictReader(text.splitlines()) if r["predictor"] == "combination")
        assert float(row["mae"]) == line.tasks.mae
        assert {r["left_out"] for r in csv.DictReader(text.splitlines())} == {"task", "model"}
    elif form == "json":
        assert json.loads(text)["lines"][0].keys() == {"technique", "target", "predictor", "tasks", "models"}
    else:
        assert f"{100 * line.tasks.mae:.1f} [{100 * line.tasks.low:.1f}, {100 * line.tasks.high:.1f}]" in text
        assert "by the number of training tasks" in text
        assert ("**" in text) == (form == "md")


def test_predict_writes_tables_for_a_measured_suite(
    own: Path, command: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    words = ("predict", "--suite", own / "small.toml", "--techniques", "clip_adapter", "--scorers", "iimm,text_spread")
    done = command(*words, cache=own / "cache")
    assert done.returncode == 2
    assert "unknown scorer 'text_spread'" in done.stderr
    done = command(*words[:-1], "iimm", "--format", "csv", "--out", "out", cache=own / "cache")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert {row["technique"] for row in rows} == {"clip_adapter"}
    assert {row["predictor"] for row in rows} == {"the mean", "combination", "headroom", "linear_probe", "iimm"}
    assert {row["left_out"] for row in rows} == {"task"}  # of two models none can be left out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"predict.md", "predict.csv", "predict.json"}


def test_technique_measured_on_few_tasks_does_not_stop_the_others() -> None:
    scores, ledger = planted()
    few = ledger.filter(pl.col("trained_on").is_in(TASKS[:3])).with_columns(technique=pl.lit("rare"))
    found = predict.predict("toy", scores, pl.concat([ledger, few]))
    techniques = {line.technique for line in found.lines}
    assert techniques == {"full", "rare"}
    assert all(curve.points == {} for curve in found.curves if curve.technique == "rare")
    json.loads(predict_render.render(found, "json"), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
