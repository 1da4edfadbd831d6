"""Coverage of the 95 % intervals, simulated at the sizes of typical pools: python tools/coverage.py

Score and gain are normal, with effects of whole tasks, of whole models and of cells, each correlated by rho between the two, so that the
true correlation is rho. Writes leaderboard/coverage.csv: for each size, axis, measure and procedure the share of `RUNS` simulated
tables whose interval contains the truth (of the weighted τ, which has no closed form: the mean of all runs), and the mean width.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from leaderboard.statistics import correlation
from leaderboard.statistics.axes import leave_one_out, move_axis, over_groups
from leaderboard.statistics.intervals import MIN_CLUSTERS, estimate

Floats = NDArray[np.float64]
RUNS, DRAWS = 1000, 999  # simulated tables per setting, bootstrap resamples per table
SIZES = ((8, 24), (5, 20), (3, 19), (10, 8), (11, 11), (40, 8), (8, 6), (5, 6))  # (models, tasks)
RHO = (0.0, 0.5, 0.9)
EFFECTS = {
    "tasks": (0.6, 0.0),
    "models": (0.0, 0.5),
    "pooled": (0.5, 0.2),
}  # shares of tasks and of models; the rest is the cells'
OUT = Path(__file__).resolve().parent.parent / "leaderboard" / "coverage.csv"


def tables(rng: np.random.Generator, models: int, tasks: int, axis: str, rho: float) -> tuple[Floats, Floats]:
    """(RUNS, models, tasks) scores and gains."""
    of_task, of_model = EFFECTS[axis]  # shares of the variance
    x, y = np.zeros((2, RUNS, models, tasks))
    for shape, share in (((1, tasks), of_task), ((models, 1), of_model), ((models, tasks), 1 - of_task - of_model)):
        # y = rho x + sqrt(1 - rho^2) e has correlation rho with x, effect by effect, so their sums have it too
        a, b = np.sqrt(share) * rng.normal(size=(2, RUNS, *shape))
        x, y = x + a, y + rho * a + np.sqrt(1 - rho**2) * b
    return x, y


def truth(measure: str, rho: float, points: int, values: Floats) -> float:
    """The value that a measure of so many normal points estimates; Spearman's expectation depends on their number."""
    if measure == "spearman":
        # 6 / (pi (n + 1)) (arcsin rho + (n - 2) arcsin(rho / 2)); the limit is 6 / pi arcsin(rho / 2)
        return float(6 / np.pi / (points + 1) * (np.arcsin(rho) + (points - 2) * np.arcsin(rho / 2)))
    # Kendall: tau = 2 / pi arcsin rho
    return float({"pearson": rho, "kendall": 2 / np.pi * np.arcsin(rho)}.get(measure, np.nanmean(values)))


def jackknife(x: Floats, y: Floats, axis: str) -> Iterator[tuple[str, Floats, Floats]]:
    """Measure, its values (RUNS,), and the intervals (RUNS, 2) that boards show."""
    keep, clusters = leave_one_out(*x.shape[1:], axis)
    parts = [
        correlation.correlations(move_axis(axis, a), move_axis(axis, b), keep)
        for a, b in zip(np.split(x, 20), np.split(y, 20), strict=True)  # 50 tables at a time
    ]
    for measure in correlation.MEASURES:
        values = over_groups(np.concatenate([part[measure] for part in parts]))
        intervals = estimate(values, clusters, np.ones(x.shape, bool))  # every cell takes part
        yield measure, values[:, 0], np.column_stack([intervals.low, intervals.high])


def bootstraps(rng: np.random.Generator, x: Floats, y: Floats, axis: str) -> Iterator[tuple[str, Floats]]:
    """Percentile and BCa intervals (RUNS, 2) of Pearson's r, from resampling whole tasks or whole models."""
    a, b = move_axis(axis, x), move_axis(axis, y)  # (RUNS, G, points)
    points = a.shape[-1]
    # (1 + points + DRAWS, points): all points, each left out once, and multinomial counts of a resample
    weights = np.vstack(
        [np.ones(points), 1 - np.eye(points), rng.multinomial(points, np.full(points, 1 / points), DRAWS)]
    )
    values = np.concatenate(
        [over_groups(correlation.pearson(p, q, weights)) for p, q in zip(np.split(a, 20), np.split(b, 20), strict=True)]
    )
    whole, left, drawn = values[:, :1], values[:, 1 : points + 1], values[:, points + 1 :]
    yield "percentile bootstrap", np.nanpercentile(drawn, [2.5, 97.5], axis=1).T
    skew = left.mean(1, keepdims=True) - left  # jackknife influences
    a_ = (skew**3).sum(1) / np.maximum(6 * (skew**2).sum(1) ** 1.5, 1e-300)  # acceleration (RUNS,)
    # bias correction; a share of 0 or 1 would make it infinite
    z = norm.ppf(np.clip((drawn < whole).mean(1), 1 / DRAWS, 1 - 1 / DRAWS))
    # Phi(z + (z + q) / (1 - a (z + q))), with q = -1.96 and 1.96
    levels = [norm.cdf(z + (z + q) / np.maximum(1 - a_ * (z + q), 1e-9)) for q in norm.ppf([0.025, 0.975])]
    yield (
        "BCa bootstrap",
        np.array(
            [np.nanquantile(row, np.clip([low, high], 0, 1)) for row, low, high in zip(drawn, *levels, strict=True)]
        ),
    )


def main() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for models, tasks in SIZES:
        for axis in EFFECTS:
            for rho in RHO:
                x, y = tables(rng, models, tasks, axis, rho)
                found = [
                    (measure, "jackknife", truth(measure, rho, move_axis(axis, x).shape[-1], values), ends)
                    for measure, values, ends in jackknife(x, y, axis)
                ]
                if axis != "pooled" and {"models": models, "tasks": tasks}[axis] >= MIN_CLUSTERS[axis]:
                    found += [("pearson", name, rho, ends) for name, ends in bootstraps(rng, x, y, axis)]
                for measure, procedure, true, ends in found:
                    # too few clusters, or an undefined statistic: the row is kept without numbers
                    if np.isnan(ends).any():
                        rows.append([models, tasks, axis, measure, procedure, rho, "", ""])
                        continue
                    inside = (ends[:, 0] <= true) & (true <= ends[:, 1])
                    rows.append(
                        [
                            models,
                            tasks,
                            axis,
                            measure,
                            procedure,
                            rho,
                            f"{inside.mean():.3f}",
                            f"{np.diff(ends).mean():.2f}",
                        ]
                    )
                print(models, tasks, axis, rho, [row[-2] for row in rows[-len(found) :]], flush=True)
    with OUT.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["models", "tasks", "axis", "measure", "procedure", "rho", "coverage", "width"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
