"""Boards of simulated data with known answers."""

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import kendalltau, linregress, pearsonr, spearmanr, weightedtau

import leaderboard
from leaderboard import (
    Board,
    LeaderboardError,
    filter_board,
    ledger_table,
    make_board,
    ranks,
    ranks_elsewhere,
    render,
    score_table,
    static_rank,
    summarise_ledger,
)

MODELS, TASKS = [f"m{i}" for i in range(6)], [f"t{j:02}" for j in range(12)]
RNG = np.random.default_rng(3)
BEFORE = RNG.uniform(0.1, 0.5, (6, 12))
AFTER = BEFORE + RNG.uniform(-0.05, 0.5, (6, 12))
LOST = RNG.uniform(0, 0.1, (6, 12))


def ledger(models: Sequence[str] = MODELS, tasks: Sequence[str] = TASKS, seeds: Sequence[int] = (0,)) -> pl.DataFrame:
    """Every run evaluated on its own task and on two others, where it loses LOST and LOST + .02."""
    rows = []
    for i, model in enumerate(models):
        for j, task in enumerate(tasks):
            for seed in seeds:
                place = (model, "full", seed, task)
                rows.append((*place, task, BEFORE[i, j], AFTER[i, j] + 0.01 * seed))
                for k in (1, 2):
                    other = tasks[(j + k) % len(tasks)]
                    rows.append((*place, other, 0.9, 0.9 - LOST[i, j] - 0.02 * (k - 1)))
    return ledger_table(rows)


def table(name: str, value: Callable[[int, int], float | None]) -> list[dict[str, object]]:
    return [
        {"scorer": name, "model": m, "task": t, "score": value(i, j), "seconds": 0.25}
        for i, m in enumerate(MODELS)
        for j, t in enumerate(TASKS)
    ]


NOISE = RNG.normal(size=(6, 12))
SCORES = score_table(
    [
        *table("noise", lambda i, j: NOISE[i, j]),
        *table("oracle", lambda i, j: AFTER[i, j] - BEFORE[i, j]),
        *table("against", lambda i, j: BEFORE[i, j] - AFTER[i, j]),
        *table("headroom", lambda i, j: 1 - BEFORE[i, j]),
        *table("size", lambda i, j: float(i)),
        *table("same", lambda i, j: 1.0),
        *table("half", lambda i, j: NOISE[i, j] if j % 2 else None),
    ]
)


def groups(board: Board, *key: str) -> dict[str, float | None]:
    """The values per group of (scorer, technique, target, axis, measure)."""
    columns = ("scorer", "technique", "target", "axis", "measure")
    rows = board.per_group.filter(**dict(zip(columns, key, strict=True)))
    return dict(rows.select("group", "value").iter_rows())


def lead(board: Board, scorer: str, baseline: str = "headroom") -> dict[str, float]:
    """The lead of r with gain over tasks."""
    rows = board.leads.filter(
        scorer=scorer, technique="full", target="gain", axis="tasks", measure="pearson", baseline=baseline
    )
    return rows.row(0, named=True)


@pytest.fixture(scope="module")
def board() -> Board:
    return make_board(SCORES, ledger(), orientation={"against": {"gain": -1}}, permutations=300)


def test_targets_follow_their_definitions() -> None:
    m = summarise_ledger(ledger(seeds=(0, 2)))
    np.testing.assert_allclose(m.values["full"]["gain"], AFTER + 0.01 - BEFORE)
    np.testing.assert_allclose(m.values["full"]["accuracy"], AFTER + 0.01)
    np.testing.assert_allclose(m.values["full"]["forgetting"], LOST + 0.01)


SCIPY = {
    "pearson": lambda x, y: pearsonr(x, y)[0],
    "spearman": lambda x, y: spearmanr(x, y)[0],
    "kendall": lambda x, y: kendalltau(x, y)[0],
    "weighted_kendall": lambda x, y: weightedtau(x, y, rank=True)[0],
    "slope": lambda x, y: linregress(x, y).slope,
}


@pytest.mark.parametrize("measure", SCIPY)
def test_values_equal_scipy_per_axis(board: Board, measure: str) -> None:
    f, gain = SCIPY[measure], AFTER - BEFORE
    key = ("noise", "full", "gain", "tasks", measure)
    values = groups(board, *key)
    assert values == pytest.approx({m: f(NOISE[i], gain[i]) for i, m in enumerate(MODELS)})
    assert board.find(*key)["value"] == pytest.approx(np.mean(list(values.values())))
    key = ("noise", "full", "gain", "models", measure)
    values = groups(board, *key)
    assert values == pytest.approx({t: f(NOISE[:, j], gain[:, j]) for j, t in enumerate(TASKS)})
    assert board.find(*key)["value"] == pytest.approx(np.mean(list(values.values())))
    pooled = board.find("noise", "full", "gain", "pooled", measure)
    assert pooled["value"] == pytest.approx(f(NOISE.ravel(), gain.ravel()))


def test_simulated_correlations_are_found(board: Board) -> None:
    for name in ("oracle", "against"):
        row = board.find(name, "full", "gain", "tasks", "pearson")
        assert (row["value"], row["low"], row["high"]) == pytest.approx((1, 1, 1))
    assert board.ranking["full"]["gain"][:2] == ("against", "oracle")
    # no orientation is declared for accuracy, so the score is not negated
    against = board.find("against", "full", "accuracy", "tasks", "pearson")
    assert against["value"] is not None
    assert against["value"] < 0


def test_few_tasks_and_models_have_no_interval_and_a_value_without_one_is_not_shown() -> None:
    models, tasks = MODELS[:4], TASKS[:4]
    some = SCORES.filter(pl.col("task").is_in(tasks), pl.col("model").is_in(models))
    board = make_board(some, ledger(models, tasks), permutations=100)
    row = board.find("noise", "full", "gain", "tasks", "pearson")
    assert row["value"] is not None
    assert row["low"] is None
    rows = [row.split() for row in render(board, "text").splitlines() if " noise " in row]
    assert len(rows) == 3
    assert all(set(row[2:8]) == {"–"} for row in rows)


def test_constant_and_partial_scores_are_flagged(board: Board) -> None:
    same = board.find("same", "full", "gain", "pooled", "pearson")
    assert same["value"] is None
    assert same["constant"]
    size = board.find("size", "full", "gain", "tasks", "pearson")
    assert size["value"] is None
    assert board.find("size", "full", "gain", "models", "pearson")["value"] is not None
    assert board.find("size", "full", "gain", "tasks", "kendall")["ties"] == 1
    assert board.find("size", "full", "gain", "models", "kendall")["ties"] == 0
    half = board.find("half", "full", "gain", "tasks", "pearson")
    assert half["coverage"] == 0.5
    assert half["n"] == 36


def test_lead_over_headroom_is_the_difference_of_the_values(board: Board) -> None:
    row, rival = (board.find(n, "full", "gain", "tasks", "pearson") for n in ("noise", "headroom"))
    difference = lead(board, "noise")
    assert difference["value"] == pytest.approx(row["value"] - rival["value"])
    assert difference["low"] < difference["value"] < difference["high"]
    assert board.leads.filter(scorer="headroom", baseline="headroom").is_empty()


def test_a_score_of_few_cells_is_compared_on_those(board: Board) -> None:
    row = board.find("half", "full", "gain", "tasks", "pearson")
    some = np.arange(12) % 2 == 1
    rival = np.mean([pearsonr(1 - BEFORE[i, some], (AFTER - BEFORE)[i, some])[0] for i in range(6)])
    assert lead(board, "half")["value"] == pytest.approx(row["value"] - rival)


def test_a_score_is_compared_with_a_baseline_of_few_cells_on_those() -> None:
    odd = pl.col("task").str.slice(1).cast(pl.Int64) % 2 == 1
    some = SCORES.filter((pl.col("scorer") != "headroom") | odd)
    alike = SCORES.filter(pl.col("scorer") == "headroom").with_columns(pl.lit("alike").alias("scorer"))
    board = make_board(pl.concat([some, alike]), ledger(), permutations=20)
    assert lead(board, "alike")["value"] == pytest.approx(0)


def test_a_score_for_one_technique_replaces_a_general_one_in_any_order() -> None:
    general = table("s", lambda i, j: NOISE[i, j])
    own = [row | {"technique": "full", "target": "accuracy"} for row in table("s", lambda i, j: AFTER[i, j])]
    boards = [make_board(score_table(rows), ledger(), permutations=20) for rows in (general + own, own + general)]
    assert boards[0] == boards[1]
    assert boards[0].find("s", "full", "accuracy", "tasks", "pearson")["value"] == pytest.approx(1)


def test_regret_is_the_accuracy_lost_by_the_first_choice(board: Board) -> None:
    regret = groups(board, "noise", "full", "accuracy", "models", "regret@1")
    reached = AFTER[NOISE.argmax(0), np.arange(12)]
    assert list(regret.values()) == pytest.approx(AFTER.max(0) - reached)
    assert board.find("noise", "full", "accuracy", "models", "rel@1")["value"] == pytest.approx(
        (reached / AFTER.max(0)).mean()
    )
    tied = board.find("same", "full", "accuracy", "models", "regret@1")
    assert tied["value"] == pytest.approx((AFTER.max(0) - AFTER.mean(0)).mean())
    assert board.find("oracle", "full", "gain", "models", "regret@1")["value"] == pytest.approx(0)


def test_boards_are_equal_if_their_tables_are(board: Board) -> None:
    assert filter_board(board) == board
    assert filter_board(board, ["gain"]) != board


def test_a_board_does_not_depend_on_the_order_of_rows(board: Board) -> None:
    again = make_board(SCORES[::-1], ledger()[::-1], orientation={"against": {"gain": -1}}, permutations=300)
    assert render(again, "json") == render(board, "json")


def test_a_board_survives_json_exactly(board: Board) -> None:
    assert leaderboard.from_json(leaderboard.to_json(board)) == board


def test_static_rank_does_not_depend_on_the_task_itself() -> None:
    before = static_rank(AFTER)
    changed = AFTER.copy()
    changed[:, 3] = changed[::-1, 3]
    assert np.array_equal(static_rank(changed)[:, 3], before[:, 3])
    assert not np.array_equal(static_rank(changed), before)
    best = np.argsort(np.argsort(AFTER, 0), 0) / 5
    others = [best[1, j] for j in range(12) if j != 5]
    assert ranks_elsewhere(ranks(AFTER), 1, 5) == pytest.approx(others)


def test_ranks_average_ties_and_leave_out_what_was_not_measured() -> None:
    values = np.array([[0.1, np.nan, 0.5], [0.3, 0.2, 0.5], [0.3, np.nan, 0.7], [np.nan, np.nan, 0.9]])
    expected = [[0.0, np.nan, 1 / 6], [0.75, np.nan, 1 / 6], [0.75, np.nan, 2 / 3], [np.nan, np.nan, 1.0]]
    np.testing.assert_allclose(ranks(values), expected)


def test_tables_without_a_common_cell_are_an_error() -> None:
    with pytest.raises(LeaderboardError, match="in common"):
        make_board(score_table([{"scorer": "s", "model": "other", "task": "t00", "score": 1.0}]), ledger())


def test_techniques_that_rank_alike_are_stable_and_a_reversed_one_is_not() -> None:
    same = ledger().with_columns(pl.lit("same").alias("technique"))
    reverse = pl.col("before") - (pl.col("after") - pl.col("before")) / 5
    reversed_gains = ledger().with_columns(pl.lit("reversed").alias("technique"), reverse.alias("after"))
    found = make_board(SCORES, pl.concat([ledger(), same, reversed_gains]), permutations=20).stability
    assert found["full"]["another technique"] == pytest.approx(0)  # 1 with one, −1 with the other
    assert found["reversed"]["another technique"] == pytest.approx(-1)
    assert set(found["full"]) == {"a model left out", "a task left out", "another technique"}


@pytest.mark.parametrize("form", leaderboard.FORMATS)
def test_every_format_contains_every_scorer(board: Board, form: str) -> None:
    text = render(board, form)
    assert all(name in text for name in set(SCORES["scorer"]))
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_json_has_the_documented_fields(board: Board) -> None:
    rows = json.loads(render(board, "json"))["rows"]
    assert {
        "scorer",
        "target",
        "technique",
        "axis",
        "measure",
        "value",
        "low",
        "high",
        "p",
        "n",
        "ceiling",
        "per_group",
    } <= set(rows[0])
    assert {(r["target"], r["axis"], r["measure"]) for r in rows} == {
        (t, a, m)
        for t in ("gain", "accuracy", "forgetting")
        for a in ("tasks", "models", "pooled")
        for m in ("pearson", "spearman", "kendall", "weighted_kendall", "slope")
    } | {(t, "models", m) for t, m in [("gain", "regret@1"), ("accuracy", "regret@1"), ("accuracy", "rel@1")]}


def test_numbers_are_printed_as_in_papers() -> None:
    from leaderboard.output.formatting import short

    shown = [short(v) for v in (0.456, -0.456, 0.999, 1.0, -1.234, 0.001, -0.001, 10.5)]
    assert shown == [".46", "−.46", "1.00", "1.00", "−1.23", "0", "0", "10.50"]


def test_names_cannot_break_the_table() -> None:
    name = "<img src=x onerror=1>|`*_\n#"
    board = make_board(
        SCORES[:72].with_columns(pl.lit(name).alias("scorer")),
        ledger(),
        permutations=20,
    )
    text = render(board, "md")
    assert "<img" not in text
    assert "|`" not in text
    row = next(line for line in text.splitlines() if "img src" in line)
    assert row.count("|") == text.splitlines()[text.splitlines().index(row) - 1].count("|")
    formula = make_board(
        SCORES[:72].with_columns(pl.lit("=1+1").alias("scorer")),
        ledger(),
        permutations=20,
    )
    assert "\n'=1+1," in render(formula, "csv")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (Debian: texlive-latex-recommended)")
def test_latex_compiles_with_any_names(tmp_path: Path) -> None:
    names = ["a_b", "50 % of $x^2$ & {y}~#1", "\\input{x}", "Ωmega ☃", "Größe"]
    scores = pl.concat([SCORES[:72].with_columns(pl.lit(f"{name}{i}").alias("scorer")) for i, name in enumerate(names)])
    board = make_board(scores, ledger(), permutations=20)
    body = render(board, "latex", provenance=leaderboard.provenance("python -m benchmark rank --scores a_b%.csv"))
    document = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n" + body + "\\end{document}\n"
    (tmp_path / "board.tex").write_text(document, encoding="utf-8")
    words = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "board.tex"]
    process = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert process.returncode == 0, process.stdout[-2000:]
    assert (tmp_path / "board.pdf").exists()


HEADER = "model,technique,seed,trained_on,evaluated_on,before,after\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model,technique\na,b\n", "column 'seed' is missing; found model, technique"),
        (HEADER, "contains no measurements"),
        (HEADER + "a,full,0,t,t,0.5,x\n", "row 2, column 'after': 'x' is not a number"),
        (HEADER + "a,full,0,t,t,0.5,nan\n", "row 2, column 'after': nan is not finite"),
        (HEADER + "a,full,0,t,t,0.5,1.5\n", "column 'after': 1.5 is outside 0..1"),
        (HEADER + "a,full,0.5,t,t,0.5,0.5\n", "column 'seed': 0.5 is not a whole number"),
        (HEADER + "a,full,0,t,t,0.5\n", "row 2: has fewer fields than the header"),
        (HEADER + "a,full,0,t,t,0.5,0.6\na,full,0,t,t,0.5,0.6\n", "row 3: the same measurement as in"),
        (HEADER + "a,full,0,t,u,0.5,0.6\n", "run a/full/0/t has no row evaluated on its own task"),
        (HEADER + "a,full,0,t,t,0.5,0.6\na,full,0,u,u,0.", "the last line has no end"),
        (
            HEADER + "a,full,0,t,t,0.5,0.6\na,full,0,u,u,0.3,0.6\na,full,1,t,t,0.2,0.6\n",
            "row 4, column 'before': 0.2, but 0.5 in another run of model 'a' on task 't'",
        ),
    ],
)
def test_invalid_ledgers_are_reported_with_file_and_place(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text(text)
    with pytest.raises(LeaderboardError) as caught:
        leaderboard.read_ledger(tmp_path)
    assert str(caught.value).startswith(str(tmp_path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scorer,model,score\n", "column 'task' is missing"),
        ("scorer,model,task,score\n", "contains no scores"),
        ("scorer,model,task,score\ns,m,t,1\ns,m,t,2\n", "row 3: the same score as in"),
        ("scorer,model,task,score\ns,m,t,inf\n", "row 2, column 'score': inf is not finite"),
    ],
)
def test_invalid_scores_are_reported_with_file_and_place(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(LeaderboardError, match=r"s\.csv") as caught:
        leaderboard.read_scores(tmp_path / "s.csv")
    assert message in str(caught.value)


def test_an_empty_score_is_an_abstention(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("scorer,model,task,score\ns,m,t,\n")
    assert (
        leaderboard.read_scores(tmp_path / "s.csv").to_dicts()
        == score_table([{"scorer": "s", "model": "m", "task": "t"}]).to_dicts()
    )
