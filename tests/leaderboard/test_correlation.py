"""Correlations over weighted resamples equal scipy's on the points repeated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr, weightedtau

from leaderboard.correlation import FUNCTIONS

SCIPY = {
    "pearson": lambda x, y: pearsonr(x, y)[0],
    "spearman": lambda x, y: spearmanr(x, y)[0],
    "weighted_kendall": lambda x, y: weightedtau(x, y, rank=True)[0],
}


@pytest.mark.parametrize("measure", SCIPY)
@given(
    x=st.lists(st.integers(0, 6), min_size=4, max_size=12),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=60, deadline=None)
def test_every_resample_is_what_scipy_gives_on_the_drawn_points(measure: str, x: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = np.array(x, float), rng.integers(0, 5, len(x)).astype(float)  # with ties
    weights = np.stack(
        [np.ones(len(x)), *(np.bincount(rng.integers(0, len(x), len(x)), minlength=len(x)) for _ in range(4))]
    )
    ours = FUNCTIONS[measure](a, b, weights.astype(float))
    for row, value in zip(weights.astype(int), ours, strict=True):
        p, q = np.repeat(a, row), np.repeat(b, row)
        if np.ptp(p) == 0 or np.ptp(q) == 0:
            assert np.isnan(value)
        else:
            assert value == pytest.approx(SCIPY[measure](p, q), abs=1e-9)


def test_a_large_common_offset_does_not_drown_the_correlation() -> None:
    x = np.arange(10.0)
    assert FUNCTIONS["pearson"](x + 1e9, x, np.ones((1, 10)))[0] == pytest.approx(1)


def test_weighted_kendall_is_not_odd_hence_orientation_comes_first() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=8), rng.normal(size=8)
    one = np.ones((1, 8))
    assert FUNCTIONS["weighted_kendall"](-x, y, one)[0] != pytest.approx(-FUNCTIONS["weighted_kendall"](x, y, one)[0])
