"""Partial correlations given the accuracy before, pools of models and noise ceilings, on simulated data with known answers."""

import numpy as np
import pytest
from scipy import stats

from leaderboard.statistics.correlation import correlations
from leaderboard.statistics.partial import partial_correlations
from leaderboard.statistics.pool import pool_summary, stability
from leaderboard.statistics.reliability import ceilings

SHAPE = (8, 20)
RNG = np.random.default_rng(0)
BEFORE = RNG.uniform(0.1, 0.8, SHAPE)
HIDDEN = RNG.normal(size=SHAPE)
GAIN = 0.6 * (1 - BEFORE) + 0.05 * HIDDEN + 0.02 * RNG.normal(size=SHAPE)
SCORES = {
    "headroom": 1 - BEFORE,
    "knows": HIDDEN + 0.3 * RNG.normal(size=SHAPE),
    "restates": 1 - BEFORE + 0.02 * RNG.normal(size=SHAPE),
    "noise": RNG.normal(size=SHAPE),
}
PARTIALS = {
    (row["scorer"], row["axis"]): row
    for row in partial_correlations(list(SCORES), "full", np.stack(list(SCORES.values())), GAIN, BEFORE).iter_rows(
        named=True
    )
}


@pytest.mark.parametrize("axis", ["tasks", "models", "pooled"])
def test_a_score_that_restates_the_accuracy_before_is_not_informative(axis: str) -> None:
    plain = correlations(SCORES["restates"].ravel(), GAIN.ravel(), np.ones((1, GAIN.size)))["pearson"][0]
    assert plain > 0.9
    knows, restates, noise, headroom = (PARTIALS[n, axis] for n in ("knows", "restates", "noise", "headroom"))
    assert knows["informative"]
    assert knows["partial"]["low"] > 0.5
    assert knows["partial_rank"]["low"] > 0.2
    assert not restates["informative"]
    assert not noise["informative"]
    assert headroom["partial"]["value"] is None
    assert headroom["holm"] is None


def test_a_linear_function_of_headroom_is_never_informative() -> None:
    rng = np.random.default_rng(9)
    ability = rng.uniform(0.1, 0.8, SHAPE)
    before, trained = (ability + 0.03 * rng.normal(size=SHAPE) for _ in range(2))
    gain = 0.5 * (1 - ability) + ability - before
    x = np.stack([1 - trained, 100 * trained, ability])
    table = partial_correlations(["headroom", "percent", "ability"], "full", x, gain, before).filter(axis="tasks")
    partial = dict(table.select("scorer", "partial").iter_rows())
    assert partial["percent"]["low"] > 0 > partial["headroom"]["high"] or (
        partial["percent"]["high"] < 0 < partial["headroom"]["low"]
    )
    assert list(table.filter("informative")["scorer"]) == ["ability"]


def test_an_undefined_value_is_null_and_not_nan() -> None:
    flat = partial_correlations(list(SCORES), "full", np.stack(list(SCORES.values())), np.full(SHAPE, 0.2), BEFORE)
    assert set(flat["r2_rise"]) == {None}
    assert not flat["informative"].any()


def test_the_rise_in_r2_is_that_of_adding_the_score_to_headroom() -> None:
    knows, restates, headroom = (PARTIALS[n, "pooled"]["r2_rise"] for n in ("knows", "restates", "headroom"))
    assert headroom is None
    assert abs(restates) < 0.02
    features = [1 - BEFORE.T, SCORES["knows"].T]

    def r2(use: list[np.ndarray]) -> float:
        errors, against = 0.0, 0.0
        for t in range(SHAPE[1]):
            rest = np.arange(SHAPE[1]) != t
            design, target = (np.stack([np.ones(SHAPE[::-1]), *use], -1), GAIN.T)
            weights = np.linalg.lstsq(design[rest].reshape(-1, len(use) + 1), target[rest].ravel(), rcond=None)[0]
            errors += ((design[t] @ weights - target[t]) ** 2).sum()
            against += ((target[t] - target[rest].mean()) ** 2).sum()
        return 1 - errors / against

    assert knows == pytest.approx(r2(features) - r2(features[:1]), abs=1e-6)


def test_fidelity_correlates_absolute_differences() -> None:
    i, j = np.triu_indices(SHAPE[1], 1)
    x, y = SCORES["knows"], GAIN
    expected = [stats.pearsonr(abs(x[m, i] - x[m, j]), abs(y[m, i] - y[m, j]))[0] for m in range(SHAPE[0])]
    assert PARTIALS["knows", "tasks"]["fidelity"]["value"] == pytest.approx(np.mean(expected))


def test_a_pool_with_one_fixed_order_has_no_dispersion_and_no_headroom() -> None:
    order = np.linspace(0.2, 0.9, 6)[:, None]
    pool = pool_summary("full", order + 0.01 * np.arange(10), [f"m{i}" for i in range(6)])
    assert (pool["dispersion"], pool["static"], pool["headroom"]) == pytest.approx((0, 1, 0))
    assert pool["best"] == "m5"
    mixed = np.where(np.arange(10) % 2, order, order[::-1])
    pool = pool_summary("full", mixed, [f"m{i}" for i in range(6)])
    assert pool["dispersion"] == pytest.approx(1)
    assert pool["headroom"] == pytest.approx(0.35)


def test_the_ceiling_is_the_correlation_of_a_perfect_score() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(40, 40))
    for deviation in (0.2, 1.0):
        seeds = truth[..., None] + deviation * rng.normal(size=(*truth.shape, 3))
        for axis in ("tasks", "models", "pooled"):
            table = truth if axis != "models" else truth.T
            mean = seeds.mean(-1) if axis != "models" else seeds.mean(-1).T
            if axis == "pooled":
                table, mean = table.reshape(1, -1), mean.reshape(1, -1)
            reached = correlations(table, mean, np.ones((1, table.shape[1])))
            for measure, value in ceilings(seeds, axis).items():
                assert value == pytest.approx(reached[measure].mean(), abs=0.05), (measure, axis, deviation)
    assert ceilings(truth[..., None], "tasks") == {}


def test_rankings_of_clearly_different_scores_are_stable() -> None:
    rng = np.random.default_rng(2)
    gain = rng.normal(size=(5, 30))
    scores = np.stack([gain + noise * rng.normal(size=gain.shape) for noise in (0.01, 1, 10)])
    distinct = stability(scores, np.repeat(gain[..., None], 2, -1))
    assert distinct == {"a model left out": 1, "a task left out": 1, "one seed alone": 1}
    alike = np.stack([gain + 5 * rng.normal(size=gain.shape) for _ in range(12)])
    assert stability(alike, gain[..., None])["a model left out"] < 1
