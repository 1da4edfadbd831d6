"""The inter-intra modal measure and its two terms."""

import numpy as np

from scorers._contract import scorer
from scorers._embeddings import Abstain, Embeddings

PREDICTS = {"gain": +1, "forgetting": +1}
CITE = "niss2025iimm"


def _inter(e: Embeddings) -> float:
    """`(⟨Σ_i x_i, Σ_c t_c⟩ − Σ_i ⟨x_i, t_{y_i}⟩) / (N·(C−1))`."""
    if len(e.text) < 2:
        raise Abstain("needs at least 2 classes, found 1")
    s, text = e.statistics, e.text.astype(np.float64)
    own = float((s.sums * text[e.classes]).sum())  # Σ_i ⟨x_i, t_{y_i}⟩
    # C is the number of texts: one of a class without samples is a wrong text for every sample
    return (float(s.sums.sum(0) @ text.sum(0)) - own) / (e.n * (len(text) - 1))


def _intra(e: Embeddings) -> float:
    """`(‖Σ_i x_i‖² − Σ_i ‖x_i‖²) / (N·(N−1))`."""
    if e.n < 2:
        raise Abstain("needs at least 2 samples, found 1")
    s = e.statistics
    total = s.sums.sum(0)
    # tr(X'X) = Σ_i ‖x_i‖²
    return (float(total @ total) - float(np.trace(s.gram))) / (e.n * (e.n - 1))


def _terms(e: Embeddings) -> dict[str, float]:
    return {"inter_modal": _inter(e), "intra_image": _intra(e)}


@scorer(needs={"image", "text", "labels"}, predicts=PREDICTS, cite=CITE, components=_terms, cost="sums")
def iimm(e: Embeddings) -> float:
    """Half the mean wrong-text similarity plus half the mean image-image similarity.

    Formula: `½·(inter + intra)`, inter the mean over samples i and classes `c ≠ y_i` of `⟨x_i, t_c⟩`, intra the mean over pairs
    `i < j` of `⟨x_i, x_j⟩`. Both are components.

    Values: in −1..1 on unit rows.

    Orientation: a higher score predicts more gain and more forgetting.

    Abstains: on one class text, or one sample.

    Cost: `O(N·D + C·D)` from the shared sums, where published code forms all N² pairs.

    Source: Niss, Vogt-Lowell, Tsiligkaridis, ICCV 2025.
    """
    return (_inter(e) + _intra(e)) / 2


@scorer(needs={"image", "text", "labels"}, predicts=PREDICTS, cite=CITE, cost="sums")
def iimm_inter(e: Embeddings) -> float:
    """Mean similarity of an image to the texts of the other classes.

    Formula: the mean over samples i and classes `c ≠ y_i` of `⟨x_i, t_c⟩`; the first term of `iimm`.

    Values: in −1..1 on unit rows.

    Orientation: a higher score predicts more gain and more forgetting.

    Abstains: on one class text.

    Cost: `O(C·D)` after the shared pass.

    Source: Niss, Vogt-Lowell, Tsiligkaridis, ICCV 2025.
    """
    return _inter(e)


@scorer(needs={"image", "labels"}, predicts=PREDICTS, cite=CITE, cost="sums")
def iimm_intra(e: Embeddings) -> float:
    """Mean similarity of two images, of any classes.

    Formula: the mean over pairs `i < j` of `⟨x_i, x_j⟩`; the second term of `iimm`. Published code swaps the names of the two terms.

    Values: in −1..1 on unit rows.

    Orientation: a higher score predicts more gain and more forgetting.

    Abstains: on one sample.

    Cost: `O(D)` after the shared pass.

    Source: Niss, Vogt-Lowell, Tsiligkaridis, ICCV 2025.
    """
    return _intra(e)
