"""The Gaussian Bhattacharyya coefficient: the overlap of the classes, modelled as Gaussians."""

import math

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Abstain, Embeddings
from scorers._statistics import Floats

FLOOR = 1e-4  # of a variance


def _moments(e: Embeddings) -> tuple[Floats, Floats]:
    """Class means and variances (ddof 0), each (C, D)."""
    s = e.statistics
    need_two_classes(e)
    if s.counts.min() < 2:
        raise Abstain(f"class {int(e.classes[s.counts.argmin()])} has a single sample, hence no variance")
    # E[x²] − μ², which rounding can make negative
    return s.means, np.maximum(s.squares / s.counts[:, None] - s.means**2, 0.0)


def _log_overlap(means: Floats, variances: Floats, copies: float = 1.0) -> float:
    """`ln Σ_{c≠c'} exp(−B)`, B the Bhattacharyya distance. copies: factor of the log term."""
    logs = np.log(variances)  # (C, D)
    rows = []
    # B is the same for (c, c') and (c', c), so each pair is formed once; c' = c is a term of 0
    for c in range(len(means) - 1):
        middle = (variances[c] + variances[c + 1 :]) / 2  # σ̄ (C − c − 1, D)
        # B = ⅛ Σ_d (Δμ_d)²/σ̄_d + ½ Σ_d (ln σ̄_d − ½ ln σ_cd − ½ ln σ_c'd)
        distance = ((means[c] - means[c + 1 :]) ** 2 / middle).sum(1) / 8
        log_term = np.log(middle).sum(1) - (logs[c].sum() + logs[c + 1 :].sum(1)) / 2
        rows.append(-distance - copies * 0.5 * log_term)
    exponents = np.concatenate(rows)
    # log-sum-exp: in many dimensions every term underflows; the factor 2 makes pairs ordered
    highest = float(exponents.max())
    return highest + math.log(2 * float(np.exp(exponents - highest).sum()))


def _diagonal(e: Embeddings) -> float:
    def compute() -> float:
        means, variances = _moments(e)
        return _log_overlap(means, np.maximum(variances, FLOOR))

    # once for the score and its component
    return e.remember("gbc/diagonal", compute)


def _spherical(e: Embeddings, log_term: str = "correct") -> float:
    means, variances = _moments(e)
    mean_variance = np.maximum(variances, FLOOR).mean(1, keepdims=True)  # (C, 1)
    # one column stands for D equal ones, so that the log term counts D times
    return _log_overlap(means, mean_variance, copies=e.d if log_term == "correct" else 1.0)


@scorer(
    needs={"image", "labels"},
    predicts={"accuracy": +1},
    cite="pandy2022gbc",
    components=lambda e: {"log_overlap": _diagonal(e)},
    cost="sums",
)
def gbc_diagonal(e: Embeddings) -> float:
    """Negative summed overlap of class Gaussians with diagonal covariance.

    Formula: `−Σ_{c≠c'} exp(−B)` over ordered pairs of classes, with
    `B = ⅛·Σ_d (Δμ_d)²/σ̄_d + ½·Σ_d (ln σ̄_d − ½·ln σ_cd − ½·ln σ_c'd)`, σ the class variances (ddof 0, floor 1e-4) and σ̄ the mean of
    the two; no PCA.

    Values: at most 0; 0 where no classes overlap. In many dimensions it underflows to ties, which component `log_overlap`, the
    logarithm of the sum, does not.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class, or a class of one sample.

    Cost: `O(C²·D)` after the shared pass.

    Source: Pándy et al., CVPR 2022.
    """
    return -math.exp(_diagonal(e))


@scorer(
    needs={"image", "labels"},
    predicts={"accuracy": +1},
    cite="pandy2022gbc",
    components=lambda e: {"log_overlap": _spherical(e)},
    cost="sums",
)
def gbc_spherical(e: Embeddings, *, log_term: str = "correct") -> float:
    """Negative summed overlap of class Gaussians with one variance each.

    Formula: as `gbc_diagonal`, with σ_c the mean over the dimensions of the floored variances of class c, so that the log term
    counts D times.

    Values: at most 0; 0 where no classes overlap. Component `log_overlap` is the logarithm of the sum.

    Options: log_term, "correct", or "published" to count it once, as published code does.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class, or a class of one sample.

    Cost: `O(C²·D)` after the shared pass.

    Source: Pándy et al., CVPR 2022.
    """
    if log_term not in ("correct", "published"):
        raise ValueError(f"log_term is '{log_term}'; give 'correct' or 'published'")
    return -math.exp(_spherical(e, log_term))
