"""The stair on a small suite, really fine-tuned: embed, measure, score, rank, run; interruption and company."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import leaderboard
from benchmark.embedding import jobs as embed
from benchmark.embedding.cache import Cache
from benchmark.embedding.jobs import embed_suite
from benchmark.errors import LedgerError
from benchmark.finetuning import ledger, workbench
from benchmark.finetuning.audit import audit
from benchmark.finetuning.ledger import Run
from benchmark.finetuning.measure import measure
from benchmark.finetuning.planning import pending_runs, time_estimate
from benchmark.reports.ledger_scores import ledger_scores
from benchmark.reports.measurements import suite_ledger
from benchmark.scoring import scoring as score
from benchmark.scoring.inputs import scorer_inputs
from benchmark.suites import suite

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def small(folder: Path) -> suite.Suite:
    return suite.load(str(folder / "small.toml"))


def test_the_ledger_holds_every_run_on_every_task(measured: Path) -> None:
    rows = leaderboard.read_ledger(measured / "gains")
    assert len(rows) == 2 * 2 * 5 * 5
    loaded = small(measured)
    bench = workbench.Workbench(loaded.models[0], loaded.tasks, Cache(measured / "cache"))
    for row in rows.filter(model=loaded.models[0].name).iter_rows(named=True):
        assert row["before"] == pytest.approx(bench.before[row["evaluated_on"]], abs=1e-6)
    assert (rows["after"] != rows["before"]).any()
    notes = ledger.read_notes(measured / "gains", "clip-things")[Run("clip-things", "full", 0, "two_colours")]
    assert {"options", "steps", "seconds", "device", "versions", "model_fingerprint", "task_fingerprint", "val"} <= set(
        notes
    )
    assert notes["steps"] == 2 * 4  # two epochs of 70 samples, 20 at a time
    assert len(notes["val"]) == 2


def test_zero_shot_accuracy_before_is_that_of_the_model_itself(measured: Path) -> None:
    """Against open_clip used plainly, without cache, workbench or encoder."""
    import open_clip
    import torch

    from benchmark.pocket.families import BPE, WEIGHTS
    from benchmark.tasks import sources

    loaded = small(measured)
    before = workbench.Workbench(loaded.models[0], loaded.tasks, Cache(measured / "cache")).before
    where = f"local-dir:{WEIGHTS / 'clip-things'}"
    model, _, preprocess = open_clip.create_model_and_transforms(where)
    tokenizer = open_clip.get_tokenizer(where, bpe_path=str(BPE))
    from PIL import Image

    for card in loaded.tasks:
        test = sources.load(card, "test")
        with torch.inference_mode():
            image = model.eval().encode_image(
                torch.stack([preprocess(Image.fromarray(i)) for i in np.asarray(test.images)]), normalize=True
            )
            text = model.encode_text(tokenizer(card.prompts()), normalize=True)
        assert before[card.name] == pytest.approx(((image @ text.T).argmax(1).numpy() == test.labels).mean())


def test_the_same_run_again_gives_the_same_row(measured: Path) -> None:
    loaded = small(measured)
    for deviation in audit(loaded, part=loaded, root=measured / "cache", jobs=2, count=6, seed=1, quiet=True):
        assert deviation.in_domain == 0
        assert deviation.elsewhere == 0


def test_an_audit_sees_a_forged_row(own: Path) -> None:
    path = own / "gains" / "clip-things.csv"
    rows = list(csv.reader(path.open()))
    column = rows[0].index("after")
    for row in rows[1:]:
        row[column] = str(round(min(1.0, float(row[column]) + 0.25), 6))
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")
    loaded = small(own)
    part = loaded.subset(["clip-things"], None, ["clip_adapter"])
    assert (
        max(d.in_domain for d in audit(loaded, part=part, root=own / "cache", jobs=1, count=5, seed=0, quiet=True))
        > 0.1
    )


def test_measuring_again_adds_nothing(own: Path) -> None:
    before = {path.name: path.read_bytes() for path in (own / "gains").iterdir()}
    loaded = small(own)
    assert measure(loaded, part=loaded, root=own / "cache", jobs=1, quiet=True) == 0
    assert {path.name: path.read_bytes() for path in (own / "gains").iterdir()} == before


def tables(folder: Path) -> dict[str, list[str]]:
    """The ledger's rows whatever their order."""
    return {path.name: sorted(path.read_text().splitlines()) for path in sorted((folder / "gains").glob("*.csv"))}


@pytest.mark.parametrize("name", ["clip-things.csv", "clip-things.runs.jsonl"])
@pytest.mark.parametrize("cut", [1, 30, 260])
def test_a_torn_ledger_is_mended_and_completed_to_the_same(name: str, cut: int, own: Path) -> None:
    whole = tables(own)
    path = own / "gains" / name
    path.write_bytes(path.read_bytes()[:-cut])
    if path.suffix == ".jsonl":  # the description is written first, so that of a torn one there are no rows yet
        rows = own / "gains" / "clip-things.csv"
        rows.write_text("\n".join(rows.read_text().splitlines()[:-5]) + "\n")
    loaded = small(own)
    assert measure(loaded, part=loaded, root=own / "cache", jobs=1, quiet=True) in (1, 2)
    assert tables(own) == whole


def test_a_killed_measurement_goes_on_to_the_same_ledger(measured: Path, own: Path) -> None:
    whole = tables(measured)
    shutil.rmtree(own / "gains")
    words = [sys.executable, "-m", "benchmark", "measure", "--suite", "small.toml", "--techniques", "clip_adapter"]
    words += ["--jobs", "1", "--cache", "cache"]
    process = subprocess.Popen(words, cwd=own, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list((own / "gains").glob("*.csv")):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert subprocess.run(words, cwd=own, check=False, capture_output=True).returncode == 0
    wanted = {name: [row for row in rows if ",full," not in row] for name, rows in whole.items()}
    assert tables(own) == wanted


def test_control_c_ends_in_one_line(own: Path) -> None:
    shutil.rmtree(own / "gains")
    words = [sys.executable, "-m", "benchmark", "measure", "--suite", "small.toml", "--jobs", "2", "--cache", "cache"]
    process = subprocess.Popen(
        words, cwd=own, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list((own / "gains").glob("*.csv")):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    # loky's resource tracker, a process of its own, may warn of a folder that the workers removed before it could
    assert said.splitlines().count("interrupted; the same command continues from here") == 1


def test_a_ledger_of_other_conditions_is_refused(own: Path) -> None:
    text = (own / "small.toml").read_text()
    (own / "small.toml").write_text(text.replace("epochs = 3", "epochs = 4"))
    loaded = small(own)
    for use in (lambda: pending_runs(loaded, part=loaded), lambda: suite_ledger(loaded)):
        with pytest.raises(LedgerError, match=r"was measured with other options .* than there are now") as caught:
            use()
        assert "clip_adapter/0/two_colours" in str(caught.value)
    (own / "small.toml").write_text(text)
    card = own / "two_colours.toml"
    card.write_text(card.read_text().replace("test = 20", "test = 24"))
    with pytest.raises(LedgerError, match="with other task fingerprint"):
        suite_ledger(small(own))


def test_the_time_left_is_told_technique_by_technique(own: Path) -> None:
    loaded = small(own)
    for path in (own / "gains").glob("*.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            line["seconds"] = 90.0 if line["technique"] == "full" else 2.0
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    todo = [Run("clip-things", "full", 1, "two_colours")] * 4 + [
        Run("clip-things", "clip_adapter", 1, "two_colours")
    ] * 30
    assert time_estimate(loaded, todo, 2) == ", about 4 min with 2 jobs"
    assert time_estimate(loaded, [], 2) == ""


def test_a_ledger_with_a_wrong_header_is_named(own: Path) -> None:
    path = own / "gains" / "clip-things.csv"
    path.write_text(path.read_text().replace("after", "later", 1))
    with pytest.raises(LedgerError, match=r"clip-things\.csv: column 'after' is missing; found .*later"):
        pending_runs(small(own), part=small(own))


# scoring


def test_scorers_read_the_train_split_alone(measured: Path, tmp_path: Path) -> None:
    loaded, cache = small(measured), Cache(tmp_path / "fresh")
    embed_suite(loaded, cache, 1, quiet=True)
    kinds = [entry.key.get("split") for entry in cache.entries() if entry.key["kind"] == "images"]
    assert kinds == ["train"] * 10
    e = scorer_inputs(loaded, loaded.models[0], loaded.tasks[0], cache)
    assert (e.n, len(e.text), e.source_probs.shape) == (70, 2, (70, 4))
    assert np.allclose(np.linalg.norm(e.image, axis=1), 1, atol=1e-5)
    assert np.allclose(e.source_probs.sum(1), 1)


def test_scores_are_cached_by_embeddings_scorer_and_code(
    measured: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(measured / "cache", tmp_path / "cache")
    loaded, cache = small(measured), Cache(tmp_path / "cache")
    assert score.score_suite(loaded, ["iimm", "knn"], cache, quiet=True).computed == 20
    again = score.score_suite(loaded, ["iimm", "knn", "lfc"], cache, quiet=True)
    assert again.computed == 10
    assert set(again.scores["scorer"]) == {"iimm", "knn", "lfc"}
    monkeypatch.setattr(score, "score_version", lambda spec: "changed")
    assert score.score_suite(loaded, ["iimm"], cache, quiet=True).computed == 10


def test_pool_relative_scores_are_combined_over_the_models(own: Path) -> None:
    cells = score.score_suite(small(own), ["ncti"], Cache(own / "cache"), quiet=True).scores
    for task in set(cells["task"]):
        values = cells.filter(task=task)["score"].to_list()
        assert None not in values
        assert all(abs(value - round(value)) < 1e-9 for value in values)  # of two, min-max makes 0 and 1
    alone = score.score_suite(small(own).subset(["clip-things"], None), ["ncti"], Cache(own / "cache"), quiet=True)
    assert set(alone.scores["score"]) == {None}
    assert "pool" in alone.scores["abstained"][0]


def test_run_prints_and_writes_the_board(own: Path, command: Command, tmp_path: Path) -> None:
    done = command("run", "--suite", own / "small.toml", "--scorers", "all", "--out", "out", cache=own / "cache")
    assert done.returncode == 0, done.stderr
    assert "headroom" in done.stdout
    assert "Forgetting" in done.stdout
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"board.md", "board.csv", "board.json", "index.html", "page", "scores.csv", "run.json"}
    notes = json.loads((tmp_path / "out" / "run.json").read_text())
    assert set(notes["seconds"]) == {"embed", "score", "rank"}
    assert {"versions", "models", "seeds", "scorers", "techniques"} <= set(notes)
    board = json.loads((tmp_path / "out" / "board.json").read_text())
    assert {row["scorer"] for row in board["rows"]} >= {"iimm", "static_rank", "headroom", "ncti", "random"}
    with (tmp_path / "out" / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len([row for row in rows if row["scorer"] == "iimm"]) == 10
    assert all(row["score"] or row["abstained"] for row in rows)

    def told() -> tuple[str, dict[str, Any]]:
        """The board without the command that made it."""
        out = tmp_path / "out"
        board = json.loads((out / "board.json").read_text())
        del board["meta"]["made"]
        return (out / "board.md").read_text().rpartition("\n\n")[0], board

    first = told()
    code = (
        "import sys; from benchmark.cli import main\n"
        f"status = main(['run', '--suite', r'{own / 'small.toml'}', '--out', 'out', '--quiet', '--cache', r'{own / 'cache'}'])\n"
        "sys.exit(status or 10 * ('torch' in sys.modules))"
    )
    warm = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert warm.returncode == 0, warm.stderr  # 10: torch was loaded where everything was cached
    assert warm.stderr == ""
    assert told() == first


def test_a_ledger_without_descriptions_is_read_and_left_alone(own: Path) -> None:
    """As a contributor's file may come."""
    for path in (own / "gains").glob("*.jsonl"):
        path.unlink()
    before = tables(own)
    assert len(suite_ledger(small(own))) == 100
    for model in ("clip-things", "siglip-signs"):
        ledger.repair(own / "gains", model)
    assert tables(own) == before


def test_a_task_more_adds_the_missing_rows_alone(own: Path) -> None:
    whole = tables(own)
    text = (own / "small.toml").read_text()
    (own / "small.toml").write_text(text.replace(', "two_strokes.toml"', ""))
    shutil.rmtree(own / "gains")
    less = small(own).subset(None, None, ["clip_adapter"])
    assert measure(less, part=less, root=own / "cache", jobs=1, quiet=True) == 8
    (own / "small.toml").write_text(text)
    more = small(own).subset(None, None, ["clip_adapter"])
    assert measure(more, part=more, root=own / "cache", jobs=1, quiet=True) == 10
    assert len(suite_ledger(small(own))) == 50
    wanted = {name: [row for row in rows if ",full," not in row] for name, rows in whole.items()}
    assert tables(own) == wanted
    assert not ledger.incomplete_runs(own / "gains", "clip-things")


def test_a_reader_says_that_a_run_is_torn(own: Path) -> None:
    path = own / "gains" / "clip-things.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-2]) + "\n")
    with pytest.raises(
        LedgerError, match="is missing rows, as an interruption leaves it; `python -m benchmark measure` completes it"
    ):
        suite_ledger(small(own))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",0,", ",x,", r"row \d+, column 'seed': 'x' is not a number"),
        (
            "siglip-signs,full,0,two_colours,two_colours,",
            "siglip-signs,full,0,two_colours",
            r"row \d+: has fewer fields than the header",
        ),
    ],
)
def test_a_bad_row_of_a_ledger_is_named(old: str, new: str, message: str, own: Path) -> None:
    path = own / "gains" / "siglip-signs.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(LedgerError, match=rf"siglip-signs\.csv: {message}"):
        pending_runs(small(own), part=small(own))


def test_scores_of_one_scorer_become_stale_with_those_it_is_made_of() -> None:
    import scorers
    from benchmark.scoring.versions import source_files

    modules = {path.stem for path in source_files(scorers.ped.spec)}
    assert {"ped", "sfda", "logme"} <= modules


def test_a_faulty_pool_or_ledger_scorer_abstains_and_the_run_goes_on(
    own: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import scorers

    @scorers.scorer(needs={"image"}, pool=lambda pool: [part["nothing"] for part in pool])
    def lost(e: object) -> dict[str, float]:
        return {"a": 1.0}

    @scorers.scorer(needs={"image"}, pool=lambda pool: [float("nan")] * len(pool))
    def vague(e: object) -> dict[str, float]:
        return {"a": 1.0}

    @scorers.scorer(needs={"ledger"})
    def sour(e: object) -> float:
        raise ZeroDivisionError("sour")

    found = scorers.registry().scorers | {"lost": lost, "vague": vague, "sour": sour}
    monkeypatch.setattr(scorers.registry(), "scorers", found)
    from benchmark.reports.run import run

    board, _ = run(small(own), ["lost", "vague", "sour", "iimm"], Cache(own / "cache"), own / "out", jobs=1, quiet=True)
    assert set(board.rows["scorer"]) == {"lost", "vague", "sour", "iimm"}
    assert set(board.rows["coverage"].filter(board.rows["scorer"] != "iimm")) == {0.0}
    said = caplog.text
    assert "scorer 'lost' abstains on 10 cells: raised KeyError: 'nothing'" in said
    assert "scorer 'sour' abstains" in said
    assert "vague" not in said


def test_rank_and_score_are_commands_of_their_own(own: Path, command: Command, tmp_path: Path) -> None:
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


def test_a_killed_run_goes_on_to_the_same_board(own: Path, command: Command, tmp_path: Path) -> None:
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


def test_two_runs_at_once_on_one_cache_share_the_work(own: Path, tmp_path: Path) -> None:
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


def test_a_damaged_cache_file_is_said_and_made_again(own: Path, command: Command) -> None:
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


def test_embedding_loads_no_model_where_nothing_is_missing(measured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.models import encoder

    monkeypatch.setattr(encoder, "Encoder", None)
    loaded = small(measured)
    assert embed_suite(loaded, Cache(measured / "cache"), 1, quiet=True, splits=("train", "val", "test")) == 0
    assert embed.pending_jobs(loaded, Cache(measured / "cache"), ("train", "val", "test")) == []


def test_static_rank_is_that_of_the_leaderboard(measured: Path) -> None:
    rows = suite_ledger(small(measured))
    m = leaderboard.summarise_ledger(rows)
    cells = {
        tuple(place): value
        for *place, value in ledger_scores(rows, ["static_rank"])
        .select("model", "task", "technique", "target", "score")
        .iter_rows()
    }
    for technique in m.techniques:
        expected = leaderboard.static_rank(m.values[technique]["accuracy"])
        for i, model in enumerate(m.models):
            for j, task in enumerate(m.tasks):
                assert cells[model, task, technique, "accuracy"] == pytest.approx(expected[i, j])
