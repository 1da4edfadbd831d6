"""The selection among the epochs of a run and the untuned model."""

import dataclasses
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch

from benchmark.embedding.cache import Cache
from benchmark.errors import InputError
from benchmark.finetuning.ledger import Run
from benchmark.finetuning.runs import perform_run, selected_epoch
from benchmark.finetuning.workbench import Workbench
from benchmark.suites import suite
from benchmark.suites.suite import TechniqueSettings


@pytest.mark.parametrize(
    ("curve", "untuned", "epoch"),
    [
        ([0.5, 0.7, 0.7], None, 2),
        ([0.5, 0.7, 0.6], 0.6, 2),
        ([0.5, 0.7, 0.6], 0.7, 0),  # a tie keeps the untuned model
        ([0.5, 0.7, 0.6], 0.9, 0),
    ],
)
def test_the_first_best_epoch_or_the_untuned_model_is_selected(
    curve: list[float], untuned: float | None, epoch: int
) -> None:
    assert selected_epoch(curve, untuned=untuned) == epoch


@pytest.mark.parametrize("selection", ["epochs", "untuned too"])
def test_a_run_that_never_beats_the_untuned_model_on_val_returns_it(
    selection: str, measured: Path, tmp_path: Path
) -> None:
    """With a learning rate at which nothing changes, every epoch ties with the untuned model."""
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    loaded = suite.load(str(tmp_path / "small.toml"))
    settings = {"rate": 1e-12, "batch": 35.0, "epochs": 2.0, "selection": selection}
    loaded = dataclasses.replace(loaded, techniques=(TechniqueSettings("full", settings),))
    result = perform_run(loaded, Run("clip-things", "full", 0, "two_colours"), tmp_path / "cache")
    assert result.notes["epoch"] == (0 if selection == "untuned too" else 1)
    assert result.notes["val_untuned"] == result.notes["val"][0]
    assert result.after == pytest.approx(result.before, abs=1e-6)
    assert result.notes["drift"] == pytest.approx(0, abs=1e-6)
    assert result.notes["kl"] == pytest.approx(0, abs=1e-6)


def test_technique_that_exits_is_reported(measured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = suite.load(str(measured / "small.toml"))

    def leave(*arguments: object) -> None:
        sys.exit(0)

    monkeypatch.setattr("benchmark.finetuning.runs.load_techniques", lambda: {"full": leave})
    with pytest.raises(InputError, match=r"technique 'full' called sys\.exit\(0\); fix its package"):
        perform_run(loaded, Run("clip-things", "full", 0, "two_colours"), measured / "cache")


def test_other_tasks_are_evaluated_on_the_same_part_of_their_test_split(measured: Path) -> None:
    loaded = suite.load(str(measured / "small.toml"))
    bench = Workbench(loaded.models[0], loaded.tasks, Cache(measured / "cache"), cross_task_images=7)
    whole = Workbench(loaded.models[0], loaded.tasks, Cache(measured / "cache"))
    own, other, third = loaded.tasks[:3]
    rows = bench.test_rows(other, trained_on=own)
    assert isinstance(rows, torch.Tensor)
    assert len(set(rows.tolist())) == 7
    assert torch.equal(rows, bench.test_rows(other, trained_on=third))
    assert bench.test_rows(own, trained_on=own) == slice(None)
    # the untuned model as if it were a fine-tuned one: before and after are accuracies on the same images
    evaluation = bench.evaluate(bench.encoder, own)
    assert evaluation.after == pytest.approx(bench.before(own))
    assert bench.before(own)[own.name] == whole.before(own)[own.name]
    predicted = (bench.embeddings(other, "test")[rows] @ bench.texts(other).T).argmax(1)
    assert bench.before(own)[other.name] == float((predicted == bench.labels(other, "test")[rows]).double().mean())


def test_distance_is_the_mean_cosine_and_the_mean_divergence(measured: Path) -> None:
    loaded = suite.load(str(measured / "small.toml"))
    bench, card = Workbench(loaded.models[0], loaded.tasks, Cache(measured / "cache")), loaded.tasks[0]
    untuned = bench.embeddings(card, "test").double().numpy()
    tuned = untuned + 0.1 * np.random.default_rng(0).normal(size=untuned.shape)
    tuned /= np.linalg.norm(tuned, axis=1, keepdims=True)
    texts = bench.texts(card).double().numpy()
    before, after = (scipy.special.softmax(bench.scale * x @ texts.T, axis=1) for x in (untuned, tuned))
    divergences = [scipy.stats.entropy(p, q) for p, q in zip(after, before, strict=True)]
    logits = torch.from_numpy(bench.scale * tuned @ texts.T)
    drift, kl = bench.distance(card, images=torch.from_numpy(tuned), logits=logits)
    assert drift == pytest.approx(np.mean([1 - a @ b for a, b in zip(tuned, untuned, strict=True)]), rel=1e-5)
    assert kl == pytest.approx(np.mean(divergences), rel=1e-5)
