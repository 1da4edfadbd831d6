"""`rank` for anybody's tables."""

import json
import re
from pathlib import Path

import pytest
from common import Command

GAINS = "model,task,before,gain\n" + "".join(
    f"m{i},t{j:02},{0.1 + 0.05 * j},{0.5 - 0.03 * j + 0.02 * (i * j % 5)}\n" for i in range(6) for j in range(9)
)
SCORES = "scorer,model,task,score\n" + "".join(
    f"{name},m{i},t{j:02},{value}\n"
    for i in range(7)
    for j in range(9)
    for name, value in (("mine", (i * j % 5) - j), ("<img src=x onerror=alert(1)>", i), ("iimm", "" if i else j))
)


@pytest.fixture
def tables(tmp_path: Path) -> list[str]:
    (tmp_path / "scores.csv").write_text(SCORES)
    (tmp_path / "gains.csv").write_text(GAINS)
    return ["rank", "--scores", str(tmp_path / "scores.csv"), "--gains", str(tmp_path / "gains.csv")]


def test_a_board_of_two_tables(tables: list[str], command: Command, tmp_path: Path) -> None:
    done = command(*tables, "--format", "json", "--out", str(tmp_path / "out"), "--figures")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert {row["scorer"] for row in rows} == {
        "mine",
        "<img src=x onerror=alert(1)>",
        "iimm",
        "headroom",
        "static_rank",
    }
    mine = next(
        r for r in rows if (r["scorer"], r["target"], r["axis"], r["measure"]) == ("mine", "gain", "tasks", "pearson")
    )
    assert mine["low"] < mine["value"] < mine["high"]
    assert mine["p"] < 0.05
    assert set(mine["per_group"]) == {f"m{i}" for i in range(6)}
    assert "left out 1 models that the other table does not have (m6)" in done.stderr
    assert "54 of 189 scores are empty and count as abstentions" in done.stderr
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"board.md", "board.csv", "board.json", "index.html", "page", "figures", "SHA256SUMS"}
    assert (tmp_path / "out" / "figures" / "tuned-score-iimm.svg").exists()


@pytest.mark.parametrize("form", ["text", "md", "latex", "html", "csv"])
def test_every_format_is_printed(form: str, tables: list[str], command: Command) -> None:
    done = command(*tables, "--format", form, "--target", "gain", "--axis", "tasks,models")
    assert done.returncode == 0, done.stderr
    assert "mine" in done.stdout
    assert ("<img" in done.stdout) == (form in ("text", "csv"))
    if form == "latex":
        assert (
            done.stdout.count(r"\toprule")
            == done.stdout.count(r"\bottomrule")
            == done.stdout.count(r"\begin{table}")
            == 1
        )
    if form == "html":
        assert done.stdout.startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--target", "speed"], "error: target 'speed' is not known; known: gain, accuracy, forgetting"),
        (["--gains", "nowhere.csv"], "error: nowhere.csv: there is no such file"),
    ],
)
def test_invalid_tables_are_reported_in_one_line(
    more: list[str], message: str, tables: list[str], command: Command
) -> None:
    done = command(*tables, *more)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == message


def test_one_table_alone_is_wrong_usage(tables: list[str], command: Command) -> None:
    done = command(*tables[:3])
    assert done.returncode == 2
    assert "--scores and --gains belong together" in done.stderr


def test_a_board_can_be_cited_and_checked(tables: list[str], command: Command, tmp_path: Path) -> None:
    done = command(*tables, "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    board = tmp_path / "out" / "board.json"
    meta = json.loads(board.read_text())["meta"]
    assert meta["made"]["command"].startswith("python -m benchmark rank --scores ")
    assert meta["board"] in (tmp_path / "out" / "board.md").read_text()
    assert (
        (tmp_path / "out" / "board.csv")
        .read_text()
        .splitlines()[-1]
        .split(meta["board"])[1]
        .startswith(f",{meta['made']['date']},")
    )

    cited = command("cite", "--board", str(board))
    assert cited.returncode == 0, cited.stderr
    entries = [line.split("{")[1].rstrip(",") for line in cited.stdout.splitlines() if line.startswith("@")]
    assert entries == ["transferability_benchmark", f"board_{meta['board']}", "niss2025iimm"]
    assert command("cite").stdout.count("@") == 1

    text = board.read_text()
    board.write_text(text.replace('"value": 0.', '"value": 0.1', 1))
    for words in (["cite", "--board", str(board)], [*tables, "--check", str(board)]):
        changed = command(*words)
        assert changed.returncode == 1
        assert "board.json: has changed since it was written" in changed.stderr
    board.write_text(text)

    same = command(*tables, "--check", str(board))
    assert same.returncode == 0, same.stderr
    assert f"board {meta['board']} follows" in same.stdout
    scores = Path(tables[2])
    scores.write_text(scores.read_text().replace("mine,m2,t03,-2\n", "mine,m2,t03,5\n"))
    other = command(*tables, "--check", str(board))
    assert other.returncode == 1
    assert f"computed from other tables or by another procedure: published {meta['board']}, now" in other.stdout
    assert "mine accuracy tuned models kendall: value" in other.stdout
    assert re.search(r"^and \d+ more$", other.stdout, re.M)


@pytest.mark.parametrize("text", ["{}", "[]", "no json", '{"meta": {"board": 3, "made": 4}, "rows": []}'])
def test_invalid_board_files_are_reported(text: str, tables: list[str], command: Command, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    for words in (["cite", "--board"], [*tables, "--check"]):
        done = command(*words, str(tmp_path / "x.json"))
        if "cite" in words or "meta" not in text:
            assert done.returncode == 1
            assert "x.json: is not the JSON of a board" in done.stderr.splitlines()[-1]
