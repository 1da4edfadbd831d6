"""N-LEEP: LEEP with the clusters of the features in place of source classes."""

import warnings

import numpy as np

from scorers._contract import Abstain, need_two_classes, scorer
from scorers._embeddings import Embeddings, Floats, Ints
from scorers._sampling import canonical_order, sampled_rows
from scorers.leep import leep

MAX_ROWS, SEEDS, VARIANCE, PER_CLASS, STEPS = 2_000, 3, 0.8, 5, 30


def _reduced(e: Embeddings) -> tuple[Floats, Ints]:
    """A sample's leading principal components, scaled as one, in an order that does not depend on that of the rows; the classes."""
    rows = sampled_rows(e, MAX_ROWS)
    x, y = e.image[rows].astype(np.float64), e.y[rows]
    order = canonical_order(x @ x.mean(0), y)
    x, y = x[order] - x.mean(0), y[order]
    left, values, _ = np.linalg.svd(x, full_matrices=False)
    if not values[0] > 0:
        raise Abstain("all rows are alike")
    kept = int(np.searchsorted(np.cumsum(values**2), VARIANCE * (values**2).sum())) + 1
    low = (left * values)[:, :kept]
    return low / low.std(), y


def _runs(e: Embeddings, covariance: str) -> list[float]:
    """The score under each seed."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    need_two_classes(e)
    x, y = _reduced(e)
    differ = len(np.unique(x.round(9), axis=0))
    components = min(PER_CLASS * len(e.classes), (len(x) - 1) // 2, differ)
    if components < 2:
        raise Abstain(f"needs at least 5 samples that differ, found {differ}")
    found = []
    for k in range(SEEDS):
        mixture = GaussianMixture(
            components,
            covariance_type=covariance,
            random_state=(e.seed + k) % 2**32,
            init_params="k-means++",
            max_iter=STEPS,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            posterior = mixture.fit(x).predict_proba(x)
        found.append(leep(Embeddings(x, y, source_probs=posterior)))
    return found


def _runs_kept(e: Embeddings, covariance: str) -> list[float]:
    key = f"nleep/{covariance}"
    if key not in e.memo:
        e.memo[key] = _runs(e, covariance)
    return list(e.memo[key])


def _components(e: Embeddings) -> dict[str, float]:
    return {"spread": float(np.std(_runs_kept(e, "diag"))), "rows": float(len(sampled_rows(e, MAX_ROWS)))}


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="li2021nleep", components=_components, cost="fit")
def nleep(e: Embeddings, *, covariance: str = "diag") -> float:
    """LEEP of a Gaussian mixture's responsibilities, the mean over three seeds.

    PCA keeping 80 % of the variance, scaled as one; a mixture of 5·C components (fewer where N is less than twice that), at most 30
    steps from k-means++ seeds; its responsibilities as the posterior of `leep`. Component `spread` is the deviation over the seeds.
    Overfits where components approach N. Above 2,000 rows a seeded class-balanced sample, its size in component `rows`.
    covariance is that of the mixture: "diag", "full", "tied" or "spherical".
    Abstains on one class, or fewer than 5 samples that differ.

    Source: Li et al., CVPR 2021.
    """
    return float(np.mean(_runs_kept(e, covariance)))
