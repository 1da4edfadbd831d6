"""The section on forgetting, of ledgers with simulated forgetting."""

import json

import numpy as np
import polars as pl
import pytest
from scipy import stats

from leaderboard import baselines, from_json, ledger_table, make_board, render, score_table, summarise_ledger, to_json

MODELS, TASKS = [f"m{i}" for i in range(5)], [f"t{j:02}" for j in range(12)]
RNG = np.random.default_rng(5)
LOST = {
    "full": RNG.uniform(0, 0.1, (5, 12)),
    "mild": RNG.uniform(0, 0.02, (5, 12)),
    "harsh": RNG.uniform(0.2, 0.4, (5, 12)),
}
LOST["harsh"][:, 7] += 0.3


def ledger(alone: tuple[str, ...] = ()) -> pl.DataFrame:
    """Each run gains .2 and is evaluated on one other task, unless its technique is evaluated alone."""
    rows = []
    for technique, lost in LOST.items():
        for i, j in np.ndindex(*lost.shape):
            place = (MODELS[i], technique, 0, TASKS[j])
            rows.append((*place, TASKS[j], 0.5, 0.7))
            if technique not in alone:
                rows.append((*place, TASKS[j - 1], 0.9, 0.9 - lost[i, j]))
    return ledger_table(rows)


SCORES = score_table(
    [
        {"scorer": name, "model": MODELS[i], "task": TASKS[j], "score": float(value[i, j])}
        for name, value in {
            "knows_harsh": LOST["harsh"],
            "against_full": -LOST["full"],
            "noise": RNG.normal(size=(5, 12)),
        }.items()
        for i, j in np.ndindex(5, 12)
    ]
)
BOARD = make_board(SCORES, ledger(), permutations=100)


def test_mean_and_worst_task_equal_those_of_the_ledger() -> None:
    assert list(BOARD.forgetting["technique"]) == ["mild", "full", "harsh"]
    for row in BOARD.forgetting.iter_rows(named=True):
        lost, mean = LOST[row["technique"]], row["mean"]
        assert mean["value"] == pytest.approx(lost.mean())
        assert row["gain"] == pytest.approx(0.2)
        per_task = lost.mean(0)
        assert (row["worst_task"], row["worst"]) == (TASKS[per_task.argmax()], pytest.approx(per_task.max()))
        expected = stats.t.interval(0.95, 11, per_task.mean(), stats.sem(per_task))
        assert (mean["low"], mean["high"]) == pytest.approx(expected)
    assert BOARD.forgetting["worst_task"][2] == "t07"


def test_the_difference_to_full_is_paired_by_task() -> None:
    mild, full, harsh = BOARD.forgetting["over_full"]
    assert full is None
    assert harsh["low"] > 0
    assert mild["high"] < 0
    differences = (LOST["harsh"] - LOST["full"]).mean(0)
    assert harsh["low"] == pytest.approx(stats.t.interval(0.95, 11, differences.mean(), stats.sem(differences))[0])


def test_only_scores_with_a_significant_correlation_predict_it() -> None:
    rows = BOARD.predictors.iter_rows(named=True)
    values = {(row["technique"], row["scorer"]): row["correlation"]["value"] for row in rows}
    assert values["harsh", "knows_harsh"] == pytest.approx(1)
    assert values["full", "against_full"] == pytest.approx(-1)
    assert not {("harsh", "noise"), ("full", "noise")} & set(values)


def test_every_format_has_the_section() -> None:
    section = render(BOARD, "md").split("### Forgetting by technique")[1]
    row = next(line for line in section.splitlines() if line.startswith("| harsh"))
    assert [cell.strip() for cell in row.split("|")][1:3] == ["harsh", ".20"]
    assert "t07 .63" in row
    text = render(BOARD, "text").split("Forgetting by technique")[1]
    assert "t07" in text
    assert "knows_harsh 1.00" in text
    meta = json.loads(render(BOARD, "json"))["meta"]["forgetting"]
    assert [entry["worst_task"] for entry in meta] == list(BOARD.forgetting["worst_task"])
    assert from_json(to_json(BOARD)) == BOARD


def test_a_technique_never_evaluated_on_other_tasks_is_not_in_it() -> None:
    board = make_board(SCORES, ledger(alone=("full", "mild")), permutations=50)
    assert list(board.forgetting["technique"]) == ["harsh"]
    assert board.forgetting["over_full"][0] is None
    none = make_board(SCORES, ledger(alone=tuple(LOST)), permutations=50)
    assert none.forgetting.is_empty()
    assert "Forgetting by technique" not in render(none, "md")


def test_more_than_full_is_computed_on_the_runs_that_both_have() -> None:
    full = ledger().filter(pl.col("technique") == "full")
    some = full.filter(pl.col("trained_on").is_in(TASKS[:8])).with_columns(pl.lit("lora").alias("technique"))
    board = make_board(SCORES, pl.concat([full, some]), permutations=50)
    difference = board.forgetting.filter(technique="lora")["over_full"][0]
    assert difference["value"] == 0
    assert not difference["low"] > 0
    assert not difference["high"] < 0


def test_the_static_ranking_is_computed_from_forgetting_and_is_no_predictor() -> None:
    rng = np.random.default_rng(8)
    lost = rng.normal(0.1, 0.02, (5, 12))
    rows = []
    for i, j in np.ndindex(5, 12):
        rows.append((MODELS[i], "full", 0, TASKS[j], TASKS[j], 0.5, 0.7))
        rows.append((MODELS[i], "full", 0, TASKS[j], TASKS[j - 1], 0.9, 0.9 - lost[i, j]))
    table = ledger_table(rows)
    board = make_board(pl.concat([SCORES, baselines(summarise_ledger(table))]), table, permutations=99)
    row = board.find("static_rank", "full", "forgetting", "tasks", "pearson")
    assert row["high"] is not None
    assert row["high"] < 0  # negative by construction
    assert row["p"] is None
    assert not board.forgetting.is_empty()
    assert board.predictors.is_empty()
