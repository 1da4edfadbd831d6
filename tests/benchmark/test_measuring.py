"""Measuring a small suite by real fine-tuning: the ledger, conditions, audits, interruptions."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from common import small

import leaderboard
from benchmark.embedding.cache import Cache
from benchmark.errors import LedgerError
from benchmark.finetuning import ledger, workbench
from benchmark.finetuning.audit import audit
from benchmark.finetuning.ledger import Run
from benchmark.finetuning.measure import measure
from benchmark.finetuning.planning import pending_runs, time_estimate
from benchmark.reports.measurements import suite_ledger


def test_ledger_contains_every_run_on_every_task(measured: Path) -> None:
    rows = leaderboard.read_ledger(measured / "gains")
    assert len(rows) == 2 * 2 * 5 * 5
    loaded = small(measured)
    bench = workbench.Workbench(loaded.models[0], loaded.tasks, Cache(measured / "cache"))
    for row in rows.filter(model=loaded.models[0].name).iter_rows(named=True):
        assert row["before"] == pytest.approx(bench.before(bench.tasks[0])[row["evaluated_on"]], abs=1e-6)
    assert (rows["after"] != rows["before"]).any()
    notes = ledger.read_notes(measured / "gains", "clip-things")[Run("clip-things", "full", 0, "two_colours")]
    assert {"options", "steps", "seconds", "device", "versions", "model_fingerprint", "task_fingerprint", "val"} <= set(
        notes
    )
    assert notes["steps"] == 2 * 4  # two epochs of 70 samples, 20 at a time
    assert len(notes["val"]) == 2


def test_accuracy_before_equals_that_of_the_model(measured: Path) -> None:
    """Against open_clip used plainly, without cache, workbench or encoder."""
    import open_clip
    import torch

    from benchmark.pocket.families import BPE, WEIGHTS
    from benchmark.tasks import sources

    loaded = small(measured)
    bench = workbench.Workbench(loaded.models[0], loaded.tasks, Cache(measured / "cache"))
    before = bench.before(loaded.tasks[0])
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


def test_repeated_runs_equal_the_ledger(measured: Path) -> None:
    loaded = small(measured)
    for deviation in audit(loaded, part=loaded, root=measured / "cache", jobs=2, count=6, seed=1, quiet=True):
        assert deviation.in_domain == 0
        assert deviation.elsewhere == 0


def test_audit_detects_a_forged_row(own: Path) -> None:
    path = own / "gains" / "clip-things.csv"
    rows = list(csv.reader(path.open()))
    column = rows[0].index("after")
    for row in rows[1:]:
        row[column] = str(round(min(1.0, float(row[column]) + 0.25), 6))
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")
    # with the digests of the forged rows, so that only the audit can detect them
    digests = ledger._contents(ledger.read_rows(own / "gains", "clip-things"))
    notes = ledger.read_notes(own / "gains", "clip-things")
    lines = [json.dumps(values | {"digest": digests[run][1]}) for run, values in notes.items()]
    ledger.runs_path(own / "gains", "clip-things").write_text("\n".join(lines) + "\n")
    loaded = small(own)
    part = loaded.subset(["clip-things"], None, ["clip_adapter"])
    assert (
        max(d.in_domain for d in audit(loaded, part=part, root=own / "cache", jobs=1, count=5, seed=0, quiet=True))
        > 0.1
    )


def test_measuring_a_complete_ledger_adds_nothing(own: Path) -> None:
    before = {path.name: path.read_bytes() for path in (own / "gains").iterdir()}
    loaded = small(own)
    assert measure(loaded, part=loaded, root=own / "cache", jobs=1, quiet=True) == 0
    assert {path.name: path.read_bytes() for path in (own / "gains").iterdir()} == before


def tables(folder: Path) -> dict[str, list[str]]:
    """The ledger's rows whatever their order."""
    return {path.name: sorted(path.read_text().splitlines()) for path in sorted((folder / "gains").glob("*.csv"))}


@pytest.mark.parametrize("name", ["clip-things.csv", "clip-things.runs.jsonl"])
@pytest.mark.parametrize("cut", [1, 30, 260])
def test_torn_ledger_is_repaired_and_completed(name: str, cut: int, own: Path) -> None:
    whole = tables(own)
    path = own / "gains" / name
    path.write_bytes(path.read_bytes()[:-cut])
    if path.suffix == ".jsonl":  # the description is written first, so that of a torn one there are no rows yet
        rows = own / "gains" / "clip-things.csv"
        rows.write_text("\n".join(rows.read_text().splitlines()[:-5]) + "\n")
    loaded = small(own)
    assert measure(loaded, part=loaded, root=own / "cache", jobs=1, quiet=True) in (1, 2)
    assert tables(own) == whole


def test_killed_measurement_resumes_to_the_same_ledger(measured: Path, own: Path) -> None:
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
    expected = {name: [row for row in rows if ",full," not in row] for name, rows in whole.items()}
    assert tables(own) == expected


def test_control_c_prints_one_line(own: Path) -> None:
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
    _, printed = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in printed
    # loky's resource tracker, a process of its own, may warn of a folder that the workers removed before it could
    assert printed.splitlines().count("interrupted; the same command continues from here") == 1


def test_ledger_of_other_conditions_is_refused(own: Path) -> None:
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


def test_time_estimate_depends_on_the_technique(own: Path) -> None:
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


def test_wrong_header_of_a_ledger_is_reported(own: Path) -> None:
    path = own / "gains" / "clip-things.csv"
    path.write_text(path.read_text().replace("after", "later", 1))
    with pytest.raises(LedgerError, match=r"clip-things\.csv: column 'after' is missing; found .*later"):
        pending_runs(small(own), part=small(own))


@pytest.mark.parametrize("damage", ["empty", "delete", "truncate"])
def test_rows_without_notes_are_an_error(damage: str, own: Path) -> None:
    before = tables(own)
    path = own / "gains" / "clip-things.runs.jsonl"
    if damage == "delete":
        path.unlink()
    else:
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("" if damage == "empty" else "".join(lines[:4]))
    for use in (lambda: suite_ledger(small(own)), lambda: pending_runs(small(own), part=small(own))):
        with pytest.raises(
            LedgerError, match=r"clip-things\.csv: run .* has no notes in clip-things\.runs\.jsonl; restore"
        ):
            use()
    assert tables(own) == before


@pytest.mark.parametrize("column", ["before", "after"])
def test_changed_digit_is_an_error(column: str, own: Path) -> None:
    path = own / "gains" / "siglip-signs.csv"
    lines = path.read_text().splitlines()
    fields = lines[7].split(",")
    place = lines[0].split(",").index(column)
    fields[place] = str(round(abs(float(fields[place]) - 0.05), 6))
    path.write_text("\n".join([*lines[:7], ",".join(fields), *lines[8:]]) + "\n")
    name = "/".join(fields[1:4])
    for use in (lambda: suite_ledger(small(own)), lambda: pending_runs(small(own), part=small(own))):
        with pytest.raises(
            LedgerError, match=f"the rows of run {name} are not those that were measured; restore the file"
        ):
            use()


def test_digest_does_not_depend_on_how_a_number_is_written(own: Path) -> None:
    path = own / "gains" / "siglip-signs.csv"
    text = path.read_text()
    path.write_text(text.replace(",1.0\n", ",1\n").replace(",0.5,", ",5e-1,"))
    assert path.read_text() != text
    assert len(suite_ledger(small(own))) == 100


@pytest.mark.parametrize("torn", [0, 9, "header"])
def test_interruption_within_the_header_of_a_ledger_is_repaired(torn: int | str, own: Path) -> None:
    whole = tables(own)
    for path in (own / "gains").glob("*.csv"):
        header = path.read_text().splitlines(keepends=True)[0]
        path.write_text(header if torn == "header" else header[:torn])
    loaded = small(own)
    assert measure(loaded, part=loaded, root=own / "cache", jobs=1, quiet=True) == 20
    assert tables(own) == whole


def test_incomplete_run_in_the_middle_is_measured_again(own: Path) -> None:
    whole = tables(own)
    path = own / "gains" / "clip-things.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:8] + lines[9:]))
    loaded = small(own)
    assert measure(loaded, part=loaded, root=own / "cache", jobs=1, quiet=True) == 1
    assert {name: sorted(rows) for name, rows in tables(own).items()} == {n: sorted(rows) for n, rows in whole.items()}


def test_added_task_adds_only_the_missing_rows(own: Path) -> None:
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
    expected = {name: [row for row in rows if ",full," not in row] for name, rows in whole.items()}
    assert tables(own) == expected
    assert not ledger.incomplete_runs(own / "gains", "clip-things")


def test_incomplete_run_is_reported(own: Path) -> None:
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
def test_invalid_row_of_a_ledger_is_reported(old: str, new: str, message: str, own: Path) -> None:
    path = own / "gains" / "siglip-signs.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(LedgerError, match=rf"siglip-signs\.csv: {message}"):
        pending_runs(small(own), part=small(own))
