"""NCTI: how near the features are to neural collapse, within a pool of models."""

from collections.abc import Sequence

import numpy as np

from scorers._contract import Abstain, Components, need_two_classes, scorer
from scorers._embeddings import Embeddings, Floats, Statistics, eigen, statistics
from scorers._pool import unit_range
from scorers.sfda import discriminants, shrunk, softmax, spread_within

DIMENSIONS, TOP, ROUNDING = 64, 32, 1e-12


def combine(pool: Sequence[Components]) -> list[float]:
    """minmax(ncc) + minmax(seli) − minmax(vc) over the models of one task; a term that is equal for all counts 0."""
    ncc, seli, vc = (unit_range([model[term] for model in pool]) for term in ("ncc", "seli", "vc"))
    return [float(value) for value in ncc + seli - vc]


def _principal(e: Embeddings, randomised: bool) -> tuple[Floats, Floats]:
    """The rows (N, 64) in their leading principal axes, and the variances (64,) along them."""
    if randomised:
        from sklearn.decomposition import PCA

        fitted = PCA(DIMENSIONS, svd_solver="randomized", random_state=0).fit(
            np.concatenate([x for x, _ in e.blocks()])
        )
        axes, variances = fitted.components_.T, fitted.explained_variance_
    else:
        values, vectors = e.scatter_eigen
        axes, variances = vectors[:, ::-1][:, :DIMENSIONS], values[::-1][:DIMENSIONS] / (e.n - 1)
        seen = values[::-1][:DIMENSIONS] > values[-1] * ROUNDING
        axes = np.where(seen, axes, 0)  # no discriminants of rounding errors
    return np.concatenate([(x - e.statistics.mean) @ axes for x, _ in e.blocks()]), variances


def _shrunk_axes(s: Statistics, shrink: float) -> Floats:
    """(D, C−1) discriminant axes in which the shrunk within-class covariance is the identity.

    As published, the total covariance is shrunk too, each towards its own mean variance, and what lies between the classes is the
    difference of the two.
    """
    from scipy.linalg import eigh

    within, total = shrunk(s.within / s.n, shrink), shrunk(s.scatter / s.n, shrink)
    _, vectors = eigh(total - within, within)
    return np.asarray(vectors[:, ::-1][:, : len(s.counts) - 1])


def _plain_axes(s: Statistics, weights: Floats) -> Floats:
    """The same without shrinkage, from the discriminants' weights W⁻¹μ (D, C): M'W⁻¹M is the Gram matrix of the centred means M."""
    share = np.sqrt(s.counts / s.n)
    centred = (weights - (weights @ s.counts / s.n)[:, None]) * share
    values, vectors = eigen(((s.means - s.mean) * share[:, None]) @ centred)
    seen = values > values.max() * ROUNDING
    return np.asarray(centred @ (vectors[:, seen] / np.sqrt(values[seen])))


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="wang2023ncti", pool=combine)
def ncti(e: Embeddings, *, pca: str = "published") -> dict[str, float]:
    """Nearness to neural collapse: class-mean accuracy and feature spread, less the spread of posteriors within classes.

    PCA to 64 dimensions; s = max(exp(−Σ of the top 32 variances), 1e-10); linear discriminants under the within-class covariance
    over N, shrunk by s unless s = 1e-10. seli: nuclear norm of the centred discriminant features; ncc: mean posterior of the own class; vc: ln Σ_c of the
    nuclear norm of class c's posteriors. Relative to a pool of models: over it, minmax(ncc) + minmax(seli) − minmax(vc).
    Needs N ≥ 64 and D ≥ 64.

    pca="published" does as scikit-learn's PCA(64, random_state=0) does by itself: a randomised solver where max(N, D) > 500 and
    N < 10·D, which moves the terms by up to a thousandth, and the exact one elsewhere; "exact" is exact everywhere.
    Abstains on one class, or classes without spread.

    Source: Wang et al., ICCV 2023.
    """
    need_two_classes(e)
    if min(e.n, e.d) < DIMENSIONS:
        raise Abstain(f"needs at least {DIMENSIONS} samples and dimensions, found {e.n} and {e.d}")
    if e.n <= len(e.classes):
        raise Abstain(f"needs more samples than classes, found {e.n} and {len(e.classes)}")
    if pca not in ("published", "exact"):
        raise ValueError(f"pca is '{pca}'; give 'published' or 'exact'")
    low, variances = _principal(e, randomised=pca == "published" and max(e.n, e.d) > 500 and e.n < 10 * e.d)
    shrink = max(float(np.exp(-variances[:TOP].sum())), 1e-10)
    sums = statistics([(low, e.y)], len(e.classes))
    spread_within(sums)
    weights, offsets = discriminants(sums, shrink if shrink > 1e-10 else 0.0)
    posterior = softmax(low @ weights + offsets)
    features = low @ (_shrunk_axes(sums, shrink) if shrink > 1e-10 else _plain_axes(sums, weights))
    features = features - features.mean(0)
    nuclear = [float(np.linalg.norm(posterior[e.y == c], "nuc")) for c in range(len(e.classes))]
    return {
        "seli": float(np.linalg.norm(features, "nuc")),
        "ncc": float(posterior[np.arange(e.n), e.y].mean()),
        "vc": float(np.log(sum(nuclear))),
    }
