"""The contract's checks: every scorer here passes them, and each notices what it is there for."""

import time

import numpy as np
import pytest

import scorers
from scorers import Embeddings, check_scorer, scorer
from scorers._check import CHECKS


@pytest.mark.parametrize("name", sorted(scorers.registry().scorers))
def test_every_scorer_keeps_the_contract(name: str) -> None:
    outcomes = list(check_scorer(scorers.registry().scorers[name]))
    assert [o.name for o in outcomes] == list(CHECKS)
    assert [f"{o.name}: {o.found}; {o.mend}" for o in outcomes if o.found and o.name != "time"] == []


def good(e: Embeddings) -> float:
    """Mean of the class means' norms. A baseline."""
    return float(np.linalg.norm(e.statistics.means, axis=1).mean())


def broken(what: str) -> object:
    """A scorer with one fault."""
    settings = {"needs": {"image", "labels"}, "predicts": {"accuracy": 1}, "cite": "me"}

    def f(e: Embeddings) -> object:
        """Say what."""
        x = np.asarray(e.image, np.float64)
        if what == "mutation":
            e.image.base[0] = 0
        faults = {
            "number": lambda: float("nan"),
            "repeatable": lambda: time.perf_counter(),
            "random state": lambda: np.random.rand() * 0 + good(e),
            "order": lambda: x[0, 0],
            "renaming": lambda: float(e.labels @ x[:, 0]),
            "float32": lambda: float(e.image.dtype.itemsize),
            "blocks": lambda: sum(float(block.max()) for block, _ in e.blocks()),
            "needs": lambda: float(e.text.sum()),
            "one class": lambda: good(e) / (len(e.classes) - 1),
            "singleton class": lambda: (
                1 / float(e.statistics.counts.min() - 1) if e.statistics.counts.min() > 1 else []
            ),
            "N < D": lambda: float(np.linalg.cholesky(np.cov(x[:, :40], rowvar=False)).sum()),
            "big-endian": lambda: float(x.shape[0]) if e.image.dtype.isnative else 0.0,
        }
        return faults.get(what, lambda: good(e))()

    if what == "docstring":
        f.__doc__ = None
    if what == "citation":
        settings["cite"] = ""
    if what == "orientation":
        settings["predicts"] = {}
    if what == "keywords":

        def g(e: Embeddings, k: int = 3) -> float:
            """Say what."""
            return good(e) + k

        return scorer(**settings)(g)
    return scorer(**settings)(f)


@pytest.mark.parametrize(
    "what",
    ["docstring", "citation", "orientation", "keywords", "number", "needs", "mutation", "repeatable", "random state", "order",
     "renaming", "float32", "big-endian", "blocks", "one class", "singleton class", "N < D"],
)  # fmt: skip
def test_each_check_notices_its_fault(what: str) -> None:
    outcomes = {o.name: o for o in check_scorer(broken(what))}
    assert outcomes[what].found, what
    assert "\n" not in outcomes[what].found


def test_a_sound_scorer_passes_and_an_undeclared_one_is_told_so() -> None:
    sound = scorer(needs={"image", "labels"}, predicts={"accuracy": 1})(good)
    assert [o.found for o in check_scorer(sound) if o.found] == []
    (only,) = check_scorer(good)
    assert only.found == "it carries no declaration"
    assert "@scorer" in only.mend
