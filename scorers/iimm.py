"""The inter-intra modal measure and its two terms."""

import numpy as np

from scorers._contract import Abstain, scorer
from scorers._embeddings import Embeddings

NEEDS = {"image", "text", "labels"}
PREDICTS = {"gain": +1, "forgetting": +1}
CITE = "niss2025iimm"


def _inter(e: Embeddings) -> float:
    assert e.text is not None
    if len(e.text) < 2:
        raise Abstain("needs at least 2 classes, found 1")
    s, text = e.statistics, e.text.astype(np.float64)
    own = float((s.sums * text[e.classes]).sum())
    return (float(s.sums.sum(0) @ text.sum(0)) - own) / (e.n * (len(text) - 1))


def _intra(e: Embeddings) -> float:
    if e.n < 2:
        raise Abstain("needs at least 2 samples, found 1")
    s = e.statistics
    total = s.sums.sum(0)
    return (float(total @ total) - float(np.trace(s.gram))) / (e.n * (e.n - 1))


def _terms(e: Embeddings) -> dict[str, float]:
    return {"inter_modal": _inter(e), "intra_image": _intra(e)}


@scorer(needs=NEEDS, predicts=PREDICTS, cite=CITE, components=_terms, cost="sums")
def iimm(e: Embeddings) -> float:
    """Half the mean wrong-text similarity plus half the mean image-image similarity.

    ½·(inter + intra), with inter the mean over samples i and classes c ≠ y_i of ⟨x_i, t_c⟩ and intra the mean over pairs
    i < j of ⟨x_i, x_j⟩. Rows are meant to be unit; then it lies in [-1, 1], and higher means more gain and more forgetting.
    Read from sums: O(N·D + C·D), where published code forms all N² pairs.
    Abstains on one class text, or one sample.

    Source: Niss, Vogt-Lowell, Tsiligkaridis, ICCV 2025.
    """
    return (_inter(e) + _intra(e)) / 2


@scorer(needs=NEEDS, predicts=PREDICTS, cite=CITE, cost="sums")
def iimm_inter(e: Embeddings) -> float:
    """Mean similarity of an image to the texts of the classes that are not its own.

    The first term of `iimm` alone.
    Abstains on one class text.
    """
    return _inter(e)


@scorer(needs={"image", "labels"}, predicts=PREDICTS, cite=CITE, cost="sums")
def iimm_intra(e: Embeddings) -> float:
    """Mean similarity of two images, whatever their classes.

    The second term of `iimm` alone; published code calls the two by each other's names.
    Abstains on one sample.
    """
    return _intra(e)
