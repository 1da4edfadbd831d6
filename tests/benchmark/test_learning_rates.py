"""The learning rates of pocket2 are those that the committed trials choose."""

import learning_rates
import pytest

from benchmark.suites import suite

TRIALS = learning_rates.read("pocket2")
LOADED = suite.load("pocket2")
FAMILIES = sorted({model.family for model in LOADED.models})


def test_development_tasks_are_eight_and_none_is_in_the_suite() -> None:
    tasks = learning_rates.development_tasks("pocket2")
    assert len(tasks) >= 8
    in_suite = {(str(card.source), card.classes, card.templates) for card in LOADED.tasks}
    for card in tasks:
        assert (str(card.source), card.classes, card.templates) not in in_suite
        assert card.name not in {other.name for other in LOADED.tasks}
    assert {trial.task for trial in TRIALS} == {card.name for card in tasks}


@pytest.mark.parametrize("technique", [settings.name for settings in LOADED.techniques])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_rate_is_the_best_of_at_least_five_and_inside_the_grid(technique: str, family: str) -> None:
    accuracies = learning_rates.means(TRIALS, family, technique)
    best = learning_rates.best_rate(accuracies)
    assert len(accuracies) >= 5
    assert min(accuracies) < best < max(accuracies)
    for model in LOADED.models:
        if model.family == family:
            assert LOADED.options(technique, model.name)["rate"] == best
    # every rate was tried on every task, with both models of the family
    trials = [trial for trial in TRIALS if (trial.family, trial.technique) == (family, technique)]
    assert len(trials) == len(accuracies) * len(learning_rates.development_tasks("pocket2"))
    assert len({trial.model for trial in trials}) == 2


def test_nothing_is_left_to_try() -> None:
    assert learning_rates.pending(LOADED, TRIALS) == []
    fewer = [trial for trial in TRIALS if (trial.family, trial.technique, trial.rate) != ("clip", "full", 0.001)]
    assert {call[:3] for call in learning_rates.pending(LOADED, fewer)} == {("clip", "full", 0.001)}
    # without the highest rate the best one may be an edge, and the grid grows
    edge = [trial for trial in TRIALS if not (trial.technique == "full" and trial.rate > 0.001)]
    assert ("clip", "full", 0.0032) in {call[:3] for call in learning_rates.pending(LOADED, edge)}
