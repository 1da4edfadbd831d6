"""Transferability scores: one file per score, usable alone.

from scorers import Embeddings, logme
logme(Embeddings(image, labels))
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from scorers._check import check_scorer
from scorers._contract import (
    COSTS,
    NEEDS,
    Abstain,
    Registry,
    ScorerSpec,
    bibtex,
    discover,
    number,
    publish,
    reason,
    references,
    registry,
    scorer,
)
from scorers._embeddings import Embeddings, EmbeddingsError, Statistics, statistics
from scorers._files import load_embeddings
from scorers._run import Result, score_embeddings

__all__ = [
    "COSTS",
    "NEEDS",
    "Abstain",
    "Embeddings",
    "EmbeddingsError",
    "Registry",
    "Result",
    "ScorerSpec",
    "Statistics",
    "bibtex",
    "check_scorer",
    "discover",
    "load_embeddings",
    "number",
    "reason",
    "references",
    "registry",
    "score_embeddings",
    "scorer",
    "statistics",
]


def __getattr__(name: str) -> Any:
    """A score by its name while the files of this folder are still being read, one of which may want another's."""
    if name.startswith("_") or not (Path(__file__).parent / f"{name}.py").exists():
        raise AttributeError(f"module 'scorers' has no attribute '{name}'")
    import_module(f"scorers.{name}")
    publish("scorers")
    return globals()[name]


# Every score by its name, also where its file is called the same: `from scorers import logme` is the function.
globals().update(registry().scorers)
__all__ += list(registry().scorers)
