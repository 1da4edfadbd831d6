"""A suite's health, on ledgers with known answers."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmark.reports import health
from benchmark.reports.measurements import suite_ledger
from benchmark.suites import suite


def test_the_effective_number_of_tasks_counts_copies_once() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4, 4000))
    assert health.participation(rows) == pytest.approx(4, abs=0.05)
    assert health.participation(np.concatenate([rows, 3 * rows + 1])) == pytest.approx(4, abs=0.05)
    assert health.participation(np.repeat(rows[:1], 5, axis=0)) == pytest.approx(1)


def test_static_tau_detects_a_fixed_order() -> None:
    fixed = np.arange(5.0)[:, None] + np.zeros((5, 12))
    assert health.static_tau(fixed) == pytest.approx(1)
    free = np.random.default_rng(0).normal(size=(5, 400))
    assert abs(health.static_tau(free)) < 0.15


def test_runs_that_have_not_converged_are_counted(own: Path) -> None:
    loaded = suite.load(str(own / "small.toml"))
    for path in (own / "gains").glob("*.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            line["val"] = [0.1] * 8 + ([0.3, 0.5] if line["technique"] == "full" else [0.1, 0.105])
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert health.converged_runs(loaded) == (0.5, 20)


def test_reliability_is_checked_with_several_seeds(own: Path) -> None:
    loaded = suite.load(str(own / "small.toml"))
    rows = suite_ledger(loaded)

    def found(second: float) -> list[health.Criterion]:
        rng = np.random.default_rng(0)
        noise = pl.Series(second * rng.normal(size=len(rows)))
        again = rows.with_columns(pl.lit(1, pl.Int64).alias("seed"), (pl.col("after") + noise).alias("after"))
        return [c for c in health.criteria(loaded, pl.concat([rows, again])) if c.name.startswith("reliability")]

    assert not [c for c in health.criteria(loaded, rows) if c.name.startswith("reliability")]
    (same,) = found(0.0)
    assert same.passed
    assert same.value == "1.000"
    (noisy,) = found(1.0)
    assert not noisy.passed


def test_variance_is_decomposed_for_a_complete_ledger(own: Path) -> None:
    rows = suite_ledger(suite.load(str(own / "small.toml")))
    shares = health.variance(rows)
    assert sum(shares.values()) == pytest.approx(1)
    assert "task × technique" in shares
    assert (
        health.variance(rows.filter((pl.col("model") != "clip-things") | (pl.col("trained_on") != "two_colours"))) == {}
    )
