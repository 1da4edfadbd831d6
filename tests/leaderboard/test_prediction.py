"""Predicting targets from scores: known answers, coverage of the intervals, and no leak from the group that is predicted."""

import numpy as np
import pytest

from leaderboard.statistics import prediction


def simulated(groups: int, cells: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(groups, cells, 2))
    return x, 0.3 + 0.5 * x[..., 0] - 0.2 * x[..., 1] + noise * rng.normal(size=(groups, cells))


def test_a_simulated_line_is_recovered() -> None:
    x, y = simulated(12, 8, 0.0)
    fitted = prediction.fit(x, y)
    assert fitted.predict(np.array([[1.0, 2.0]])) == pytest.approx([0.3 + 0.5 - 0.4], abs=1e-6)
    quality = prediction.quality(x, y)
    assert quality.mae < 1e-6
    assert quality.r2 > 0.999999
    assert quality.n == 96


def test_without_features_the_prediction_is_the_mean_of_the_other_groups() -> None:
    _, y = simulated(6, 4, 0.3)
    predicted, _, mean = prediction.held_out(np.zeros((6, 4, 0)), y)
    for g in range(6):
        assert predicted[g] == pytest.approx(np.full(4, np.delete(y, g, 0).mean()), abs=1e-6)
    assert np.allclose(predicted, mean)
    assert prediction.quality(np.zeros((6, 4, 0)), y).r2 == pytest.approx(0, abs=1e-6)


def test_leave_one_out_errors_equal_those_of_separate_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interval equals that from numpy's least squares, group by group."""
    monkeypatch.setattr(prediction, "PENALTIES", (0.0,))
    x, y = simulated(14, 3, 0.4, seed=3)
    errors = []
    for g in range(14):
        rest = np.arange(14) != g
        a = np.column_stack([np.ones(39), x[rest].reshape(39, 2)])
        weights = np.linalg.lstsq(a, y[rest].ravel(), rcond=None)[0]
        errors.append(np.abs(y[g] - np.column_stack([np.ones(3), x[g]]) @ weights))
    ordered = np.sort(np.ravel(errors))
    place = int(np.ceil(0.9 * 15 * 3 - 1e-9))  # among 42 errors and three of the unseen group
    assert prediction.fit(x, y).half_width == pytest.approx(ordered[place - 1], rel=1e-6)


def test_the_predicted_group_does_not_affect_its_prediction() -> None:
    x, y = simulated(8, 5, 0.3)
    changed = y.copy()
    changed[2] += 100
    assert np.array_equal(prediction.held_out(x, y)[0][2], prediction.held_out(x, changed)[0][2])
    assert not np.allclose(prediction.held_out(x, y)[0][3], prediction.held_out(x, changed)[0][3])


def test_intervals_cover_groups_whose_cells_are_dependent() -> None:
    inside, widths = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(21, 6, 1))
        y = x[..., 0] + rng.normal(size=(21, 1)) + 0.2 * rng.normal(size=(21, 6))
        quality = prediction.quality(x, y, resamples=10)
        inside.append(quality.coverage)
        widths.append(quality.half_width)
    assert 0.86 < np.mean(inside) < 0.95
    assert (
        np.mean(widths) < 2.5
    )  # coverage does not come from excessive width: nine in ten of such errors are below 1.7


def test_too_few_groups_have_no_interval() -> None:
    x, y = simulated(8, 4, 0.2)
    assert prediction.fit(x, y).half_width == float("inf")
    assert prediction.quality(x, y).coverage is None


def test_a_useless_score_is_shrunk_towards_the_mean() -> None:
    x, y = simulated(10, 3, 0.0)
    rng = np.random.default_rng(1)
    useless = rng.normal(size=(10, 3, 8))
    assert prediction.quality(useless, y).r2 > -0.5
    many = np.concatenate([useless, x], -1)
    assert prediction.quality(many, y).mae < prediction.quality(useless, y).mae


def test_missing_scores_are_left_out_and_never_imputed() -> None:
    x, y = simulated(9, 4, 0.0)
    x[1, 2, 0] = np.nan
    x[4] = np.nan
    y[7, 0] = np.nan
    predicted, _, _ = prediction.held_out(x, y)
    assert np.isnan(predicted[1, 2])
    assert np.isnan(predicted[4]).all()
    assert prediction.quality(x, y).n == 36 - 1 - 4 - 1
    assert prediction.quality(x, y).mae < 1e-6


def test_a_constant_score_predicts_the_mean() -> None:
    _, y = simulated(7, 3, 0.2)
    assert prediction.quality(np.full((7, 3, 1), 4.0), y).r2 == pytest.approx(0, abs=1e-6)


def test_more_groups_predict_better_and_few_still_predict() -> None:
    x, y = simulated(20, 4, 0.3, seed=2)
    curve = prediction.learning_curve(x, y, (2, 5, 15))
    assert curve[15][0] < curve[5][0] < curve[2][0]
    assert curve[15][1] > 0.5
    nothing = prediction.learning_curve(np.zeros((20, 4, 0)), y, (5,))
    assert nothing[5][1] == pytest.approx(0, abs=1e-6)


def test_too_few_groups_are_an_error() -> None:
    x, y = simulated(2, 3, 0.1)
    with pytest.raises(ValueError, match="2 groups; leaving one out needs at least 3"):
        prediction.quality(x, y)
    with pytest.raises(ValueError, match="1 groups have both scores and target"):
        prediction.fit(x[:1], y[:1])
