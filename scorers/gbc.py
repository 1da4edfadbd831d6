"""The Gaussian Bhattacharyya coefficient: how much the classes, taken for Gaussians, overlap."""

import math

import numpy as np

from scorers._contract import Abstain, need_two_classes, scorer
from scorers._embeddings import Embeddings, Floats

FLOOR = 1e-4


def _moments(e: Embeddings) -> tuple[Floats, Floats]:
    """Class means and variances (ddof 0, floored), each (C, D)."""
    s = e.statistics
    need_two_classes(e)
    if s.counts.min() < 2:
        raise Abstain(f"class {int(e.classes[s.counts.argmin()])} has a single sample, hence no variance")
    return s.means, np.maximum(s.squares / s.counts[:, None] - s.means**2, 0.0)


def _log_overlap(means: Floats, variances: Floats, copies: float = 1.0) -> float:
    """ln Σ_{c≠c'} exp(−B), B the Bhattacharyya distance; `copies` is how often each log term counts."""
    logs = np.log(variances)
    rows = []
    for c in range(len(means)):
        middle = (variances[c] + variances) / 2
        distance = ((means[c] - means) ** 2 / middle).sum(1) / 8 + copies * 0.5 * (
            np.log(middle) - (logs[c] + logs) / 2
        ).sum(1)
        distance[c] = np.inf
        rows.append(-distance)
    everything = np.concatenate(rows)
    highest = float(everything.max())
    return highest + math.log(float(np.exp(everything - highest).sum()))


def _diagonal(e: Embeddings) -> float:
    means, variances = _moments(e)
    return _log_overlap(means, np.maximum(variances, FLOOR))


def _spherical(e: Embeddings, log_term: str = "correct") -> float:
    means, variances = _moments(e)
    one = np.maximum(variances, FLOOR).mean(1, keepdims=True)
    return _log_overlap(means, one, copies=e.d if log_term == "correct" else 1.0)


@scorer(
    needs={"image", "labels"},
    predicts={"accuracy": +1},
    cite="pandy2022gbc",
    components=lambda e: {"log_overlap": _diagonal(e)},
    cost="sums",
)
def gbc_diagonal(e: Embeddings) -> float:
    """Negative summed overlap of class Gaussians with diagonal covariance.

    −Σ_{c≠c'} exp(−B), B = ⅛Σ_d(Δμ_d)²/σ̄_d + ½Σ_d(ln σ̄_d − ½ln σ_c,d − ½ln σ_c',d), σ̄ the mean of the two variances (ddof 0,
    floor 1e-4), over ordered pairs; no PCA. At most 0. In many dimensions it underflows to ties: component `log_overlap`,
    ln of the sum, does not. O(C²·D).
    Abstains on one class, or a class of one sample.

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

    As `gbc_diagonal` with σ_c the mean over the dimensions of class c's floored variances, so that the log term counts D times;
    log_term="published" counts it once, as the published code does.
    Abstains on one class, or a class of one sample.

    Source: Pándy et al., CVPR 2022.
    """
    if log_term not in ("correct", "published"):
        raise ValueError(f"log_term is '{log_term}'; give 'correct' or 'published'")
    return -math.exp(_spherical(e, log_term))
