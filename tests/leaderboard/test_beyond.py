"""What is left of a score once the accuracy before is known, and what a pool and its noise allow: all planted."""

import numpy as np
import pytest
from scipy import stats

from leaderboard.beyond import given_before
from leaderboard.correlation import correlations
from leaderboard.pool import pool_summary, stability
from leaderboard.reliability import ceilings

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
FOUND = {
    (e.scorer, e.axis): e for e in given_before(list(SCORES), "full", np.stack(list(SCORES.values())), GAIN, BEFORE)
}


@pytest.mark.parametrize("axis", ["tasks", "models", "pooled"])
def test_a_score_that_restates_the_accuracy_before_is_not_informative(axis: str) -> None:
    plain = correlations(SCORES["restates"].ravel(), GAIN.ravel(), np.ones((1, GAIN.size)))["pearson"][0]
    assert plain > 0.9
    knows, restates, noise, headroom = (FOUND[n, axis] for n in ("knows", "restates", "noise", "headroom"))
    assert knows.informative
    assert knows.partial.low > 0.5
    assert knows.partial_rank.low > 0.2
    assert not restates.informative
    assert not noise.informative
    assert headroom.partial.value is None
    assert headroom.holm is None


def test_headroom_by_another_name_is_never_informative() -> None:
    rng = np.random.default_rng(9)
    ability = rng.uniform(0.1, 0.8, SHAPE)
    before, trained = (ability + 0.03 * rng.normal(size=SHAPE) for _ in range(2))
    gain = 0.5 * (1 - ability) + ability - before
    x = np.stack([1 - trained, 100 * trained, ability])
    found = {
        e.scorer: e
        for e in given_before(["headroom", "percent", "ability"], "full", x, gain, before)
        if e.axis == "tasks"
    }
    assert found["percent"].partial.sign == -found["headroom"].partial.sign != 0
    assert [name for name, e in found.items() if e.informative] == ["ability"]


def test_what_cannot_be_had_is_null_and_not_nan() -> None:
    flat = given_before(list(SCORES), "full", np.stack(list(SCORES.values())), np.full(SHAPE, 0.2), BEFORE)
    assert {e.r2_rise for e in flat} == {None}
    assert not any(e.informative for e in flat)


def test_the_rise_in_r2_is_what_the_score_adds_to_headroom() -> None:
    knows, restates, headroom = (FOUND[n, "pooled"].r2_rise for n in ("knows", "restates", "headroom"))
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


def test_fidelity_is_that_of_the_differences() -> None:
    i, j = np.triu_indices(SHAPE[1], 1)
    x, y = SCORES["knows"], GAIN
    expected = [stats.pearsonr(abs(x[m, i] - x[m, j]), abs(y[m, i] - y[m, j]))[0] for m in range(SHAPE[0])]
    assert FOUND["knows", "tasks"].fidelity.value == pytest.approx(np.mean(expected))


def test_a_pool_of_one_fixed_order_cannot_tell() -> None:
    order = np.linspace(0.2, 0.9, 6)[:, None]
    found = pool_summary("full", order + 0.01 * np.arange(10), [f"m{i}" for i in range(6)])
    assert (found.dispersion, found.static, found.headroom) == pytest.approx((0, 1, 0))
    assert found.best == "m5"
    mixed = np.where(np.arange(10) % 2, order, order[::-1])
    found = pool_summary("full", mixed, [f"m{i}" for i in range(6)])
    assert found.dispersion == pytest.approx(1)
    assert found.headroom == pytest.approx(0.35)


def test_the_ceiling_is_what_a_perfect_score_reaches() -> None:
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


def test_rankings_that_nothing_changes_are_stable() -> None:
    rng = np.random.default_rng(2)
    gain = rng.normal(size=(5, 30))
    scores = np.stack([gain + noise * rng.normal(size=gain.shape) for noise in (0.01, 1, 10)])
    sure = stability(scores, np.repeat(gain[..., None], 2, -1))
    assert sure == {"a model left out": 1, "a task left out": 1, "one seed alone": 1}
    alike = np.stack([gain + 5 * rng.normal(size=gain.shape) for _ in range(12)])
    assert stability(alike, gain[..., None])["a model left out"] < 1
