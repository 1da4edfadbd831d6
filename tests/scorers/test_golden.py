"""Agreement with the values of published implementations on fixed inputs."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

import scorers
from scorers import Embeddings

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
# Published values whose name, component, options or factor differ from those of the scorer.
EQUIVALENTS: dict[str, Callable[[Embeddings], float]] = {
    "gbc_spherical": lambda e: scorers.gbc_spherical(e, log_term="published"),
    "knn": lambda e: 100 * scorers.knn(e),
    "iimm.inter_modal": lambda e: scorers.iimm.spec.components(e)["inter_modal"],
    "iimm.intra_image": lambda e: scorers.iimm.spec.components(e)["intra_image"],
    "parc_full": lambda e: scorers.parc(e, dimensions=None, max_rows=e.n, label_ties="published"),
    "ncti.seli": lambda e: scorers.ncti(e)["seli"],
    "ncti.ncc": lambda e: scorers.ncti(e)["ncc"],
    "ncti.vc": lambda e: scorers.ncti(e)["vc"],
}
RELATIVE_TOLERANCE = {("few_shot_60x512", "logme"): 5e-3}


def scorer_of(name: str) -> Callable[[Embeddings], float]:
    return EQUIVALENTS.get(name) or scorers.registry().scorers[name]


def expected_values(folder: Path) -> list[tuple[str, str, float]]:
    with (folder / "expected.csv").open(newline="") as file:
        return [(row["case"], row["scorer"], float(row["expected"])) for row in csv.DictReader(file)]


def deviations(folder: Path) -> list[str]:
    """A line for every score that deviates from its published value."""
    cases: dict[str, Embeddings] = {}
    out = []
    for case, name, expected in expected_values(folder):
        if case not in cases:
            cases[case] = scorers.load_embeddings(folder / f"{case}.npz")
        value = scorer_of(name)(cases[case])
        if value != pytest.approx(
            expected, rel=1e-3 if name == "parc_full" else RELATIVE_TOLERANCE.get((case, name), 1e-5)
        ):
            out.append(f"{name} on {case}: {value} instead of {expected}")
    return out


def test_scores_agree_with_published_implementations() -> None:
    assert len(expected_values(GOLDEN)) > 90
    assert not deviations(GOLDEN)


def test_scores_agree_with_published_implementations_on_real_embeddings(shared: Path) -> None:
    assert len(expected_values(shared / "golden")) > 110
    assert not deviations(shared / "golden")


def test_real_clip_embeddings_are_scored(shared: Path) -> None:
    for split in ("train", "test"):
        result = scorers.score_embeddings(
            scorers.load_embeddings(shared / "embeddings" / f"food9_clip_b32_{split}.npz")
        )
        assert set(result["abstained"]) == {
            "ncti",  # relative to a pool
            *("static_rank", "n_parameters", "emms", "ped"),  # of a suite
            *("zero_shot_margin", "zero_shot_entropy", "etran"),  # these files have no logit scale
        }
        assert result["scores"]["zero_shot_accuracy"] > 0.8
        assert 0.8 < result["scores"]["knn"] <= 1
        assert result["scores"]["iimm"] == pytest.approx(sum(result["components"]["iimm"].values()) / 2)
