"""Each score against an independent slow definition: loops over pairs, full matrices, estimators of scikit-learn."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.linalg import lstsq, norm, pinv, slogdet
from scipy.optimize import minimize
from scipy.special import gammaln, logsumexp, psi
from scipy.stats import pearsonr, spearmanr
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import silhouette_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier

import scorers
from scorers import Embeddings
from scorers.linear_probe import folds


def parts(e: Embeddings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    text = np.array(e.text) if e.has("text") else np.empty((0, e.d))
    return np.array(e.image), np.array(e.y), text


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


def text_uniformity(e: Embeddings) -> float:
    x, y, t = parts(e)
    return np.mean([np.mean([x[i] @ t[c] for i in range(len(x)) if y[i] != c]) for c in range(len(t))])


def zero_shot_margin(e: Embeddings) -> float:
    x, y, t = parts(e)
    logits = e.logit_scale * x @ t.T
    return np.mean([logits[i, y[i]] - np.delete(logits[i], y[i]).max() for i in range(len(x))])


def zero_shot_entropy(e: Embeddings) -> float:
    x, _, t = parts(e)
    p = softmax(e.logit_scale * x @ t.T)
    return -(p * np.log(p)).sum(1).mean()


def cka_text(e: Embeddings) -> float:
    x, y, t = parts(e)
    centre = np.eye(len(x)) - 1 / len(x)
    k, l = centre @ x @ x.T @ centre, centre @ t[y] @ t[y].T @ centre  # noqa: E741
    return (k * l).sum() / norm(k) / norm(l)


def ncc(e: Embeddings) -> float:
    x, y, _ = parts(e)
    right = 0
    for i in range(len(x)):
        rest = np.arange(len(x)) != i
        near = {c: norm(x[i] - x[rest & (y == c)].mean(0)) for c in set(y[rest])}
        right += min(near, key=near.get) == y[i]
    return right / len(x)


def int_(e: Embeddings) -> float:
    x, y, _ = parts(e)
    x = x / norm(x, axis=1)[:, None]
    classes = np.unique(y)
    return np.mean(
        [
            np.mean([norm(a - b) for a in x[y == c] for b in x[y == d]])
            for c in classes for d in classes if c < d
        ]
    )  # fmt: skip


def concept_variance(e: Embeddings) -> float:
    x, y, _ = parts(e)
    x = (x - x.min(0)) / np.ptp(x, axis=0)
    shares = []
    for i in range(len(x)):
        d = norm(x - x[i], axis=1)
        w = 2 ** (-2 * d / np.maximum(math.sqrt(x.shape[1]) - d, 1e-10))
        w[i] = 0
        shares.append(w[y != y[i]].sum() / w.sum())
    return -np.mean(shares)


def linear_probe(e: Embeddings) -> float:
    x, y, _ = parts(e)
    fold = folds(e)
    right = 0
    for k in range(5):
        fitted = RidgeClassifier(alpha=1.0).fit(x[fold != k], y[fold != k])
        right += (fitted.predict(x[fold == k]) == y[fold == k]).sum()
    return right / len(x)


def pactran(e: Embeddings, gamma: bool) -> float:
    """With Q (N, Z) as a full matrix."""
    p, y = np.array(e.source_probs), e.y
    onehot = np.eye(y.max() + 1)[y]
    n, c = onehot.shape
    a0 = onehot.sum(0) / n + 1e-10
    q = p
    for _ in range(10):
        a = a0[:, None] + onehot.T @ q
        logits = np.log(p + 1e-10) + psi(a)[y] - (0 if gamma else psi(a.sum(0)))
        q = softmax(logits)
    relative = (q * (np.log(q) - np.log(p + 1e-10))).sum()
    if gamma:
        w = p @ a.sum(0)
        bound = (gammaln(a0)[:, None] - gammaln(a)).sum() + relative + (np.log(w) - 1).sum()
        return -(bound / (n * c) + 1)
    parts_of_z = gammaln(a0.sum()) - gammaln(a0).sum() - (gammaln(a.sum(0)) - gammaln(a).sum(0))
    return (parts_of_z.sum() - relative) / (n * c)


def pactran_gaussian(e: Embeddings) -> float:
    """Through scikit-learn's logistic regression."""
    x, y, _ = parts(e)
    x = x - x.mean(0)
    n, d = x.shape
    c = y.max() + 1
    # of two classes scikit-learn fits the difference of the weights, whose penalty is half as large
    model = LogisticRegression(C=1.0 if c > 2 else 2.0, tol=1e-10, max_iter=10_000).fit(x, y)
    w, b = (
        (model.coef_, model.intercept_)
        if c > 2
        else (np.vstack([-model.coef_, model.coef_]) / 2, np.r_[-1, 1] * model.intercept_ / 2)
    )
    p = softmax(x @ w.T + b)
    loss = -np.log(p[np.arange(n), y]).mean() + (w**2).sum() / (2 * n)
    spread = p * (1 - p)
    hessian = ((x**2).T @ spread).sum() + d * c / n + spread.sum()
    return -(loss + 0.5 * (d * c / n) * (100 / d) * math.log(hessian * n / (d * c) + 1e-10))


def parc(e: Embeddings) -> float:
    x, y, _ = parts(e)
    pca = PCA(min(32, len(x) - 1, x.shape[1]), svd_solver="full").fit_transform(x)
    pca = pca * np.sign((pca**3).sum(0))
    low = (pca - pca.mean(0)) / (pca.std(0) + 1e-8)
    unlike, labels = [], []
    for i in range(len(x)):
        for j in range(i):
            unlike.append(1 - pearsonr(low[i], low[j])[0])
            labels.append(y[i] != y[j])
    return 100 * spearmanr(unlike, labels)[0]


def emms(e: Embeddings) -> float:
    x, y, _ = parts(e)
    views = [np.array(v)[y] for v in e.label_views]
    x, *views = ((a - a.mean(0)) / a.std(0) for a in (x, *views))
    w = lstsq(x, np.mean(views, 0), rcond=None)[0]
    weights = lstsq(np.stack([v.ravel() for v in views], 1), (x @ w).ravel(), rcond=None)[0]
    optimum = minimize(
        lambda p: ((p - weights) ** 2).sum(), np.full(len(views), 1 / len(views)), bounds=[(0, 1)] * len(views),
        constraints={"type": "eq", "fun": lambda p: p.sum() - 1}, tol=1e-14,
    )  # fmt: skip
    return -((x @ w - sum(p * v for p, v in zip(optimum.x, views, strict=True))) ** 2).sum() / views[0].size


def ped(e: Embeddings) -> float:
    x, y, _ = parts(e)
    centre, scale = e.general
    z = (x - centre) / np.maximum(scale, 1e-3)
    first = None
    for _ in range(6):
        means = {c: z[y == c].mean(0) for c in set(y)}
        radii = {c: math.sqrt(z[y == c].var(0).sum()) for c in set(y)}
        shift = {}
        for a in means:
            shift[a] = np.zeros(z.shape[1])
            for b in set(means) - {a}:
                gap = norm(means[a] - means[b])
                f = max(0.6 * (radii[a] + radii[b]) - gap, 0)
                shift[a] += min(0.5 * 0.1**2 * f, f) * (means[a] - means[b]) / gap
        z = z + np.stack([shift[c] for c in y])
        total = sum(norm(s) for s in shift.values())
        first = first or total
        if total <= first / 2 and total != first:
            break
    return scorers.sfda(Embeddings(z * np.maximum(scale, 1e-3) + centre, y))


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
    "text_uniformity": (scorers.text_uniformity, text_uniformity),
    "zero_shot_margin": (scorers.zero_shot_margin, zero_shot_margin),
    "zero_shot_entropy": (scorers.zero_shot_entropy, zero_shot_entropy),
    "cka_text": (scorers.cka_text, cka_text),
    "ncc": (scorers.ncc, ncc),
    "silhouette": (scorers.silhouette, lambda e: silhouette_score(np.array(e.image), e.y, metric="cosine")),
    "int": (scorers.int_, int_),
    "concept_variance": (scorers.concept_variance, concept_variance),
    "linear_probe": (scorers.linear_probe, linear_probe),
    "pactran_dirichlet": (scorers.pactran_dirichlet, lambda e: pactran(e, gamma=False)),
    "pactran_gamma": (scorers.pactran_gamma, lambda e: pactran(e, gamma=True)),
    "emms": (scorers.emms, emms),
    "ped": (scorers.ped, ped),
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
    fast, slow = SLOW[name]
    e = random_embeddings(n, d, classes, seed=n)
    assert fast(e) == pytest.approx(slow(e), rel=1e-7)


@pytest.mark.parametrize(("name", "slow"), [("parc", parc), ("pactran_gaussian", pactran_gaussian)])
@pytest.mark.parametrize(("n", "d", "classes"), [(60, 7, 3), (40, 90, 4), (50, 40, 2)])
def test_scores_by_optimisation_or_ranks_are_close_to_their_slow_definition(
    name: str,
    slow: Callable[[Embeddings], float],
    n: int,
    d: int,
    classes: int,
    random_embeddings: Callable[..., Embeddings],
) -> None:
    e = random_embeddings(n, d, classes, seed=n)
    assert scorers.registry().scorers[name](e) == pytest.approx(slow(e), rel=1e-4)


def test_etran_agrees_with_scikit_learn(random_embeddings: Callable[..., Embeddings]) -> None:
    e = random_embeddings(150, 30, 4)
    x, y, t = parts(e)
    lda = LinearDiscriminantAnalysis(solver="lsqr").fit(x, y)
    energies = np.sort(logsumexp(e.logit_scale * x @ t.T, axis=1))
    assert scorers.etran(e) == pytest.approx(
        {"energy": energies.mean(), "lda": lda.predict_proba(x)[np.arange(len(y)), y].mean()}, rel=1e-6
    )
    assert scorers.etran(e, share=0.2)["energy"] == pytest.approx(energies[:30].mean())
    vision_only = Embeddings(e.image, e.labels, energy=energies)
    assert scorers.etran(vision_only) == pytest.approx(scorers.etran(e))
    with pytest.raises(scorers.Abstain, match="needs logits"):
        scorers.etran(Embeddings(e.image, e.labels, text=e.text))
    combine = scorers.etran.spec.pool
    assert combine([{"energy": 1.0, "lda": 0.9}, {"energy": 3.0, "lda": 0.5}]) == pytest.approx([0.85, 0.15])


def test_nleep_is_leep_of_a_mixture_and_reports_its_spread(random_embeddings: Callable[..., Embeddings]) -> None:
    e = random_embeddings(300, 20, 3)
    result = scorers.score_embeddings(e, ["nleep"])
    share = np.bincount(e.y) / e.n
    assert (share * np.log(share)).sum() < result["scores"]["nleep"] < 0
    assert 0 < result["components"]["nleep"]["spread"] < 0.2
    separable = Embeddings(np.array(e.image) + 3 * np.eye(3, 20)[e.y], e.y)
    assert scorers.nleep(separable) == pytest.approx(0, abs=0.02)
    reduced = PCA(0.8, svd_solver="full").fit_transform(np.array(separable.image))
    mixture = GaussianMixture(15, covariance_type="diag", random_state=0).fit(reduced / reduced.std())
    direct = scorers.leep(Embeddings(reduced, e.y, source_probs=mixture.predict_proba(reduced / reduced.std())))
    assert scorers.nleep(separable) == pytest.approx(direct, abs=0.02)


def test_published_behaviour_is_an_option(random_embeddings: Callable[..., Embeddings]) -> None:
    """Each option changes the number, and the default is the definition."""
    e = random_embeddings(120, 20, 5, seed=2)
    for name, option in [
        ("gbc_spherical", {"log_term": "published"}),
        ("transrate", {"weights": "prior"}),
        ("sfda", {"eigenvalue": "exact"}),
        ("logme", {"lost_terms": True}),
        ("parc", {"dimensions": None}),
        ("parc", {"label_ties": "published"}),
    ]:
        few = random_embeddings(20, 40, 2) if name == "logme" else e
        f = scorers.registry().scorers[name]
        assert f(few, **option) != pytest.approx(f(few), rel=1e-9), name


def test_logme_with_lost_terms_is_the_published_value(random_embeddings: Callable[..., Embeddings]) -> None:
    """N < D: without the D − k logarithms of alpha the score is several units higher; N ≥ D: no terms are lost."""
    few, many = random_embeddings(20, 60, 2), random_embeddings(90, 20, 2)
    assert scorers.logme(few, lost_terms=True) > scorers.logme(few) + 1
    assert scorers.logme(many, lost_terms=True) == pytest.approx(scorers.logme(many))


def test_ncti_agrees_with_scikit_learn(random_embeddings: Callable[..., Embeddings]) -> None:
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


def test_ncti_combines_a_pool_by_min_max_scaling() -> None:
    combine = scorers.ncti.spec.pool
    pool = [
        {"ncc": 0.2, "seli": 5.0, "vc": 1.0},
        {"ncc": 0.6, "seli": 10.0, "vc": 3.0},
        {"ncc": 0.4, "seli": 5.0, "vc": 1.0},
    ]
    assert combine(pool) == pytest.approx([0 + 0 - 0, 1 + 1 - 1, 0.5 + 0 - 0])
    with pytest.raises(scorers.Abstain, match="pool"):
        combine(pool[:1])


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e4])
def test_a_large_offset_does_not_change_the_shrinkage(
    offset: float, random_embeddings: Callable[..., Embeddings]
) -> None:
    e = random_embeddings(150, 12)
    far = Embeddings(np.array(e.image) * 3 + offset, e.labels)
    assert scorers.h_score_shrunk(far) == pytest.approx(h_score_shrunk(far), rel=1e-5)


def test_transrate_does_not_depend_on_the_block_size(random_embeddings: Callable[..., Embeddings]) -> None:
    for n, d in ((40, 90), (200, 10)):
        e = random_embeddings(n, d, block_rows=3)
        assert scorers.transrate(e) == pytest.approx(transrate(e), rel=1e-9)


def test_gbc_has_a_finite_logarithm_where_the_score_underflows(random_embeddings: Callable[..., Embeddings]) -> None:
    e = random_embeddings(80, 60, 4)
    separable = Embeddings(np.array(e.image) + 5.0 * np.eye(4)[e.y] @ np.ones((4, 60)) * (1 + e.y[:, None]), e.y)
    result = scorers.score_embeddings(separable, ["gbc_diagonal"])
    assert result["scores"]["gbc_diagonal"] == 0
    assert result["components"]["gbc_diagonal"]["log_overlap"] < -700


def test_an_invalid_option_is_named() -> None:
    e = Embeddings(np.eye(4), [0, 0, 1, 1])
    for name, option in [("transrate", "weights"), ("gbc_spherical", "log_term"), ("sfda", "eigenvalue")]:
        with pytest.raises(ValueError, match=f"{option} is 'nonsense'; give"):
            scorers.registry().scorers[name](e, **{option: "nonsense"})
