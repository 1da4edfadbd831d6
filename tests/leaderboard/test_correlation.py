"""Correlations under selections of the points equal scipy's on the selected points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, linregress, pearsonr, rankdata, spearmanr, weightedtau

from leaderboard.statistics.correlation import MEASURES, correlations, partial, pearson, ranks, slope

SCIPY = {
    "pearson": lambda x, y: pearsonr(x, y)[0],
    "spearman": lambda x, y: spearmanr(x, y)[0],
    "kendall": lambda x, y: kendalltau(x, y)[0],
    "weighted_kendall": lambda x, y: weightedtau(x, y, rank=True)[0],
}


@given(x=st.lists(st.integers(0, 6), min_size=4, max_size=12), seed=st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_every_selection_equals_scipy_on_its_points(x: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = np.array(x, float), rng.integers(0, 5, len(x)).astype(float)  # with ties
    a[rng.random(len(x)) < 0.15] = np.nan
    keep = np.vstack([np.ones(len(x)), 1 - np.eye(len(x))])
    values = correlations(a, b, keep)
    assert tuple(values) == MEASURES == tuple(SCIPY)
    for i, row in enumerate(keep):
        some = (row > 0) & np.isfinite(a)
        p, q = a[some], b[some]
        for measure, scipy in SCIPY.items():
            if len(p) < 3 or np.ptp(p) == 0 or np.ptp(q) == 0:
                assert np.isnan(values[measure][i])
            else:
                assert values[measure][i] == pytest.approx(scipy(p, q), abs=1e-7)


def test_many_scores_at_once_equal_each_score_alone() -> None:
    rng = np.random.default_rng(0)
    x, y, keep = rng.normal(size=(5, 3, 9)), rng.normal(size=(3, 9)), (rng.random((7, 9)) < 0.8).astype(float)
    x[2, 1, 4] = y[0, 2] = np.nan
    together = correlations(x, y, keep)
    for s, g in np.ndindex(5, 3):
        for measure, alone in correlations(x[s, g], y[g], keep).items():
            np.testing.assert_allclose(together[measure][s, g], alone)


def test_a_large_common_offset_does_not_change_the_correlation() -> None:
    x = np.arange(10.0)
    assert pearson(x + 1e9, x, np.ones((1, 10)))[0] == pytest.approx(1)


def test_weighted_kendall_is_not_odd_hence_orientation_comes_first() -> None:
    rng = np.random.default_rng(0)
    x, y, one = rng.normal(size=8), rng.normal(size=8), np.ones((1, 8))
    negated, plain = (correlations(sign * x, y, one)["weighted_kendall"][0] for sign in (-1, 1))
    assert negated != pytest.approx(-plain)


def test_slope_and_ranks_equal_scipy() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=9), rng.integers(0, 4, 9).astype(float)
    assert slope(x, y, np.ones((1, 9)))[0] == pytest.approx(linregress(x, y).slope)
    np.testing.assert_allclose(ranks(y), rankdata(y) - 5)
    y[3] = np.nan
    np.testing.assert_allclose(ranks(y)[np.isfinite(y)], rankdata(y[np.isfinite(y)]) - 4.5)


def test_partial_correlation_equals_that_of_the_residuals_and_is_the_same_for_gain_and_accuracy() -> None:
    rng = np.random.default_rng(2)
    x, before = rng.normal(size=20), rng.uniform(size=20)
    after = 0.5 * before + 0.3 * x + rng.normal(size=20)
    one = np.ones((1, 20))

    def residual(values: np.ndarray) -> np.ndarray:
        return values - np.polyval(np.polyfit(before, values, 1), before)

    expected = pearsonr(residual(x), residual(after))[0]
    assert partial(x, after, before, one)[0] == pytest.approx(expected)
    assert partial(x, after - before, before, one)[0] == pytest.approx(expected)
    assert np.isnan(partial(1 - before, after, before, one)[0])


def test_a_point_left_out_causes_no_rounding_error_however_large() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 12))
    x[4] = 1e8
    keep = 1 - np.eye(12)
    for measure, values in correlations(x, y, keep).items():
        assert values[4] == pytest.approx(SCIPY[measure](np.delete(x, 4), np.delete(y, 4))), measure
    assert np.isnan(pearson(np.full(12, 0.1), y, keep)).all()
