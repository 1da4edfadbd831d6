"""Reliability over seeds and shares of the variance, on data with known answers."""

import numpy as np
import pytest

from leaderboard import gains_by_seed, ledger_table
from leaderboard.statistics.reliability import intraclass, variance_shares


def test_reliability_of_a_mean_follows_from_the_simulated_noise() -> None:
    rng = np.random.default_rng(0)
    cells = rng.normal(size=(4000, 1))
    for noise, seeds in ((0.5, 3), (1.0, 3), (2.0, 5)):
        reliability = intraclass(cells + noise * rng.normal(size=(4000, seeds)))
        assert reliability == pytest.approx(1 / (1 + noise**2 / seeds), abs=0.03)
    assert intraclass(np.repeat(cells, 3, axis=1)) == 1
    assert abs(intraclass(rng.normal(size=(4000, 3)))) < 0.1


def test_the_worked_example_of_shrout_and_fleiss() -> None:
    """Six targets, four judges: ICC(1,1) = .17, ICC(1,4) = .44 in their Table 4."""
    ratings = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
    assert intraclass(ratings) == pytest.approx(0.44, abs=0.005)


def test_one_seed_or_constant_values_have_no_reliability() -> None:
    assert np.isnan(intraclass(np.ones((5, 1))))
    assert np.isnan(intraclass(np.ones((5, 3))))
    table = np.random.default_rng(0).normal(size=(5, 3))
    gap = np.vstack([table, [1.0, np.nan, 2.0]])
    assert intraclass(gap) == intraclass(table)


def test_shares_add_up_and_find_the_simulated_effects() -> None:
    rng = np.random.default_rng(1)
    a, b, c = rng.normal(size=(6, 1, 1, 1)), rng.normal(size=(1, 5, 1, 1)), rng.normal(size=(1, 1, 4, 1))
    shares = variance_shares(a + 0 * b + 0 * c + np.zeros((6, 5, 4, 3)), ("model", "task", "technique"))
    assert shares["model"] == pytest.approx(1)
    assert sum(shares.values()) == pytest.approx(1)
    crossed = (a - a.mean()) * (b - b.mean()) + 0 * c + np.zeros((6, 5, 4, 3))
    assert variance_shares(crossed, ("model", "task", "technique"))["model × task"] == pytest.approx(1)
    noisy = variance_shares(rng.normal(size=(6, 5, 4, 3)), ("model", "task", "technique"))
    assert sum(noisy.values()) == pytest.approx(1)
    assert set(noisy) == {
        *("model", "task", "technique", "model × task", "model × technique", "task × technique"),
        *("model × task × technique", "seed"),
    }
    assert noisy["seed"] == pytest.approx(2 / 3, abs=0.1)


def test_one_seed_has_no_share_and_a_missing_value_is_an_error() -> None:
    table = np.random.default_rng(0).normal(size=(3, 4, 1))
    shares = variance_shares(table, ("model", "task"))
    assert "seed" not in shares
    assert sum(shares.values()) == pytest.approx(1)
    table[0, 0] = np.nan
    with pytest.raises(ValueError, match="missing values"):
        variance_shares(table, ("model", "task"))


def test_gains_are_ordered_by_name_and_seed() -> None:
    rows = [
        (model, "full", seed, task, other, 0.25, 0.25 + 0.1 * seed + 0.01 * (task == "t1") + 0.5 * (other != task))
        for model in ("a", "b")
        for seed in (3, 1)
        for task in ("t1", "t0")
        for other in ("t0", "t1")
        if (model, seed, task) != ("b", 3, "t0")
    ]
    table, m = gains_by_seed(ledger_table(rows))
    assert (m.models, m.tasks, m.techniques, m.seeds) == (("a", "b"), ("t0", "t1"), ("full",), (1, 3))
    assert table.shape == (2, 2, 1, 2)
    assert table[0, 1, 0] == pytest.approx([0.11, 0.31])
    assert np.isnan(table[1, 0, 0, 1])
    assert np.isnan(table).sum() == 1
