"""The boards of published figures follow from the figures."""

import csv
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr

from leaderboard import literature

ROOT = Path(__file__).resolve().parents[2]
NUMBER = re.compile(r"[−-]?\d*\.?\d+")


def test_the_page_is_that_of_the_figures() -> None:
    spec = importlib.util.spec_from_file_location("docs", ROOT / "tools" / "docs.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    for path, made in tool.published().items():
        shown = path.read_text(encoding="utf-8")
        same = [re.sub(r" +|-{3,}", " ", NUMBER.sub("#", text)) for text in (made, shown)]
        assert same[0] == same[1], "run tools/docs.py published"
        one, two = ([float(n.replace("−", "-")) for n in NUMBER.findall(text)] for text in (made, shown))
        np.testing.assert_allclose(one, two, atol=0.021, err_msg="run tools/docs.py published")


def test_headroom_on_a_source_is_what_its_figures_give() -> None:
    board = literature.clip_board("tall_masks", "full", permutations=99)
    with (literature.FOLDER / "clip_finetuning.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if r["source"] == "tall_masks"]
    per_model = {}
    for model in {r["model"] for r in rows}:
        before, after = np.array([(float(r["before"]), float(r["after"])) for r in rows if r["model"] == model]).T
        per_model[f"{model}/openai"] = pearsonr(1 - before, after - before)[0]
    line = board.find("headroom", "full", "gain", "tasks", "pearson")
    assert line.per_group == pytest.approx(per_model)


def test_techniques_of_a_source_are_boards_of_their_own() -> None:
    lora = literature.clip("fusion_bench", "lora")
    assert (len(lora.models), len(lora.tasks), lora.techniques) == (1, 8, ("lora",))
    assert np.isfinite(lora.values["lora"]["forgetting"]).all()
    full = literature.clip("fusion_bench", "full")
    assert (len(full.models), len(full.tasks)) == (3, 20)


def test_what_is_known_to_be_wrong_is_left_out() -> None:
    assert (
        literature.published_scores("tllib", permutations=99)
        .find("nce", "full", "accuracy", "tasks", "pearson")
        .coverage
        == 7 / 8
    )


def test_every_pool_is_there_once() -> None:
    pools = literature.pools()
    assert len(pools) == 13
    assert all(p.headroom is not None and 0 <= p.headroom < 0.02 for p in pools.values())
