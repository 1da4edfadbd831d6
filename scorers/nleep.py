"""N-LEEP: LEEP with the clusters of the features in place of source classes."""

import warnings

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Abstain, Embeddings
from scorers._sampling import canonical_order, sampled_rows
from scorers._statistics import Floats, Ints
from scorers.leep import leep

MAX_ROWS, SEEDS, VARIANCE, PER_CLASS, STEPS = 2_000, 3, 0.8, 5, 30


def _reduced(e: Embeddings) -> tuple[Floats, Ints]:
    """Leading principal components of the sampled rows, scaled jointly to deviation 1, and the classes; in canonical order."""
    rows = sampled_rows(e, MAX_ROWS)
    x, y = e.image[rows].astype(np.float64), e.y[rows]
    order = canonical_order(x @ x.mean(0), y)
    x, y = x[order] - x.mean(0), y[order]
    left, values, _ = np.linalg.svd(x, full_matrices=False)
    if not values[0] > 0:
        raise Abstain("all rows are equal")
    dimensions = int(np.searchsorted(np.cumsum(values**2), VARIANCE * (values**2).sum())) + 1
    low = (left * values)[:, :dimensions]  # (rows, dimensions)
    return low / low.std(), y


def _compute_scores(e: Embeddings, covariance: str) -> list[float]:
    """The score under each of the seeds."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    need_two_classes(e)
    x, y = _reduced(e)
    # rounded: k-means++ cannot seed two components on rows that differ by rounding alone
    distinct = len(np.unique(x.round(9), axis=0))
    # fewer than half the rows
    components = min(PER_CLASS * len(e.classes), (len(x) - 1) // 2, distinct)
    if components < 2:
        raise Abstain(f"needs at least 5 samples that differ, found {distinct}")
    scores = []
    for k in range(SEEDS):
        mixture = GaussianMixture(
            components,
            covariance_type=covariance,
            random_state=(e.seed + k) % 2**32,
            init_params="k-means++",
            max_iter=STEPS,
        )
        with warnings.catch_warnings():
            # the limit of steps is part of the definition
            warnings.simplefilter("ignore", ConvergenceWarning)
            posterior = mixture.fit(x).predict_proba(x)
        scores.append(leep(Embeddings(x, y, source_probs=posterior)))
    return scores


def _scores(e: Embeddings, covariance: str) -> list[float]:
    """As `_compute_scores`, computed once for the score and its components."""
    return list(e.remember(f"nleep/{covariance}", lambda: _compute_scores(e, covariance)))


def _components(e: Embeddings) -> dict[str, float]:
    return {"spread": float(np.std(_scores(e, "diag"))), "rows": float(len(sampled_rows(e, MAX_ROWS)))}


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite="li2021nleep", components=_components, cost="fit")
def nleep(e: Embeddings, *, covariance: str = "diag") -> float:
    """LEEP of the responsibilities of a Gaussian mixture, the mean over three seeds.

    Formula: `leep` with the posterior of a mixture of 5·C components (at most half the rows) on the principal components that keep
    80 % of the variance, scaled jointly; at most 30 steps from k-means++ seeds. Overfits where the number of components approaches N.

    Values: in nats, in −H(Y)..0. Component `spread` is the deviation over the seeds.

    Options: covariance of the mixture, "diag", "full", "tied" or "spherical".

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class, or fewer than 5 samples that differ.

    Cost: `O(rows·D·min(rows, D))` and three fits. Above 2,000 rows a seeded sample, stratified by class, its size in component `rows`.

    Source: Li et al., CVPR 2021.
    """
    return float(np.mean(_scores(e, covariance)))
