"""Each score against a slow definition written down independently: pairs one by one, matrices in full, scikit-learn's own parts."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.linalg import norm, pinv, slogdet
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import KNeighborsClassifier

import scorers
from scorers import Embeddings


def parts(e: Embeddings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.array(e.image), np.array(e.y), np.array(e.text)


def iimm_inter(e: Embeddings) -> float:
    x, y, t = parts(e)
    return np.mean([np.mean([x[i] @ t[c] for c in range(len(t)) if c != y[i]]) for i in range(len(x))])


def iimm_intra(e: Embeddings) -> float:
    x, _, _ = parts(e)
    return np.mean([x[i] @ x[j] for i in range(len(x)) for j in range(i)])


def modality_gap(e: Embeddings) -> float:
    x, _, t = parts(e)
    return math.sqrt(sum((x[:, d].mean() - t[:, d].mean()) ** 2 for d in range(x.shape[1])))


def text_alignment(e: Embeddings) -> float:
    x, y, t = parts(e)
    return np.mean([x[i] @ t[y[i]] for i in range(len(x))])


def logme(e: Embeddings) -> float:
    """The evidence by its determinant: ln N(targets; 0, I/β + XX'/α), maximised by the published fixed point with dense solves."""
    x, y, _ = parts(e)
    n, d = x.shape
    total = 0.0
    for c in np.unique(y):
        target = (y == c).astype(float)
        alpha = beta = 1.0
        for _ in range(11):
            before = alpha / beta
            a = alpha * np.eye(d) + beta * x.T @ x
            m = beta * np.linalg.solve(a, x.T @ target)
            gamma = d - alpha * np.trace(np.linalg.inv(a))
            m2, res2 = m @ m, ((target - x @ m) ** 2).sum()
            alpha, beta = gamma / (m2 + 1e-5), (n - gamma) / (res2 + 1e-5)
            if abs(alpha / beta - before) / before <= 1e-3:
                break
        a = alpha * np.eye(d) + beta * x.T @ x
        total += (
            d / 2 * math.log(alpha)
            + n / 2 * math.log(beta)
            - slogdet(a)[1] / 2
            - beta / 2 * res2
            - alpha / 2 * m2
            - n / 2 * math.log(2 * math.pi)
        ) / n
    return total / len(np.unique(y))


def leep(e: Embeddings) -> float:
    p, y = np.array(e.source_probs), e.y
    n, z = p.shape
    joint = np.zeros((y.max() + 1, z))
    for i in range(n):
        joint[y[i]] += p[i] / n
    return np.mean([math.log(sum(joint[y[i], k] / joint[:, k].sum() * p[i, k] for k in range(z))) for i in range(n)])


def nce(e: Embeddings) -> float:
    source, y, n = np.array(e.source_probs).argmax(1), e.y, e.n
    total = 0.0
    for k in set(source):
        for c in set(y):
            both = np.sum((source == k) & (y == c)) / n
            if both:
                total += both * math.log(both / np.mean(source == k))
    return total


def between(e: Embeddings) -> np.ndarray:
    x, y, _ = parts(e)
    return np.cov(np.stack([x[y == c].mean(0) for c in y]), rowvar=False)


def h_score(e: Embeddings) -> float:
    return np.trace(pinv(np.cov(np.array(e.image), rowvar=False), rcond=1e-12) @ between(e))


def h_score_shrunk(e: Embeddings) -> float:
    fitted = LedoitWolf().fit(np.array(e.image))
    return np.trace(pinv(fitted.covariance_, rcond=1e-15) @ ((1 - fitted.shrinkage_) * between(e)))


def bhattacharyya(e: Embeddings, spherical: bool) -> float:
    x, y, _ = parts(e)
    means, variances = {}, {}
    for c in np.unique(y):
        means[c], variances[c] = x[y == c].mean(0), np.maximum(x[y == c].var(0), 1e-4)
        if spherical:
            variances[c] = np.full(x.shape[1], variances[c].mean())
    total = 0.0
    for a in means:
        for b in means:
            if a != b:
                middle = (variances[a] + variances[b]) / 2
                near = ((means[a] - means[b]) ** 2 / middle).sum() / 8
                near += 0.5 * np.log(middle / np.sqrt(variances[a] * variances[b])).sum()
                total -= math.exp(-near)
    return total


def coding_rate(z: np.ndarray) -> float:
    return slogdet(np.eye(z.shape[1]) + z.T @ z / (len(z) * 1e-4))[1] / 2


def transrate(e: Embeddings) -> float:
    x, y, _ = parts(e)
    z = x - x.mean(0)
    return coding_rate(z) - np.mean([coding_rate(z[y == c]) for c in np.unique(y)])


def transrate_prior(e: Embeddings) -> float:
    x, y, _ = parts(e)
    z = x - x.mean(0)
    return coding_rate(z) - sum(np.mean(y == c) * coding_rate(z[y == c]) for c in np.unique(y))


def sfda_exact(e: Embeddings) -> float:
    x, y, _ = parts(e)
    classes = np.unique(y)

    def fit(rows: np.ndarray, shrink: float | None) -> tuple[np.ndarray, float]:
        within = sum((y == c).mean() * np.cov(rows[y == c], rowvar=False, ddof=0) for c in classes)
        if shrink is None:
            shrink = max(math.exp(-5 * np.linalg.eigvalsh(within).max()), 1e-10)
        shrunk = (1 - shrink) * within + shrink * np.trace(within) / len(within) * np.eye(len(within))
        scores = []
        for c in classes:
            mean = rows[y == c].mean(0)
            weights = np.linalg.solve(shrunk, mean)
            scores.append(rows @ weights - mean @ weights / 2 + math.log(np.mean(y == c)))
        return softmax(np.stack(scores, 1)), shrink

    p, shrink = fit(x, None)
    own = softmax(p)[np.arange(len(y)), y]
    means = {c: x[y == c].mean(0) for c in classes}
    moved = np.stack(
        [own[i] * x[i] + (1 - own[i]) * np.mean([means[c] for c in classes if c != y[i]], 0) for i in range(len(x))]
    )
    return fit(moved, shrink)[0][np.arange(len(y)), y].mean()


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


def lfc(e: Embeddings) -> float:
    x, y, _ = parts(e)
    kernel, labels = x @ x.T, np.where(y[:, None] == y, 1.0, -1.0)
    kernel, labels = kernel - kernel.mean(), labels - labels.mean()
    return (kernel * labels).sum() / norm(kernel) / norm(labels)


def knn(e: Embeddings) -> float:
    x, y, _ = parts(e)
    rest = [np.delete(np.arange(len(x)), i) for i in range(len(x))]
    return np.mean(
        [KNeighborsClassifier(1).fit(x[r], y[r]).predict(x[i : i + 1])[0] == y[i] for i, r in enumerate(rest)]
    )


def zero_shot_accuracy(e: Embeddings) -> float:
    x, y, t = parts(e)
    return np.mean([np.argmax([x[i] @ row for row in t]) == y[i] for i in range(len(x))])


SLOW: dict[str, tuple[Callable[[Embeddings], float], Callable[[Embeddings], float]]] = {
    "iimm": (scorers.iimm, lambda e: (iimm_inter(e) + iimm_intra(e)) / 2),
    "iimm_inter": (scorers.iimm_inter, iimm_inter),
    "iimm_intra": (scorers.iimm_intra, iimm_intra),
    "modality_gap": (scorers.modality_gap, modality_gap),
    "text_alignment": (scorers.text_alignment, text_alignment),
    "logme": (scorers.logme, logme),
    "leep": (scorers.leep, leep),
    "nce": (scorers.nce, nce),
    "h_score": (scorers.h_score, h_score),
    "h_score_shrunk": (scorers.h_score_shrunk, h_score_shrunk),
    "gbc_diagonal": (scorers.gbc_diagonal, lambda e: bhattacharyya(e, spherical=False)),
    "gbc_spherical": (scorers.gbc_spherical, lambda e: bhattacharyya(e, spherical=True)),
    "transrate": (scorers.transrate, transrate),
    "transrate, prior": (lambda e: scorers.transrate(e, weights="prior"), transrate_prior),
    "sfda, exact": (lambda e: scorers.sfda(e, eigenvalue="exact"), sfda_exact),
    "lfc": (scorers.lfc, lfc),
    "knn": (scorers.knn, knn),
    "zero_shot_accuracy": (scorers.zero_shot_accuracy, zero_shot_accuracy),
    "headroom": (scorers.headroom, lambda e: 1 - zero_shot_accuracy(e)),
}


@pytest.mark.parametrize("name", SLOW)
@pytest.mark.parametrize(("n", "d", "classes"), [(60, 7, 3), (40, 90, 4), (90, 70, 2)])
def test_score_equals_its_slow_definition(
    name: str, n: int, d: int, classes: int, random_embeddings: Callable[..., Embeddings]
) -> None:
    ours, slow = SLOW[name]
    e = random_embeddings(n, d, classes, seed=n)
    assert ours(e) == pytest.approx(slow(e), rel=1e-7)


def test_ncti_equals_scikit_learns_parts(random_embeddings: Callable[..., Embeddings]) -> None:
    e = random_embeddings(150, 80, 5)
    x, y = np.array(e.image), e.y
    pca = PCA(64, svd_solver="full").fit(x)
    low = pca.transform(x)
    lda = LinearDiscriminantAnalysis(solver="eigen", shrinkage=float(np.exp(-pca.explained_variance_[:32].sum()))).fit(
        low, y
    )
    posterior, features = lda.predict_proba(low), lda.transform(low)
    terms = scorers.ncti(e, pca="exact")
    assert terms["ncc"] == pytest.approx(np.mean([posterior[i, y[i]] for i in range(len(y))]), rel=1e-6)
    assert terms["seli"] == pytest.approx(np.linalg.svd(features - features.mean(0))[1].sum(), rel=1e-6)
    own = sum(np.linalg.svd(posterior[y == c])[1].sum() for c in range(5))
    assert terms["vc"] == pytest.approx(math.log(own), rel=1e-6)


def test_ncti_combines_the_pool_by_min_max() -> None:
    combine = scorers.registry().scorers["ncti"].spec.pool
    pool = [
        {"ncc": 0.2, "seli": 5.0, "vc": 1.0},
        {"ncc": 0.6, "seli": 10.0, "vc": 3.0},
        {"ncc": 0.4, "seli": 5.0, "vc": 1.0},
    ]
    assert combine(pool) == pytest.approx([0 + 0 - 0, 1 + 1 - 1, 0.5 + 0 - 0])
    with pytest.raises(scorers.Abstain, match="pool"):
        combine(pool[:1])


def test_gbc_keeps_the_logarithm_where_the_score_underflows(random_embeddings: Callable[..., Embeddings]) -> None:
    e = random_embeddings(80, 60, 4)
    apart = Embeddings(np.array(e.image) + 5.0 * np.eye(4)[e.y] @ np.ones((4, 60)) * (1 + e.y[:, None]), e.y)
    result = scorers.score_embeddings(apart, ["gbc_diagonal"])
    assert result["scores"]["gbc_diagonal"] == 0
    assert result["components"]["gbc_diagonal"]["log_overlap"] < -700


def test_wrong_option_is_said() -> None:
    e = Embeddings(np.eye(4), [0, 0, 1, 1])
    for name, option in [("transrate", "weights"), ("gbc_spherical", "log_term"), ("sfda", "eigenvalue")]:
        with pytest.raises(ValueError, match=f"{option} is 'nonsense'; give"):
            scorers.registry().scorers[name](e, **{option: "nonsense"})
