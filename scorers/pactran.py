"""PACTran: PAC-Bayes bounds on the loss after fine-tuning, negated so that higher is better."""

from collections.abc import Callable

import numpy as np

from scorers._contract import need_two_classes, scorer
from scorers._embeddings import Embeddings
from scorers._sampling import sampled, sampled_rows
from scorers._statistics import Floats

CITE = "ding2022pactran"
STEPS, TINY = 10, 1e-10
MAX_ROWS = 2_000


def _posterior(e: Embeddings, log_weights: Floats) -> tuple[Floats, float]:
    """`Y'Q` (C, Z) and `Σ_iz Q_iz·(ln Q_iz − ln(P_iz + 1e-10))` for `Q_iz ∝ (P_iz + 1e-10)·exp(log_weights[y_i, z])`.

    Q (N, Z) itself exists only block by block.
    """
    highest = log_weights.max(1, keepdims=True)
    weights = np.exp(log_weights - highest)
    mass, relative = np.zeros_like(weights), 0.0
    for c, p in e.class_probs():
        p += TINY  # `class_probs` yields copies
        norms = p @ weights[c]
        # Σ_{i∈c} Q_iz, with Q_iz = P_iz·w_cz / norm_i
        mass[c] += weights[c] * (p.T @ (1 / norms))
        # ln Q − ln P = ln w − ln norm; the first term is added below, from Y'Q alone
        relative -= float(np.log(norms).sum())
    return mass, relative + float((mass * (log_weights - highest)).sum())


def _fixed_point(e: Embeddings, alpha: float, log_weights: Callable[[Floats], Floats]) -> tuple[Floats, Floats, float]:
    """The prior's pseudo-counts (C,), the counts A (C, Z) after ten steps from Q = P, and the relative entropy of the last Q to P."""
    prior = alpha * e.statistics.counts / e.n + TINY
    mass = np.zeros((len(e.classes), e.source_probs.shape[1]))  # Y'Q (C, Z), from Q = P
    for c, p in e.class_probs():
        mass[c] += p.sum(0)
    counts, relative = mass, 0.0
    for _ in range(STEPS):
        counts = prior[:, None] + mass
        mass, relative = _posterior(e, log_weights(counts))
    return prior, counts, relative


@scorer(needs={"image", "labels", "source_probs"}, predicts={"accuracy": +1}, cite=CITE)
def pactran_dirichlet(e: Embeddings, *, alpha: float = 1.0) -> float:
    """Negated PAC-Bayes bound with a Dirichlet prior on the label given the source class.

    Formula: with `a_c = α·n_c/N + 1e-10` and `Q = P`, ten times: `A = a + Y'Q`;
    `Q = softmax_z(ln(P + 1e-10) + ψ(A)[y_i] − ψ(Σ_c A))`. Then
    `(1/(N·C))·Σ_z [lnΓ(Σ_c a) − Σ_c lnΓ(a) − lnΓ(Σ_c A) + Σ_c lnΓ(A) − Σ_i Q·(ln Q − ln(P + 1e-10))]`. Published values have the
    opposite sign.

    Values: in nats, unbounded.

    Options: alpha, the weight of the prior.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class.

    Cost: `O(10·N·Z)`; Q is not formed.

    Source: Ding et al., ECCV 2022.
    """
    from scipy.special import gammaln, psi

    need_two_classes(e)
    prior, counts, relative = _fixed_point(e, alpha, lambda a: psi(a) - psi(a.sum(0)))
    # the prior's term is the same for each of the Z source classes
    before = counts.shape[1] * (gammaln(prior.sum()) - gammaln(prior).sum())
    after = (gammaln(counts.sum(0)) - gammaln(counts).sum(0)).sum()
    return float(before - after - relative) / (e.n * len(e.classes))


@scorer(needs={"image", "labels", "source_probs"}, predicts={"accuracy": +1}, cite=CITE)
def pactran_gamma(e: Embeddings, *, alpha: float = 1.0) -> float:
    """Negated PAC-Bayes bound with a gamma prior on the label given the source class.

    Formula: with a as in `pactran_dirichlet` and `Q = P`, ten times: `A = a + Y'Q`; `Q = softmax_z(ln(P + 1e-10) + ψ(A)[y_i])`. Then
    `−((1/(N·C))·[Σ_cz (lnΓ(a) − lnΓ(A)) + Σ_i (Σ_z Q·(ln Q − ln(P + 1e-10)) + ln w_i − 1)] + 1)` with `w_i = Σ_z P_iz·Σ_c A_cz`.

    Values: in nats, unbounded.

    Options: alpha, the weight of the prior.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class.

    Cost: `O(10·N·Z)`; Q is not formed.

    Source: Ding et al., ECCV 2022.
    """
    from scipy.special import gammaln, psi

    need_two_classes(e)
    prior, counts, relative = _fixed_point(e, alpha, psi)
    total = counts.sum(0)
    weights = sum(float(np.log(p @ total).sum()) for _, p in e.class_probs())  # Σ_i ln w_i
    first = counts.shape[1] * gammaln(prior).sum() - gammaln(counts).sum()
    return -(float(first + relative + weights - e.n) / (e.n * len(e.classes)) + 1)


@scorer(needs={"image", "labels"}, predicts={"accuracy": +1}, cite=CITE, components=sampled(MAX_ROWS), cost="fit")
def pactran_gaussian(e: Embeddings, *, lam: float = 1.0, variance: float = 100.0) -> float:
    """Negated PAC-Bayes bound with a Gaussian prior on the weights of a linear classifier.

    Formula: `−(loss + ½·(D·C/(λN))·(s²/D)·ln(Σh·λN/(D·C) + 1e-10))`. loss: the minimum over weights W (D, C) and biases b (C,) of mean
    cross-entropy plus `½·‖W‖²/(λN)`, X centred; by L-BFGS to convergence, from zero, where published code starts from unseeded noise
    and stops at 100 steps. h: the diagonal of the Hessian, `Σ_i x_id²·p_ic·(1 − p_ic) + 1/(λN)` for W and `Σ_i p_ic·(1 − p_ic)` for b.

    Values: in nats, unbounded.

    Options: lam is λ; variance is s².

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class.

    Cost: `O(rows·D·C)` a step. Above 2,000 rows a seeded sample, stratified by class, its size in component `rows`.

    Source: Ding et al., ECCV 2022.
    """
    from scipy.optimize import minimize

    need_two_classes(e)
    rows = sampled_rows(e, MAX_ROWS)
    x, y = e.image[rows].astype(np.float64), e.y[rows]
    x -= x.mean(0)
    n, d, c = len(x), x.shape[1], len(e.classes)
    onehot, decay = np.eye(c)[y], 1 / (lam * n)  # (rows, C), 1/(λN)

    def probabilities(flat: Floats) -> tuple[Floats, Floats]:
        """p (rows, C), and ln p of the own class (rows,); flat is W and b in one vector."""
        logits = x @ flat[: d * c].reshape(d, c) + flat[d * c :]
        logits -= logits.max(1, keepdims=True)
        weights = np.exp(logits)
        total = weights.sum(1, keepdims=True)
        return weights / total, (logits - np.log(total))[np.arange(n), y]

    def loss(flat: Floats) -> tuple[float, Floats]:
        p, own = probabilities(flat)
        # derivative of the mean cross-entropy by the logits; the biases have no penalty
        error, w = (p - onehot) / n, flat[: d * c]
        gradient = np.concatenate([(x.T @ error).ravel() + decay * w, error.sum(0)])
        return float(-own.mean() + 0.5 * decay * (w @ w)), gradient

    optimum = minimize(loss, np.zeros(d * c + c), jac=True, method="L-BFGS-B", options={"maxiter": 2000, "gtol": 1e-6})
    p, _ = probabilities(optimum.x)
    spread = p * (1 - p)
    hessian = float(((x**2).T @ spread).sum()) + d * c * decay + float(spread.sum())  # Σh
    penalty = d * c * decay * (variance / d) * np.log(hessian / (d * c * decay) + 1e-10)
    return -float(optimum.fun + 0.5 * penalty)
