"""The whole pipeline on a small suite: run, score and rank, kills, concurrency, corrupt files."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from common import Command

from benchmark.embedding.cache import Cache


def test_run_prints_and_writes_the_board(own: Path, command: Command, tmp_path: Path) -> None:
    done = command("run", "--suite", own / "small.toml", "--scorers", "all", "--out", "out", cache=own / "cache")
    assert done.returncode == 0, done.stderr
    assert "headroom" in done.stdout
    assert "Forgetting" in done.stdout
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "board.md",
        "board.csv",
        "board.json",
        "index.html",
        "page",
        "scores.csv",
        "run.json",
        "SHA256SUMS",
    }
    notes = json.loads((tmp_path / "out" / "run.json").read_text())
    assert set(notes["seconds"]) == {"embed", "score", "rank"}
    assert {"versions", "models", "seeds", "scorers", "techniques"} <= set(notes)
    board = json.loads((tmp_path / "out" / "board.json").read_text())
    assert {row["scorer"] for row in board["rows"]} >= {"iimm", "static_rank", "headroom", "ncti", "random"}
    with (tmp_path / "out" / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len([row for row in rows if row["scorer"] == "iimm"]) == 10
    assert all(row["score"] or row["abstained"] for row in rows)

    def content() -> tuple[str, dict[str, Any]]:
        """The board without the command that made it."""
        out = tmp_path / "out"
        board = json.loads((out / "board.json").read_text())
        del board["meta"]["made"]
        return (out / "board.md").read_text().rpartition("\n\n")[0], board

    first = content()

    def times() -> dict[str, int]:
        out = tmp_path / "out"
        return {
            str(p.relative_to(out)): p.stat().st_mtime_ns
            for p in out.rglob("*")
            if p.is_file() and p.name not in ("run.json", "SHA256SUMS")
        }

    code = (
        "import sys; from benchmark.cli import main\n"
        f"status = main(['run', '--suite', r'{own / 'small.toml'}', '--out', 'out', '--quiet', '--cache', r'{own / 'cache'}'])\n"
        "sys.exit(status or 10 * ('torch' in sys.modules))"
    )
    warm = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert warm.returncode == 0, warm.stderr  # 10: torch was loaded where everything was cached
    assert warm.stderr == ""

    # nothing that would be the same is written again, and what is missing is
    written = times()
    again = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert again.stdout == warm.stdout
    assert times() == written
    (tmp_path / "out" / "page" / "scorers" / "iimm.html").unlink()
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True)
    assert set(times()) == set(written)
    assert content() == first
    check = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path / "out", check=False)
    assert check.returncode == 0


def test_score_and_rank_work_separately(own: Path, command: Command, tmp_path: Path) -> None:
    here = ("--suite", own / "small.toml", "--out", "out")
    early = command("rank", *here, cache=own / "cache")
    assert early.returncode == 2
    assert "there are no scores yet" in early.stderr
    scored = command("score", *here, "--scorers", "iimm,headroom", cache=own / "cache")
    assert scored.returncode == 0, scored.stderr
    assert scored.stdout == (tmp_path / "out" / "scores.csv").read_text()
    ranked = command("rank", *here, "--format", "json", cache=own / "cache")
    assert ranked.returncode == 0, ranked.stderr
    assert {row["scorer"] for row in json.loads(ranked.stdout)["rows"]} == {"iimm", "headroom", "static_rank"}
    table = tmp_path / "out" / "scores.csv"
    whole = table.read_text()
    table.write_text(whole.replace(",0.", ",0.1", 1))
    changed = command("rank", *here, cache=own / "cache")
    assert changed.returncode == 1
    assert "scores.csv: has changed since it was written" in changed.stderr
    # a table without some of the measured cells, changed on purpose
    table.write_text(
        "".join(line for line in whole.splitlines(keepends=True) if "iimm,clip-things,two_colours" not in line)
    )
    (tmp_path / "out" / "SHA256SUMS").unlink()
    fewer = command("rank", *here, cache=own / "cache")
    assert fewer.returncode == 0, fewer.stderr
    assert (
        "scorer 'iimm' has no score on 1 of 10 measured cells, the first: model 'clip-things', task 'two_colours'"
        in fewer.stderr
    )


def test_killed_run_resumes_to_the_same_board(own: Path, command: Command, tmp_path: Path) -> None:
    words = ("run", "--suite", own / "small.toml", "--format", "json")
    whole = command(*words, "--out", "whole", cache=tmp_path / "one")
    assert whole.returncode == 0, whole.stderr
    environment = {**os.environ, "BENCHMARK_CACHE": str(tmp_path / "two")}
    for seen in ("images", "scores"):  # killed while embedding, then while scoring
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmark", *map(str, words), "--out", "parts"],
            cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + 120
        while (
            time.monotonic() < deadline and process.poll() is None and not list((tmp_path / "two").glob(f"{seen}/*/*"))
        ):
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    again = command(*words, "--out", "parts", cache=tmp_path / "two")
    assert again.returncode == 0, again.stderr
    assert comparable(again.stdout) == comparable(whole.stdout)


def comparable(text: str) -> object:
    """A board without what a clock decides."""
    return json.loads(text)["rows"]


def test_concurrent_runs_with_one_cache_share_the_work(own: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "BENCHMARK_CACHE": str(tmp_path / "cache")}
    words = [sys.executable, "-m", "benchmark", "run", "--suite", str(own / "small.toml"), "--jobs", "1"]
    both = [
        subprocess.Popen(
            [*words, "--out", str(tmp_path / f"out{k}")],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for k in range(2)
    ]
    outputs = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    notes = [json.loads((tmp_path / f"out{k}" / "run.json").read_text()) for k in range(2)]
    assert sum(n["images_encoded"] for n in notes) == 2 * 5 * 70  # each image once, by one or the other
    boards = [json.loads((tmp_path / f"out{k}" / "board.json").read_text())["rows"] for k in range(2)]
    assert boards[0] == boards[1]
    assert all(entry.intact for entry in Cache(tmp_path / "cache").entries())


def test_corrupt_cache_file_is_reported_and_recomputed(own: Path, command: Command) -> None:
    words = ("run", "--suite", own / "small.toml", "--format", "json")
    whole = command(*words, cache=own / "cache")
    for kind in ("images", "texts", "scores"):
        path = sorted((own / "cache").glob(f"{kind}/*/*.*"))[0]
        path.write_bytes(path.read_bytes()[:-7])
    for path in sorted((own / "cache").glob("scores/*/*"))[1:]:
        path.unlink()
    checked = command("cache", "verify", cache=own / "cache")
    assert checked.returncode == 1
    assert "3 corrupt" in checked.stdout
    again = command(*words, cache=own / "cache")
    assert again.returncode == 0, again.stderr
    assert "is corrupt" in again.stderr
    assert comparable(again.stdout) == comparable(whole.stdout)
