"""NCTI: how near the features are to neural collapse, within a pool of models."""

import warnings
from collections.abc import Sequence

import numpy as np

from scorers._contract import Abstain, Components, scorer
from scorers._embeddings import Embeddings, Floats
from scorers._pool import unit_range

DIMENSIONS, TOP = 64, 32


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
    return np.concatenate([(x - e.statistics.mean) @ axes for x, _ in e.blocks()]), variances


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="wang2023ncti", pool=combine)
def ncti(e: Embeddings, *, pca: str = "published") -> dict[str, float]:
    """Nearness to neural collapse: class-mean accuracy and feature spread, less the spread of posteriors within classes.

    PCA to 64 dimensions; s = max(exp(−Σ of the top 32 variances), 1e-10); linear discriminants (svd if s = 1e-10, else eigen with
    shrinkage s). seli: nuclear norm of the centred discriminant features; ncc: mean posterior of the own class; vc: ln Σ_c of the
    nuclear norm of class c's posteriors. Relative to a pool of models: over it, minmax(ncc) + minmax(seli) − minmax(vc).
    Needs N ≥ 64 and D ≥ 64.

    pca="published" does as scikit-learn's PCA(64, random_state=0) does by itself: a randomised solver where max(N, D) > 500 and
    N < 10·D, which moves the terms by up to a thousandth, and the exact one elsewhere; "exact" is exact everywhere.

    Source: Wang et al., ICCV 2023.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    if len(e.classes) < 2:
        raise Abstain("needs at least 2 classes, found 1")
    if min(e.n, e.d) < DIMENSIONS:
        raise Abstain(f"needs at least {DIMENSIONS} samples and dimensions, found {e.n} and {e.d}")
    if e.n <= len(e.classes):
        raise Abstain(f"needs more samples than classes, found {e.n} and {len(e.classes)}")
    if pca not in ("published", "exact"):
        raise ValueError(f"pca is '{pca}'; give 'published' or 'exact'")
    low, variances = _principal(e, randomised=pca == "published" and max(e.n, e.d) > 500 and e.n < 10 * e.d)
    shrink = max(float(np.exp(-variances[:TOP].sum())), 1e-10)
    lda = (
        LinearDiscriminantAnalysis(solver="svd")
        if shrink == 1e-10
        else LinearDiscriminantAnalysis(solver="eigen", shrinkage=shrink)
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a class of one sample, which has no variance to estimate
            lda.fit(low, e.y)
    except np.linalg.LinAlgError:
        raise Abstain("the samples of each class are all alike, hence no spread within classes") from None
    features, posterior = lda.transform(low), lda.predict_proba(low)
    features = features - features.mean(0)
    nuclear = [float(np.linalg.norm(posterior[e.y == c], "nuc")) for c in range(len(e.classes))]
    return {
        "seli": float(np.linalg.norm(features, "nuc")),
        "ncc": float(posterior[np.arange(e.n), e.y].mean()),
        "vc": float(np.log(sum(nuclear))),
    }
