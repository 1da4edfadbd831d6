"""The contract checks: every scorer passes them, and each check detects its fault."""

import time

import numpy as np
import pytest

import scorers
from scorers import AnyScorer, Embeddings, check_scorer, scorer
from scorers._check import CHECKS


@pytest.mark.parametrize("name", sorted(scorers.registry().scorers))
def test_every_scorer_passes_the_contract(name: str) -> None:
    outcomes = list(check_scorer(scorers.registry().scorers[name]))
    assert [o.name for o in outcomes] == list(CHECKS)
    assert [f"{o.name}: {o.failure}; {o.remedy}" for o in outcomes if o.failure and o.name != "time"] == []


def mean_norm(e: Embeddings) -> float:
    """Mean of the norms of the class means."""
    return float(np.linalg.norm(e.statistics.means, axis=1).mean())


def faulty_scorer(fault: str) -> AnyScorer:
    """A scorer with one fault."""
    declaration = {"needs": {"image", "labels"}, "predicts": {"accuracy": 1}, "cite": "me"}

    def f(e: Embeddings) -> object:
        """A score."""
        x = np.asarray(e.image, np.float64)
        if fault == "mutation":
            e.image.base[0] = 0
        if fault == "statistics":
            e.statistics.sums.flags.writeable = True
            e.statistics.sums[0] = 0
        faults = {
            "number": lambda: float("nan"),
            "repeatable": lambda: time.perf_counter(),
            "random state": lambda: np.random.rand() * 0 + mean_norm(e),
            "order": lambda: x[0, 0],
            "renaming": lambda: float(e.labels @ x[:, 0]),
            "float32": lambda: float(e.image.dtype.itemsize),
            "blocks": lambda: sum(float(block.max()) for block, _ in e.blocks()),
            "needs": lambda: float(e.text.sum()),
            "one class": lambda: mean_norm(e) / (len(e.classes) - 1),
            "singleton class": lambda: (
                1 / float(e.statistics.counts.min() - 1) if e.statistics.counts.min() > 1 else []
            ),
            "N < D": lambda: float(np.linalg.cholesky(np.cov(x[:, :40], rowvar=False)).sum()),
            "big-endian": lambda: float(x.shape[0]) if e.image.dtype.isnative else 0.0,
        }
        return faults.get(fault, lambda: mean_norm(e))()

    if fault == "docstring":
        f.__doc__ = None
    if fault == "citation":
        declaration["cite"] = ""
    if fault == "orientation":
        declaration["predicts"] = {}
    if fault == "keywords":

        def g(e: Embeddings, k: int = 3) -> float:
            """A score."""
            return mean_norm(e) + k

        return scorer(**declaration)(g)
    return scorer(**declaration)(f)


@pytest.mark.parametrize(
    "fault",
    ["docstring", "citation", "orientation", "keywords", "number", "needs", "mutation", "repeatable", "random state", "order",
     "renaming", "float32", "big-endian", "blocks", "one class", "singleton class", "N < D"],
)  # fmt: skip
def test_each_check_detects_its_fault(fault: str) -> None:
    outcomes = {o.name: o for o in check_scorer(faulty_scorer(fault))}
    assert outcomes[fault].failure, fault
    assert "\n" not in outcomes[fault].failure


def test_a_change_of_shared_statistics_is_a_mutation() -> None:
    outcomes = {o.name: o for o in check_scorer(faulty_scorer("statistics"))}
    assert outcomes["mutation"].failure == "statistics has changed"


def test_a_correct_scorer_passes_and_an_undeclared_function_fails() -> None:
    correct = scorer(needs={"image", "labels"}, predicts={"accuracy": 1}, baseline=True)(mean_norm)
    assert [o.failure for o in check_scorer(correct) if o.failure] == []
    (outcome,) = check_scorer(mean_norm)
    assert outcome.failure == "it has no declaration"
    assert "@scorer" in outcome.remedy
