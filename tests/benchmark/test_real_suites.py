"""The suites of real models: their declarations, their dry runs, and published measurements as a ledger."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import leaderboard
from benchmark.errors import LedgerError, SuiteError
from benchmark.reports.boards import suite_board
from benchmark.reports.measurements import suite_ledger
from benchmark.reports.plan import plan
from benchmark.suites import suite


@pytest.fixture(autouse=True)
def _empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


PROMPTS = {
    "dtd": "a photo of a {c} texture",
    "eurosat": "a centered satellite photo of a {c}",
    "fmow": "a satellite image of a {c}",
    "gtsrb": 'a photo of a "{c}" traffic sign',
    "mnist": 'a photo of the number: "{c}"',
    "svhn": 'a photo of the number: "{c}"',
    "resisc45": "satellite imagery of {c}",
}


def test_study_suite_is_declared_as_published() -> None:
    study = suite.load("iimm")
    assert [m.load for m in study.models] == [
        "ViT-B-32/openai",
        "hf-hub:timm/ViT-B-16-SigLIP",
        "coca_ViT-B-32/laion2b_s13b_b90k",
        "EVA02-B-16/merged2b_s8b_b131k",
    ]
    assert {c.name for c in study.tasks if c.evaluation_only} == {
        "imagenet_v2",
        "imagenet_sketch",
        "imagenet_r",
        "imagenet_a",
    }
    assert all(c.templates == (PROMPTS.get(c.name, "a photo of a {c}"),) for c in study.tasks)
    assert [t.name for t in study.techniques] == ["full", "bitfit", "attention", "lora", "clip_adapter"]
    for technique in study.techniques:
        options = technique.options
        assert tuple(options[k] for k in ("optimizer", "momentum", "rate", "weight_decay", "batch")) == (
            "sgd",
            0.9,
            1e-6,
            1e-4,
            128,
        )
        assert (options["schedule"], options["clip"]) == ("constant", 0)
    by_name = {t.name: t.options for t in study.techniques}
    assert (by_name["lora"]["rank"], by_name["lora"]["scale"], by_name["lora"]["deviation"]) == (16, 0.2, 0.02)
    assert by_name["attention"]["biases"] == 0
    assert (by_name["clip_adapter"]["reduction"], by_name["clip_adapter"]["ratio"]) == (4, 0.2)
    for card in study.training_tasks:
        held_out = card.sizes["val"] / (card.sizes["train"] + card.sizes["val"])
        assert card.sizes["val"] <= 5000 or card.name == "fmow"
        assert held_out < 0.11 or card.name in ("dtd", "fmow")  # these have an official validation split
    assert len(study.source_vocabulary) == 1000


def test_sizes_are_those_published_with_the_data_sets() -> None:
    published = {
        "mnist": (60000, 10000),
        "cifar10": (50000, 10000),
        "cifar100": (50000, 10000),
        "svhn": (73257, 26032),
        "stl10": (5000, 8000),
        "food101": (75750, 25250),
        "stanford_cars": (8144, 8041),
        "oxford_pets": (3680, 3669),
        "imagenet1k": (1281167, 50000),
        "cub200": (5994, 5794),
        "pcam": (262144 + 32768, 32768),
        "fgvc_aircraft": (6667, 3333),
        "gtsrb": (26640, 12630),
    }
    for card in suite.load("clip-published").tasks:
        if card.name in published:
            assert (card.sizes["train"] + card.sizes["val"], card.sizes["test"]) == published[card.name], card.name


@pytest.mark.parametrize("name", ["iimm", "clip-published"])
def test_dry_run_lists_downloads_and_computation(name: str, command: Callable[..., object], tmp_path: Path) -> None:
    process = command("run", "--suite", name, "--dry-run", f"--data={tmp_path / 'data'}")
    assert process.returncode == 0, process.stderr
    for text in (
        "ViT-B-32/openai",
        "To fetch:   about",
        "To encode:",
        "on this machine's CPU",
        "42 scorers on",
        "GFLOP/s",
    ):
        assert text in process.stdout
    assert not (tmp_path / "data").exists()
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def test_dry_run_with_all_files_present_fetches_nothing(measured: Path) -> None:
    from benchmark.embedding.cache import Cache

    text = plan(suite.load(str(measured / "small.toml")), ["iimm"], Cache(measured / "cache"))
    assert "To fetch:   nothing" in text
    assert "To encode:  0 images" in text
    assert "To score:   1 scorers on 10 (model, task) pairs" in text
    assert "Ledger:     20 of 20 runs measured" in text
    text = plan(suite.load(str(measured / "small.toml")), None, Cache(measured / "nowhere"))
    assert "To encode:  700 images" in text


def test_published_measurements_are_read_as_the_ledger() -> None:
    loaded = suite.load("clip-published")
    rows = suite_ledger(loaded)
    full = rows.filter(pl.col("technique") == "full", pl.col("trained_on") == pl.col("evaluated_on"))
    assert set(full["model"]) == {m.name for m in loaded.models}
    assert len(full) == 102
    row = full.filter(model="RN50-openai", trained_on="dtd")
    assert row.select("before", "after").row(0) == (0.4122, 0.7314)
    again = rows.filter(technique="full (fusion_bench)")
    assert not again.filter(pl.col("trained_on") != pl.col("evaluated_on")).is_empty()  # forgetting
    subset = suite_ledger(loaded.subset(["RN50-openai"], ["dtd", "mnist"], ["full"]))
    assert set(subset.select("model", "trained_on").iter_rows()) == {("RN50-openai", "dtd"), ("RN50-openai", "mnist")}
    with pytest.raises(LedgerError, match="nothing is published on"):
        suite_ledger(loaded.subset(["RN50-openai"], ["pcam"], ["full"]))


def test_scores_are_ranked_against_published_measurements(tmp_path: Path) -> None:
    from benchmark.embedding.cache import Cache

    loaded = suite.load("clip-published").subset(None, None, ["full"])
    rows = suite_ledger(loaded)
    own = rows.filter(pl.col("trained_on") == pl.col("evaluated_on"))
    gains = {(r["model"], r["trained_on"]): r["after"] - r["before"] for r in own.iter_rows(named=True)}
    chance = np.random.default_rng(0)
    cells = [
        {"scorer": "perfect", **dict(zip(("model", "task"), place, strict=True)), "score": gain}
        for place, gain in gains.items()
    ]
    cells += [
        {"scorer": "noise", **dict(zip(("model", "task"), place, strict=True)), "score": float(chance.normal())}
        for place in gains
    ]
    board = suite_board(loaded.name, leaderboard.score_table(cells), rows, Cache(tmp_path), permutations=100)
    best = {
        (row["scorer"], row["axis"]): row["value"]
        for row in board.rows.filter(target="gain", measure="pearson", axis="tasks").iter_rows(named=True)
    }
    assert best["perfect", "tasks"] == pytest.approx(1)
    assert abs(best["noise", "tasks"]) < 0.6


def test_suite_of_published_measurements_cannot_be_measured(command: Callable[..., object]) -> None:
    process = command("measure", "--suite", "clip-published", "--dry-run")
    assert (process.returncode, process.stderr) == (
        2,
        "error: suite 'clip-published' reads a published ledger, so there is nothing to measure\n",
    )


def test_unknown_published_ledger_is_reported(tmp_path: Path) -> None:
    text = (Path(suite.FOLDER) / "clip-published.toml").read_text()
    (tmp_path / "clip-published.toml").write_text(text.replace('"atlas/full"', '"atlas/lora"'))
    with pytest.raises(SuiteError, match=r"field 'published' has 'full' as 'atlas/lora'; known: atlas/full, "):
        suite.read(tmp_path / "clip-published.toml")


def test_missing_ledger_is_reported_with_the_command() -> None:
    with pytest.raises(
        LedgerError, match="there is no ledger yet; `python -m benchmark measure --suite iimm` creates it"
    ):
        suite_ledger(suite.load("iimm"))


def test_unknown_model_ends_the_command_with_one_line(
    command: Callable[..., object], small_suite: Path, tmp_path: Path
) -> None:
    text = small_suite.read_text()
    (small_suite.parent / "typo.toml").write_text(
        text[: text.index("[[models]]")].replace('"small"', '"typo"')
        + '[[models]]\nname = "m"\nload = "ViT-B-32/openia"\n'
    )
    process = command("embed", "--suite", small_suite.parent / "typo.toml")
    assert (process.returncode, process.stderr.count("\n")) == (2, 1), process.stderr
    assert "did you mean ViT-B-32/openai" in process.stderr
