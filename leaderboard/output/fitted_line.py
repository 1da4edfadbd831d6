"""The line through the points of a scatter plot."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
GRID = 21  # points of a line
MIN_TASKS = 6


def fitted_line(x: Floats, y: Floats) -> dict[str, list[float]] | None:
    """The least-squares line of y on x over all cells, with its 95 % band from the jackknife over tasks: `x`, `y`, `low`, `high`.

    x, y: (models, tasks). None with fewer than MIN_TASKS tasks, or where x is constant, also without one of the tasks.
    """
    from scipy.special import stdtrit  # loads slowly

    used = np.isfinite(x) & np.isfinite(y)
    tasks = np.flatnonzero(used.any(0))
    if len(tasks) < MIN_TASKS or np.ptp(x[used]) == 0:
        return None
    grid = np.linspace(x[used].min(), x[used].max(), GRID)
    # (5, tasks) sums n, Σx, Σy, Σx², Σxy; without a task they are the total minus its own. Column 0 is the total.
    sums = np.stack([np.where(used, part, 0.0).sum(0) for part in (np.ones_like(x), x, y, x * x, x * y)])
    n, sx, sy, sxx, sxy = np.column_stack([sums.sum(1), sums.sum(1, keepdims=True) - sums[:, tasks]])
    spread = sxx - sx**2 / n  # Σ(x − x̄)²
    # relative to Σx²: what remains of a constant x is rounding
    if (spread <= 1e-12 * sxx).any():
        return None
    slope = (sxy - sx * sy / n) / spread  # (1 + tasks,)
    lines = ((sy - slope * sx) / n)[:, None] + slope[:, None] * grid  # (1 + tasks, GRID)
    count = len(tasks)
    # the jackknife's standard error √((T − 1)/T · Σ_t (ŷ₍ₜ₎ − mean)²), at each point of the grid
    error = np.sqrt((count - 1) / count * ((lines[1:] - lines[1:].mean(0)) ** 2).sum(0))
    reach = stdtrit(count - 1, 0.975) * error  # Student's t, T − 1 degrees of freedom
    band = {"x": grid, "y": lines[0], "low": lines[0] - reach, "high": lines[0] + reach}
    # five digits are finer than a pixel
    return {name: [float(f"{value:.5g}") for value in values] for name, values in band.items()}
