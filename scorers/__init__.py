"""Transferability scores: one file per score, usable alone.

from scorers import Embeddings, logme
logme(Embeddings(image, labels))
"""

from scorers._check import check_scorer
from scorers._contract import COSTS, NEEDS, Abstain, Registry, ScorerSpec, bibtex, discover, registry, scorer
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
    "registry",
    "score_embeddings",
    "scorer",
    "statistics",
]

# Every score by its name, also where its file is called the same: `from scorers import logme` is the function.
globals().update(registry().scorers)
__all__ += list(registry().scorers)
