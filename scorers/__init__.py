"""Transferability scores: one file per score, usable alone.

from scorers import Embeddings, logme
logme(Embeddings(image, labels))

A file dropped into this folder joins `registry()`; import its function from its own module.
"""

from scorers._check import check_scorer
from scorers._contract import COSTS, AnyScorer, Scorer, ScorerSpec, is_scorer, number, raised, reason, scorer
from scorers._embeddings import NEEDS, Abstain, Embeddings
from scorers._files import load_embeddings
from scorers._references import bibtex, references
from scorers._registry import Registry, discover, registry
from scorers._run import Result, score_embeddings
from scorers._statistics import EmbeddingsError, Statistics
from scorers._statistics import statistics as statistics
from scorers.cka_text import cka_text
from scorers.concept_variance import concept_variance
from scorers.emms import emms
from scorers.etran import etran
from scorers.gbc import gbc_diagonal, gbc_spherical
from scorers.h_score import h_score, h_score_shrunk
from scorers.iimm import iimm, iimm_inter, iimm_intra
from scorers.int import int_
from scorers.knn import knn
from scorers.leep import leep
from scorers.lfc import lfc
from scorers.linear_probe import linear_probe
from scorers.logme import logme
from scorers.modality_gap import modality_gap
from scorers.n_parameters import n_parameters
from scorers.ncc import ncc
from scorers.nce import nce
from scorers.ncti import ncti
from scorers.nleep import nleep
from scorers.pactran import pactran_dirichlet, pactran_gamma, pactran_gaussian
from scorers.parc import parc
from scorers.ped import ped
from scorers.random import random as random
from scorers.sfda import sfda
from scorers.silhouette import silhouette
from scorers.sizes import embedding_dim, n_classes, n_samples
from scorers.static_rank import static_rank
from scorers.text_alignment import text_alignment
from scorers.text_uniformity import text_uniformity
from scorers.transrate import transrate
from scorers.zero_shot_accuracy import headroom, zero_shot_accuracy
from scorers.zero_shot_entropy import zero_shot_entropy
from scorers.zero_shot_margin import zero_shot_margin

# The function in place of the module of the same name. `int`, `random` and `statistics` are not in `__all__`, so that a star import
# does not shadow the built-in and the standard modules.
int = int_

__all__ = [
    "COSTS",
    "NEEDS",
    "Abstain",
    "AnyScorer",
    "Embeddings",
    "EmbeddingsError",
    "Registry",
    "Result",
    "Scorer",
    "ScorerSpec",
    "Statistics",
    "bibtex",
    "check_scorer",
    "cka_text",
    "concept_variance",
    "discover",
    "embedding_dim",
    "emms",
    "etran",
    "gbc_diagonal",
    "gbc_spherical",
    "h_score",
    "h_score_shrunk",
    "headroom",
    "iimm",
    "iimm_inter",
    "iimm_intra",
    "int_",
    "is_scorer",
    "knn",
    "leep",
    "lfc",
    "linear_probe",
    "load_embeddings",
    "logme",
    "modality_gap",
    "n_classes",
    "n_parameters",
    "n_samples",
    "ncc",
    "nce",
    "ncti",
    "nleep",
    "number",
    "pactran_dirichlet",
    "pactran_gamma",
    "pactran_gaussian",
    "parc",
    "ped",
    "raised",
    "reason",
    "references",
    "registry",
    "score_embeddings",
    "scorer",
    "sfda",
    "silhouette",
    "static_rank",
    "text_alignment",
    "text_uniformity",
    "transrate",
    "zero_shot_accuracy",
    "zero_shot_entropy",
    "zero_shot_margin",
]
