"""NCTI: closeness of the features to neural collapse, within a pool of models."""

from collections.abc import Sequence

import numpy as np

from scorers._contract import Components, need_two_classes, scorer
from scorers._embeddings import Abstain, Embeddings
from scorers._pool import unit_range
from scorers._statistics import Floats, Statistics, eigen, statistics
from scorers.sfda import discriminants, require_within_spread, shrunk, softmax

DIMENSIONS, TOP, ROUNDING = 64, 32, 1e-12


def combine(pool: Sequence[Components]) -> list[float]:
    """`minmax(ncc) + minmax(seli) − minmax(vc)` over the models of one task; a term that is equal for all counts 0."""
    ncc, seli, vc = (unit_range([model[term] for model in pool]) for term in ("ncc", "seli", "vc"))
    return [float(value) for value in ncc + seli - vc]


def _principal(e: Embeddings, randomised: bool) -> tuple[Floats, Floats]:
    """The rows (N, 64) in their leading principal axes, and the variances (64,) along them."""
    if randomised:
        from sklearn.decomposition import PCA

        pca = PCA(DIMENSIONS, svd_solver="randomized", random_state=0).fit(np.concatenate([x for x, _ in e.blocks()]))
        axes, variances = pca.components_.T, pca.explained_variance_
    else:
        values, vectors = e.scatter_eigen
        # eigenvalues ascend; variances over N−1, as scikit-learn gives them
        axes, variances = vectors[:, ::-1][:, :DIMENSIONS], values[::-1][:DIMENSIONS] / (e.n - 1)
        nonzero = values[::-1][:DIMENSIONS] > values[-1] * ROUNDING
        axes = np.where(nonzero, axes, 0)  # no discriminants of rounding errors
    return np.concatenate([(x - e.statistics.mean) @ axes for x, _ in e.blocks()]), variances


def _shrunk_axes(s: Statistics, shrink: float) -> Floats:
    """(D, C−1) discriminant axes in which the shrunk within-class covariance is the identity.

    As in published code, the total covariance is shrunk too, each towards its own mean variance, and the between-class covariance is
    the difference of the two.
    """
    from scipy.linalg import eigh

    within, total = shrunk(s.within / s.n, shrink), shrunk(s.scatter / s.n, shrink)
    # eigenvectors with v'Wv = 1, eigenvalues ascending; C−1 is the rank of the between-class covariance unshrunk
    _, vectors = eigh(total - within, within)
    return np.asarray(vectors[:, ::-1][:, : len(s.counts) - 1])


def _plain_axes(s: Statistics, weights: Floats) -> Floats:
    """The discriminant axes without shrinkage, from the discriminants' weights `W⁻¹μ` (D, C).

    `M'W⁻¹M` is the Gram matrix of the centred means M, weighted by the square roots of the class shares.
    """
    share = np.sqrt(s.counts / s.n)
    centred = (weights - (weights @ s.counts / s.n)[:, None]) * share  # (D, C): W⁻¹M
    values, vectors = eigen(((s.means - s.mean) * share[:, None]) @ centred)
    # centred means have rank at most C−1
    nonzero = values > values.max() * ROUNDING
    # A = W⁻¹M·v/√λ, for which A'WA = I
    return np.asarray(centred @ (vectors[:, nonzero] / np.sqrt(values[nonzero])))


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="wang2023ncti", pool=combine)
def ncti(e: Embeddings, *, pca: str = "published") -> dict[str, float]:
    """Closeness to neural collapse: accuracy of class means and spread of features, minus spread of posteriors within classes.

    Formula: `minmax(ncc) + minmax(seli) − minmax(vc)` over a pool of models. After PCA to 64 dimensions, linear discriminants under
    the within-class covariance over N, shrunk by `s = max(exp(−Σ of the top 32 variances), 1e-10)` unless s = 1e-10. seli: nuclear
    norm of the centred discriminant features. ncc: mean posterior of the own class. vc: `ln Σ_c` of the nuclear norm of the
    posteriors of class c.

    Values: in −1..2 over a pool; components seli, ncc (in 0..1) and vc.

    Options: pca, "published" for the solver that scikit-learn's `PCA(64, random_state=0)` selects, a randomised one where
    `max(N, D) > 500` and `N < 10·D`, which moves the terms by up to a thousandth; or "exact".

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class, fewer than 64 samples or dimensions, no more samples than classes, or classes without spread.

    Cost: `O(N·D·64 + D³)`.

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
    s = statistics([(low, e.y)], len(e.classes))
    require_within_spread(s)
    weights, offsets = discriminants(s, shrink if shrink > 1e-10 else 0.0)
    posterior = softmax(low @ weights + offsets)  # (N, C)
    features = low @ (_shrunk_axes(s, shrink) if shrink > 1e-10 else _plain_axes(s, weights))
    features = features - features.mean(0)
    # sums of the singular values of the posteriors (n_c, C) of each class
    nuclear = [float(np.linalg.norm(posterior[e.y == c], "nuc")) for c in range(len(e.classes))]
    return {
        "seli": float(np.linalg.norm(features, "nuc")),
        "ncc": float(posterior[np.arange(e.n), e.y].mean()),
        "vc": float(np.log(sum(nuclear))),
    }
