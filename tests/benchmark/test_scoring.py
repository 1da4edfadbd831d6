"""Scoring a small suite: inputs, cached scores, pool-relative and failing scorers."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from common import small

import leaderboard
from benchmark.embedding import jobs
from benchmark.embedding.cache import Cache
from benchmark.embedding.jobs import embed_suite
from benchmark.reports.ledger_scores import ledger_scores
from benchmark.reports.measurements import suite_ledger
from benchmark.scoring import scoring
from benchmark.scoring.inputs import scorer_inputs


def test_scorers_read_only_the_train_split(measured: Path, tmp_path: Path) -> None:
    loaded, cache = small(measured), Cache(tmp_path / "fresh")
    embed_suite(loaded, cache, 1, quiet=True)
    kinds = [entry.key.get("split") for entry in cache.entries() if entry.key["kind"] == "images"]
    assert kinds == ["train"] * 10
    e = scorer_inputs(loaded, loaded.models[0], loaded.tasks[0], cache)
    assert (e.n, len(e.text), e.source_probs.shape) == (70, 2, (70, 4))
    assert np.allclose(np.linalg.norm(e.image, axis=1), 1, atol=1e-5)
    assert np.allclose(e.source_probs.sum(1), 1)


def test_scores_are_cached_by_embeddings_scorer_and_version(
    measured: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(measured / "cache", tmp_path / "cache")
    loaded, cache = small(measured), Cache(tmp_path / "cache")
    assert scoring.score_suite(loaded, ["iimm", "knn"], cache, quiet=True).computed == 20
    again = scoring.score_suite(loaded, ["iimm", "knn", "lfc"], cache, quiet=True)
    assert again.computed == 10
    assert set(again.scores["scorer"]) == {"iimm", "knn", "lfc"}
    monkeypatch.setattr(scoring, "score_version", lambda spec: "changed")
    assert scoring.score_suite(loaded, ["iimm"], cache, quiet=True).computed == 10


def test_pool_relative_scores_are_combined_over_the_models(own: Path) -> None:
    cells = scoring.score_suite(small(own), ["ncti"], Cache(own / "cache"), quiet=True).scores
    for task in set(cells["task"]):
        values = cells.filter(task=task)["score"].to_list()
        assert None not in values
        assert all(abs(value - round(value)) < 1e-9 for value in values)  # of two, min-max makes 0 and 1
    alone = scoring.score_suite(small(own).subset(["clip-things"], None), ["ncti"], Cache(own / "cache"), quiet=True)
    assert set(alone.scores["score"]) == {None}
    assert "pool" in alone.scores["abstained"][0]


def test_version_of_a_scorer_covers_the_scorers_it_calls() -> None:
    import scorers
    from benchmark.scoring.versions import source_files

    modules = {path.stem for path in source_files(scorers.ped.spec)}
    assert {"ped", "sfda", "logme"} <= modules


def test_failing_pool_or_ledger_scorer_abstains_and_the_run_continues(
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
    printed = caplog.text
    assert "scorer 'lost' abstains on 10 cells: raised KeyError: 'nothing'" in printed
    assert "scorer 'sour' abstains" in printed
    assert "vague" not in printed


def test_embedding_loads_no_model_if_nothing_is_missing(measured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.models import encoder

    monkeypatch.setattr(encoder, "Encoder", None)
    loaded = small(measured)
    assert embed_suite(loaded, Cache(measured / "cache"), 1, quiet=True, splits=("train", "val", "test")) == 0
    assert jobs.pending_jobs(loaded, Cache(measured / "cache"), ("train", "val", "test")) == []


def test_static_rank_equals_that_of_the_leaderboard(measured: Path) -> None:
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
