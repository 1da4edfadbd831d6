"""Predicting targets from scores: known answers, honest intervals, and nothing learnt from what is asked."""

import numpy as np
import pytest

from leaderboard import prediction


def planted(groups: int, cells: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(groups, cells, 2))
    return x, 0.3 + 0.5 * x[..., 0] - 0.2 * x[..., 1] + noise * rng.normal(size=(groups, cells))


def test_a_planted_line_is_recovered() -> None:
    x, y = planted(12, 8, 0.0)
    found = prediction.fit(x, y)
    assert found.predict(np.array([[1.0, 2.0]])) == pytest.approx([0.3 + 0.5 - 0.4], abs=1e-6)
    quality = prediction.quality(x, y)
    assert quality.mae < 1e-6
    assert quality.r2 > 0.999999
    assert quality.n == 96


def test_no_feature_is_the_mean_of_the_other_groups() -> None:
    _, y = planted(6, 4, 0.3)
    predicted, _, mean = prediction.held_out(np.zeros((6, 4, 0)), y)
    for g in range(6):
        assert predicted[g] == pytest.approx(np.full(4, np.delete(y, g, 0).mean()), abs=1e-6)
    assert np.allclose(predicted, mean)
    assert prediction.quality(np.zeros((6, 4, 0)), y).r2 == pytest.approx(0, abs=1e-6)


def test_left_out_errors_are_those_of_fits_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interval against plain least squares, group after group, by numpy."""
    monkeypatch.setattr(prediction, "PENALTIES", (0.0,))
    x, y = planted(14, 3, 0.4, seed=3)
    errors = []
    for g in range(14):
        rest = np.arange(14) != g
        a = np.column_stack([np.ones(39), x[rest].reshape(39, 2)])
        weights = np.linalg.lstsq(a, y[rest].ravel(), rcond=None)[0]
        errors.append(np.abs(y[g] - np.column_stack([np.ones(3), x[g]]) @ weights))
    ordered = np.sort(np.ravel(errors))
    place = int(np.ceil(0.9 * 15 * 3 - 1e-9))  # of 42 errors and three unknown ones
    assert prediction.fit(x, y).half_width == pytest.approx(ordered[place - 1], rel=1e-6)


def test_a_group_asked_about_teaches_nothing() -> None:
    x, y = planted(8, 5, 0.3)
    changed = y.copy()
    changed[2] += 100
    assert np.array_equal(prediction.held_out(x, y)[0][2], prediction.held_out(x, changed)[0][2])
    assert not np.allclose(prediction.held_out(x, y)[0][3], prediction.held_out(x, changed)[0][3])


def test_intervals_cover_groups_whose_cells_go_together() -> None:
    inside, widths = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(21, 6, 1))
        y = x[..., 0] + rng.normal(size=(21, 1)) + 0.2 * rng.normal(size=(21, 6))
        quality = prediction.quality(x, y, resamples=10)
        inside.append(quality.coverage)
        widths.append(quality.half_width)
    assert 0.86 < np.mean(inside) < 0.95
    assert np.mean(widths) < 2.5  # not covered by being endless: nine in ten of such errors are below 1.7


def test_too_few_groups_have_no_interval() -> None:
    x, y = planted(8, 4, 0.2)
    assert prediction.fit(x, y).half_width == float("inf")
    assert prediction.quality(x, y).coverage is None


def test_a_useless_score_is_shrunk_towards_the_mean() -> None:
    x, y = planted(10, 3, 0.0)
    rng = np.random.default_rng(1)
    useless = rng.normal(size=(10, 3, 8))
    assert prediction.quality(useless, y).r2 > -0.5
    many = np.concatenate([useless, x], -1)
    assert prediction.quality(many, y).mae < prediction.quality(useless, y).mae


def test_missing_scores_are_left_out_and_never_filled() -> None:
    x, y = planted(9, 4, 0.0)
    x[1, 2, 0] = np.nan
    x[4] = np.nan
    y[7, 0] = np.nan
    predicted, _, _ = prediction.held_out(x, y)
    assert np.isnan(predicted[1, 2])
    assert np.isnan(predicted[4]).all()
    assert prediction.quality(x, y).n == 36 - 1 - 4 - 1
    assert prediction.quality(x, y).mae < 1e-6


def test_a_constant_score_is_the_mean() -> None:
    _, y = planted(7, 3, 0.2)
    assert prediction.quality(np.full((7, 3, 1), 4.0), y).r2 == pytest.approx(0, abs=1e-6)


def test_more_known_groups_predict_better_and_few_still_predict() -> None:
    x, y = planted(20, 4, 0.3, seed=2)
    curve = prediction.learning_curve(x, y, (2, 5, 15))
    assert curve[15][0] < curve[5][0] < curve[2][0]
    assert curve[15][1] > 0.5
    nothing = prediction.learning_curve(np.zeros((20, 4, 0)), y, (5,))
    assert nothing[5][1] == pytest.approx(0, abs=1e-6)


def test_too_few_groups_are_named() -> None:
    x, y = planted(2, 3, 0.1)
    with pytest.raises(ValueError, match="2 groups; leaving one out needs at least 3"):
        prediction.quality(x, y)
    with pytest.raises(ValueError, match="1 groups have both scores and target"):
        prediction.fit(x[:1], y[:1])
