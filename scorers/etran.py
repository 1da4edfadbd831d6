"""ETran: the energy of the logits and the fit of linear discriminants, within a pool of models."""

from collections.abc import Sequence

import numpy as np

from scorers._contract import Components, need_two_classes, scorer
from scorers._embeddings import Abstain, Embeddings
from scorers._pool import unit_range
from scorers.sfda import discriminants, require_within_spread, softmax


def combine(pool: Sequence[Components]) -> list[float]:
    """`.15·minmax(energy) + .85·minmax(lda)` over the models of one task; a term that is equal for all counts 0."""
    energy, lda = (unit_range([model[term] for model in pool]) for term in ("energy", "lda"))
    return [float(value) for value in 0.15 * energy + 0.85 * lda]


@scorer(needs={"image", "labels", "energy"}, predicts={"accuracy": +1}, cite="gholami2023etran", pool=combine)
def etran(e: Embeddings, *, share: float = 1.0) -> dict[str, float]:
    """Response of the model's logits to the images, and separation of the classes by linear discriminants.

    Formula: `.15·minmax(energy) + .85·minmax(lda)` over a pool of models. energy: mean of the lowest `share` of the logsumexp over
    the zero-shot logits, or over those of a source classifier. lda: mean posterior of the own class under linear discriminants with
    the pooled within-class covariance, inverted where it has variance. Published code solves the discriminants' non-symmetric
    problem with a symmetric solver, which leaves the nearest class mean; and takes the energy of features, which is nearly `ln D`
    for every unit row.

    Values: in 0..1 over a pool; components energy, in nats, and lda, in 0..1.

    Options: share, in 0..1.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class, no more samples than classes, or classes without spread.

    Cost: `O(N·D·C + D³)`.

    Source: Gholami et al., ICCV 2023.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}; give a number above 0 and up to 1")
    need_two_classes(e)
    # the within-class scatter has rank at most N − C
    if e.n <= len(e.classes):
        raise Abstain(f"needs more samples than classes, found {e.n} and {len(e.classes)}")
    require_within_spread(e.statistics)
    # at least one sample, however small the share
    energies = np.sort(e.energy)[: max(1, round(share * e.n))]
    # no shrinkage: a true LDA, by pseudo-inverse
    weights, offsets = discriminants(e.statistics, 0.0)
    own = sum(float(softmax(x @ weights + offsets)[np.arange(len(y)), y].sum()) for x, y in e.blocks())
    return {"energy": float(energies.mean()), "lda": own / e.n}
