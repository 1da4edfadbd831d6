"""Tables of scores and measurements from files, valid and invalid."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from leaderboard import (
    LeaderboardError,
    baselines,
    filter_board,
    make_board,
    read_measurements,
    read_scores,
    render,
    score_table,
)

WIDE = "model,task,before,accuracy\n" + "".join(
    f"m{i},t{j:02},{0.1 + 0.02 * j},{0.3 + 0.01 * (i * j % 7) + 0.03 * j}\n" for i in range(6) for j in range(8)
)


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "g.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_third_of_before_accuracy_and_gain_is_computed(tmp_path: Path) -> None:
    both = read_measurements(write(tmp_path, WIDE))
    lines = [line.split(",") for line in WIDE.splitlines()[1:]]
    gained = "model,task,accuracy,gain\n" + "".join(f"{m},{t},{a},{float(a) - float(b)}\n" for m, t, b, a in lines)
    other = read_measurements(write(tmp_path, gained))
    for one, two in ((both.values, other.values), (both.before, other.before)):
        np.testing.assert_equal(set(one), set(two))
    np.testing.assert_allclose(both.values["tuned"]["gain"], other.values["tuned"]["gain"])
    np.testing.assert_allclose(both.before["tuned"], other.before["tuned"])
    assert np.isnan(both.values["tuned"]["forgetting"]).all()


def test_a_ledger_with_quoted_column_names_is_recognised(tmp_path: Path) -> None:
    text = '"model","technique","seed","trained_on","evaluated_on","before","after"\na,full,0,t,t,0.5,0.7\n'
    assert read_measurements(write(tmp_path, text)).values["full"]["gain"] == pytest.approx(0.2)


def test_techniques_seeds_empty_fields_and_further_columns_are_read(tmp_path: Path) -> None:
    text = "note,model,task,technique,seed,gain\nx,a,t,lora,0,0.1\ny,a,t,lora,1,0.3\nz,a,u,full,0,\n,b,t,lora,0,0.5\n"
    m = read_measurements(write(tmp_path, text))
    assert (m.models, m.tasks, m.techniques, m.seeds) == (("a", "b"), ("t",), ("lora",), (0, 1))
    np.testing.assert_allclose(m.values["lora"]["gain"], [[0.2], [0.5]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model,accuracy\n", "column 'task' is missing; found model, accuracy"),
        ("model,task,before\na,t,0.1\n", "none of the columns accuracy, gain, forgetting is there"),
        ("model,task,gain\n", "contains no measurements"),
        ("model,task,gain,gain\na,t,1,1\n", "column 'gain' is there more than once"),
        ("model,task,gain\na,t,1\na,t,2\n", "row 3: the same model and task as in"),
        ("model,task,gain\na,t,=A1+1\n", "row 2, column 'gain': '=A1+1' is not a number"),
        ("model,task,gain\na,t,nan\n", "row 2, column 'gain': nan is not finite"),
        ("model,task,gain,technique\na,t,1,\na,t,2,tuned\n", "row 3: the same model and task as in"),
        ("model,task,gain,seed\na,t,1,0.5\n", "row 2, column 'seed': 0.5 is not a whole number"),
        ("model,task,gain\na," + "t" * 200_000 + ",1\n", "cannot be read as CSV"),
        ("model,task,gain\na,t,1,5\n", "row 2: has more fields than the header"),
        ("model,task,gain\nä,t,1\n".encode("latin-1"), "cannot be read as UTF-8 text"),
        ("model,task,gain\na,t,1\nb,t,", "the last line has no end"),
    ],
)
def test_invalid_tables_are_reported_with_file_and_place(text: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(LeaderboardError) as caught:
        read_measurements(write(tmp_path, text))
    assert str(caught.value).startswith(str(tmp_path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_baselines_come_from_the_measurements_alone(tmp_path: Path) -> None:
    m = read_measurements(write(tmp_path, WIDE))
    own = score_table(
        {"scorer": "s", "model": a, "task": t, "score": float(i + j)}
        for i, a in enumerate(m.models)
        for j, t in enumerate(m.tasks)
    )
    board = make_board(pl.concat([own, baselines(m)]), m, permutations=99)
    assert set(board.rows["scorer"]) == {"s", "headroom", "static_rank"}
    headroom = baselines(m).filter(scorer="headroom", model="m0", task="t03")
    assert headroom["score"][0] == pytest.approx(1 - 0.16)


@pytest.mark.parametrize("rows", ["m0,t,0.1\n", "m0,t,0.1\nm1,t,0.2\nm2,t,0.1\n", "m0,t,0.1\nm0,u,0.4\nm0,v,0.1\n"])
def test_one_model_or_one_task_is_a_board_without_numbers(rows: str, tmp_path: Path) -> None:
    m = read_measurements(write(tmp_path, f"model,task,gain\n{rows}"))
    scores = [
        {"scorer": "s", "model": a, "task": t, "score": float(i + j)}
        for i, a in enumerate(m.models)
        for j, t in enumerate(m.tasks)
    ]
    text = render(make_board(score_table(scores), m, permutations=99), "text")
    cells = [line.split() for line in text.splitlines() if " s " in line]
    assert all(set(row[2:9]) == {"–"} for row in cells)
    assert cells or "No score can be ranked by gain" in text


def test_a_filtered_board_has_the_selected_targets_and_axes_only(tmp_path: Path) -> None:
    m = read_measurements(write(tmp_path, WIDE))
    scores = [
        {"scorer": "s", "model": a, "task": t, "score": float(i * j)}
        for i, a in enumerate(m.models)
        for j, t in enumerate(m.tasks)
    ]
    board = filter_board(make_board(score_table(scores), m, permutations=99), ["accuracy"], ["models"])
    assert set(board.rows.select("target", "axis").iter_rows()) == {("accuracy", "models")}
    text = render(board, "text")
    assert "over models" in text
    assert "over tasks" not in text
    assert "Gain: " not in text
    with pytest.raises(LeaderboardError, match="axis 'seeds' is not known; known: tasks, models, pooled"):
        filter_board(board, axes=["seeds"])


def test_a_large_table_is_read_completely(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("scorer,model,task,score\n" + "".join(f"s,m{i},t{j},{i}\n" for i in range(300) for j in range(200)))
    assert len(read_scores(path)) == 60_000
