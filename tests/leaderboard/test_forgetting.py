"""The section on forgetting, of ledgers whose forgetting is planted."""

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


def test_mean_and_worst_task_are_those_of_the_ledger() -> None:
    assert [f.technique for f in BOARD.forgetting] == ["mild", "full", "harsh"]
    for f in BOARD.forgetting:
        assert f.mean.value == pytest.approx(LOST[f.technique].mean())
        assert f.gain == pytest.approx(0.2)
        per_task = LOST[f.technique].mean(0)
        assert (f.worst_task, f.worst) == (TASKS[per_task.argmax()], pytest.approx(per_task.max()))
        expected = stats.t.interval(0.95, 11, per_task.mean(), stats.sem(per_task))
        assert (f.mean.low, f.mean.high) == pytest.approx(expected)
    assert BOARD.forgetting[2].worst_task == "t07"


def test_the_difference_to_full_is_paired_by_task() -> None:
    mild, full, harsh = BOARD.forgetting
    assert full.over_full is None
    assert harsh.over_full is not None
    assert harsh.over_full.sign == 1
    assert mild.over_full is not None
    assert mild.over_full.sign == -1
    differences = (LOST["harsh"] - LOST["full"]).mean(0)
    assert harsh.over_full.low == pytest.approx(
        stats.t.interval(0.95, 11, differences.mean(), stats.sem(differences))[0]
    )


def test_only_scores_that_can_be_told_from_zero_predict_it() -> None:
    told = {f.technique: {name: r.value for name, r in f.predicted_by} for f in BOARD.forgetting}
    assert told["harsh"]["knows_harsh"] == pytest.approx(1)
    assert told["full"]["against_full"] == pytest.approx(-1)
    assert "noise" not in told["harsh"] | told["full"]


def test_the_section_is_in_every_format() -> None:
    section = render(BOARD, "md").split("### Forgetting by technique")[1]
    row = next(line for line in section.splitlines() if line.startswith("| harsh"))
    assert [cell.strip() for cell in row.split("|")][1:3] == ["harsh", ".20"]
    assert "t07 .63" in row
    text = render(BOARD, "text").split("Forgetting by technique")[1]
    assert "t07" in text
    assert "knows_harsh 1.00" in text
    meta = json.loads(render(BOARD, "json"))["meta"]["forgetting"]
    assert [entry["worst_task"] for entry in meta] == [f.worst_task for f in BOARD.forgetting]
    assert from_json(to_json(BOARD)) == BOARD


def test_a_technique_never_evaluated_elsewhere_has_no_place_in_it() -> None:
    board = make_board(SCORES, ledger(alone=("full", "mild")), permutations=50)
    assert [f.technique for f in board.forgetting] == ["harsh"]
    assert board.forgetting[0].over_full is None
    none = make_board(SCORES, ledger(alone=tuple(LOST)), permutations=50)
    assert not none.forgetting
    assert "Forgetting by technique" not in render(none, "md")


def test_more_than_full_is_on_the_runs_that_both_have() -> None:
    full = ledger().filter(pl.col("technique") == "full")
    some = full.filter(pl.col("trained_on").is_in(TASKS[:8])).with_columns(pl.lit("lora").alias("technique"))
    rows = pl.concat([full, some])
    entries = {f.technique: f for f in make_board(SCORES, rows, permutations=50).forgetting}
    assert entries["lora"].over_full is not None
    assert (entries["lora"].over_full.value, entries["lora"].over_full.sign) == (0, 0)


def test_the_static_ranking_is_made_of_forgetting_and_predicts_none() -> None:
    rng = np.random.default_rng(8)
    lost = rng.normal(0.1, 0.02, (5, 12))
    rows = []
    for i, j in np.ndindex(5, 12):
        rows.append((MODELS[i], "full", 0, TASKS[j], TASKS[j], 0.5, 0.7))
        rows.append((MODELS[i], "full", 0, TASKS[j], TASKS[j - 1], 0.9, 0.9 - lost[i, j]))
    table = ledger_table(rows)
    board = make_board(pl.concat([SCORES, baselines(summarise_ledger(table))]), table, permutations=99)
    line = board.find("static_rank", "full", "forgetting", "tasks", "pearson")
    assert line.high is not None
    assert line.high < 0  # backwards, by construction
    assert line.p is None
    assert not board.forgetting[0].predicted_by
