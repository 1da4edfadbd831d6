"""Intervals by the jackknife, and p values by permutation."""

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import leaderboard
from leaderboard.statistics.axes import leave_one_out, move_axis, over_groups
from leaderboard.statistics.correlation import pearson
from leaderboard.statistics.intervals import Estimates, estimate, holm
from leaderboard.statistics.permutation import p_values

Floats = np.ndarray


def pair(
    rng: np.random.Generator, rho: float, shares: dict[str, float], shape: tuple[int, int]
) -> tuple[Floats, Floats]:
    """Score and gain (models, tasks), whose effects of task, model and cell each correlate by rho."""
    x, y = np.zeros(shape), np.zeros(shape)
    for what, size in (("task", (1, shape[1])), ("model", (shape[0], 1)), ("cell", shape)):
        a, b = rng.normal(size=(2, *size)) * np.sqrt(shares.get(what, 0.0))
        x, y = x + a, y + rho * a + np.sqrt(1 - rho**2) * b
    return x, y


def interval(x: Floats, y: Floats, axis: str) -> Estimates:
    keep, clusters = leave_one_out(*y.shape, axis)
    values = over_groups(pearson(move_axis(axis, x[None]), move_axis(axis, y), keep))
    return estimate(values, clusters, np.isfinite(x[None]) & np.isfinite(y))


def test_one_group_is_the_jackknife_on_fishers_scale() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 1, 15))
    z = np.arctanh(pearsonr := stats.pearsonr(x[0], y[0])[0])
    left = [np.arctanh(stats.pearsonr(np.delete(x[0], j), np.delete(y[0], j))[0]) for j in range(15)]
    error = np.sqrt(14 / 15 * ((left - np.mean(left)) ** 2).sum())
    reach = stats.t.ppf(0.975, 14) * error
    result = interval(x, y, "tasks")
    assert result.value == pytest.approx(pearsonr)
    assert (result.low, result.high) == (pytest.approx(np.tanh(z - reach)), pytest.approx(np.tanh(z + reach)))
    assert result.p == pytest.approx(2 * stats.t.sf(abs(z) / error, 14))


@pytest.mark.parametrize("axis", ["tasks", "models", "pooled"])
@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_intervals_have_nominal_coverage(axis: str, rho: float) -> None:
    """With effects of whole tasks and whole models in both score and gain, as real tables have. The true correlation is rho in every group."""
    shares = {
        "tasks": {"task": 0.6, "cell": 0.4},
        "models": {"model": 0.5, "cell": 0.5},
        "pooled": {"task": 0.5, "model": 0.1, "cell": 0.4},
    }
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(300):
        result = interval(*pair(rng, rho, shares[axis], (8, 24)), axis)
        inside.append(bool(result.low <= rho <= result.high))
    assert 0.91 <= np.mean(inside) <= 0.99


def test_no_interval_from_too_few_clusters() -> None:
    rng = np.random.default_rng(2)
    few = rng.normal(size=(2, 8, 5))
    assert np.isnan(interval(*few, "tasks").low)
    assert np.isfinite(interval(*few, "models").low)
    assert np.isnan(interval(*few, "pooled").low)
    whole = rng.normal(size=(2, 8, 12))
    whole[0, :, 5:] = np.nan  # the seven tasks without a score are not clusters
    result = interval(*whole, "tasks")
    assert result.value == interval(*whole[..., :5], "tasks").value
    assert np.isnan([result.low, result.high, result.p]).all()


def test_p_is_uniform_where_tasks_differ_but_score_and_gain_are_independent() -> None:
    rng = np.random.default_rng(3)
    shares = {"task": 0.7, "model": 0.1, "cell": 0.2}
    for axis in ("tasks", "models", "pooled"):
        x, y = zip(*(pair(rng, 0.0, shares, (7, 12)) for _ in range(150)), strict=True)
        for measure, p in (
            (m, np.array([v[m][0] for v in found]))
            for found in [[p_values(a[None], b, axis, 99, i) for i, (a, b) in enumerate(zip(x, y, strict=True))]]
            for m in found[0]
        ):
            if axis == "pooled" and "kendall" in measure:
                assert np.isnan(p).all()
            else:
                assert stats.kstest(p, "uniform").pvalue > 0.001, (axis, measure)


def test_p_finds_a_simulated_correlation_and_leaves_missing_cells_out() -> None:
    rng = np.random.default_rng(4)
    x, y = pair(rng, 0.95, {"task": 0.6, "cell": 0.4}, (6, 15))
    scores = np.stack([x, x, np.ones_like(x)])
    scores[1, 2, 3] = np.nan
    found = p_values(scores, y, "tasks", 499)
    for p in found.values():
        assert p[:2].max() < 0.01
        assert np.isnan(p[2])
    without = p_values(np.delete(x, 3, 1)[None], np.delete(y, 3, 1), "tasks", 499)
    assert found["pearson"][1] == without["pearson"][0]
    assert np.isnan(p_values(x[None, :, :4], y[:, :4], "tasks", 99)["pearson"]).all()


def test_holm_is_the_step_down_bound() -> None:
    adjusted = holm(np.array([0.01, 0.04, 0.03, np.nan]))
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, np.nan], nan_ok=True)


def test_the_committed_simulation_supports_the_jackknife() -> None:
    """leaderboard/coverage.csv, written by tools/coverage.py: where a board has an interval of r, its coverage is close to nominal."""
    with (Path(leaderboard.__file__).parent / "coverage.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["measure"] == "pearson"]
    for axis in ("tasks", "models", "pooled"):
        found = {
            name: [float(r["coverage"]) for r in rows if (r["axis"], r["procedure"]) == (axis, name) and r["coverage"]]
            for name in ("jackknife", "percentile bootstrap", "BCa bootstrap")
        }
        assert 0.93 <= np.mean(found["jackknife"]) <= 0.97
        assert min(found["jackknife"]) >= 0.92
        if axis != "pooled":
            assert max(np.mean(found["percentile bootstrap"]), np.mean(found["BCa bootstrap"])) < 0.93
    none = {(r["models"], r["tasks"], r["axis"]) for r in rows if not r["coverage"]}
    assert none == {("3", "19", "models"), ("3", "19", "pooled")}


def test_a_value_that_depends_on_one_cluster_has_no_interval() -> None:
    rng = np.random.default_rng(5)
    x, y = np.zeros((8, 24)), rng.normal(size=(8, 24))
    x[:, 7] = 1
    assert np.isfinite(interval(x, y, "tasks").value)
    assert np.isnan(interval(x, y, "tasks").low)


def test_p_is_computed_on_the_largest_complete_part() -> None:
    rng = np.random.default_rng(6)
    x, y = pair(rng, 0.95, {"task": 0.6, "cell": 0.4}, (6, 12))
    x[2, [0, 3, 4, 5, 7, 8, 9, 11]] = np.nan  # the model with the most missing cells is left out, not the tasks
    found = p_values(x[None], y, "tasks", 199)
    kept = [0, 1, 3, 4, 5]
    assert found["pearson"][0] == p_values(x[None, kept], y[kept], "tasks", 199)["pearson"][0] < 0.02
