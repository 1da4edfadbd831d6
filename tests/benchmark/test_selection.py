"""The selection among the epochs of a run and the untuned model."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from benchmark.finetuning.ledger import Run
from benchmark.finetuning.runs import perform_run, selected_epoch
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
