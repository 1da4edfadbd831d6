"""Figures for papers are drawn without a display, with any names."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl

from leaderboard import baselines, ledger_table, make_board, score_table, summarise_ledger
from leaderboard.output.figures import write_figures
from leaderboard.output.fitted_line import fitted_line
from leaderboard.output.html_parts import stem


def test_a_technique_has_figures_of_intervals_and_of_iimm_and_the_best_score(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    gain = rng.uniform(0, 0.4, (5, 8))
    rows = [(f"m{i}", "a/b", 0, f"t{j}", f"t{j}", 0.3, 0.3 + gain[i, j]) for i, j in np.ndindex(5, 8)]
    m = summarise_ledger(ledger_table(rows))
    scores = []
    for name, value in (("iimm", rng.normal(size=(5, 8))), ("$x_<y$", gain)):
        scores += [
            {"scorer": name, "model": f"m{i}", "task": f"t{j}", "score": float(value[i, j])}
            for i, j in np.ndindex(5, 8)
        ]
    scores = pl.concat([baselines(m), score_table(scores)])
    board = make_board(scores, m, permutations=99)
    paths = write_figures(tmp_path / "figures", board, scores, m)
    assert [path.name for path in paths] == [
        f"{stem('a/b')}-{figure}.{kind}"
        for figure in ("intervals", "score-iimm", f"score-{stem('$x_<y$')}")
        for kind in ("svg", "png")
    ]
    assert len({stem(name) for name in ("a b", "a_b", "A_b", "a/b")}) == 4
    for path in paths:
        if path.suffix == ".svg":
            ElementTree.parse(path)
        else:
            assert path.read_bytes().startswith(b"\x89PNG")
    again = write_figures(tmp_path / "again", board, scores, m)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in paths]


def test_the_fitted_line_is_least_squares_and_its_band_widens_to_the_ends() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4, 30))
    y = 2 * x + 1 + rng.normal(size=x.shape)
    line = fitted_line(x, y)
    assert line is not None
    slope, intercept = np.polyfit(x.ravel(), y.ravel(), 1)
    np.testing.assert_allclose(line["y"], slope * np.array(line["x"]) + intercept, rtol=1e-3, atol=1e-3)
    width = np.subtract(line["high"], line["low"])
    assert width.min() < 0.5 * min(width[0], width[-1])
    assert fitted_line(x[:, :5], y[:, :5]) is None
    assert fitted_line(np.ones_like(x), y) is None
