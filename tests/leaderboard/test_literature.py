"""The boards of published measurements follow from the committed tables."""

import csv
import importlib
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr

from leaderboard import literature

ROOT = Path(__file__).resolve().parents[2]
NUMBER = re.compile(r"[−-]?\d*\.?\d+")


def test_the_committed_page_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "tools")
    for path, made in importlib.import_module("docs.published").published().items():
        shown = path.read_text(encoding="utf-8")
        same = [re.sub(r" +|-{3,}", " ", NUMBER.sub("#", text)) for text in (made, shown)]
        assert same[0] == same[1], "run tools/docs published"
        one, two = ([float(n.replace("−", "-")) for n in NUMBER.findall(text)] for text in (made, shown))
        np.testing.assert_allclose(one, two, atol=0.021, err_msg="run tools/docs published")


def test_headroom_on_a_source_equals_scipy_on_its_table() -> None:
    board = literature.clip_board("tall_masks", "full", permutations=99)
    with (literature.FOLDER / "clip_finetuning.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if r["source"] == "tall_masks"]
    per_model = {}
    for model in {r["model"] for r in rows}:
        before, after = np.array([(float(r["before"]), float(r["after"])) for r in rows if r["model"] == model]).T
        per_model[f"{model}/openai"] = pearsonr(1 - before, after - before)[0]
    groups = board.per_group.filter(scorer="headroom", technique="full", target="gain", axis="tasks", measure="pearson")
    assert dict(groups.select("group", "value").iter_rows()) == pytest.approx(per_model)


def test_techniques_of_a_source_have_separate_boards() -> None:
    lora = literature.clip("fusion_bench", "lora")
    assert (len(lora.models), len(lora.tasks), lora.techniques) == (1, 8, ("lora",))
    assert np.isfinite(lora.values["lora"]["forgetting"]).all()
    full = literature.clip("fusion_bench", "full")
    assert (len(full.models), len(full.tasks)) == (3, 20)


def test_a_known_misprint_is_left_out() -> None:
    assert (
        literature.published_scores("tllib", permutations=99).find("nce", "full", "accuracy", "tasks", "pearson")[
            "coverage"
        ]
        == 7 / 8
    )


def test_every_pool_is_listed_once() -> None:
    pools = literature.pools()
    assert len(pools) == 13
    assert pools["pool"].n_unique() == 13
    assert all(headroom is not None and 0 <= headroom < 0.02 for headroom in pools["headroom"])
