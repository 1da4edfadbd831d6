"""PED: class separability after the classes have pushed each other apart."""

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Embeddings
from scorers._statistics import Floats
from scorers.logme import logme
from scorers.sfda import sfda

STEPS = 6


def repulsion(means: Floats, radii: Floats, time: float, reach: float) -> Floats:
    """(C, D) shift of each class: away from every other class that it overlaps with, along the line of their means."""
    difference = means[:, None] - means  # (C, C, D)
    distance = np.sqrt((difference**2).sum(2))  # (C, C)
    force = np.maximum(reach * (radii[:, None] + radii) - distance, 0)  # (C, C)
    # ½·f·t², the path of a unit mass from rest, at most the overlap f
    length = np.minimum(0.5 * time**2 * force, force)
    with np.errstate(invalid="ignore", divide="ignore"):
        # no direction to a class with the same mean, itself included
        direction = np.where(distance[:, :, None] > 0, difference / distance[:, :, None], 0)
    return np.asarray((length[:, :, None] * direction).sum(1))


@scorer(needs={"image", "labels", "general"}, predicts={"accuracy": +1}, cite="li2023ped")
def ped(e: Embeddings, *, time: float = 0.1, reach: float = 0.6, exit_ratio: float = 0.5, then: str = "sfda") -> float:
    """SFDA, or LogME, of the features after up to six steps in which overlapping classes push each other apart.

    Formula: rows standardised by the mean and deviation (floor 1e-3) of the model's features over many tasks; class means μ, radii
    `R_c = √Σ_d var_cd`. For every two classes `f = max(.6·(R_a + R_b) − ‖μ_a − μ_b‖, 0)`, and each moves away from the other along the
    line of the means by `min(½·t²·f, f)`, t = .1; every sample moves with its class. The steps end after six, or when the summed
    movement has fallen to half that of the first. Then the standardisation is inverted and `sfda` applied.

    Values: those of `sfda`, in 0..1, or of `logme`.

    Options: time is t; reach is the factor .6; exit_ratio is the half; then, "sfda" or "logme".

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class, or classes without spread.

    Cost: `O(6·C²·D)`, a copy of the rows, and the cost of `sfda` or `logme`.

    Source: Li et al., ICCV 2023.
    """
    if then not in ("sfda", "logme"):
        raise ValueError(f"then is '{then}'; give 'sfda' or 'logme'")
    need_two_classes(e)
    s = e.statistics
    centre, scale = e.general[0].astype(np.float64), np.maximum(e.general[1].astype(np.float64), 1e-3)
    means = (s.means - centre) / scale
    variance = np.maximum(s.squares / s.counts[:, None] - s.means**2, 0) / scale**2  # (C, D), standardised
    radii, moved, first = np.sqrt(variance.sum(1)), np.zeros_like(means), 0.0
    for step in range(STEPS):
        shift = repulsion(means + moved, radii, time, reach)
        moved += shift
        length = float(np.linalg.norm(shift, axis=1).sum())
        # the first step is the reference, not a candidate for the exit; no movement at all ends the steps too
        first = first or length
        if (length <= exit_ratio * first and step) or not length:
            break
    # the centre cancels: a shift in standardised units is scale times as long in the rows
    separated = Embeddings(e.image + (moved * scale)[e.y], e.labels, block_rows=e.block_rows)
    return sfda(separated) if then == "sfda" else logme(separated)
