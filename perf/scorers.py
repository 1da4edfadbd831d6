"""Benchmark the run time of every scorer, in seconds and as a multiple of a floor: X'X in float64 and its eigendecomposition.

The eigendecomposition of the floor is by the fastest of numpy's and scipy's drivers on this machine. The closed-form scorers are run five
times on new embeddings; the median is reported, with the load average of the machine.

python perf/scorers.py [--n 20000] [--d 512] [--classes 100] [--sources 1000] [--rival]

--rival also times the mean similarity over all image pairs in IIMM, computed literally from its definition, in blocks of rows.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.linalg import eigh
from tabulate import tabulate

sys.path[0] = str(Path(__file__).parents[1])  # this file has the name of the package that it imports
import scorers  # noqa: E402

# no pairs of samples and no fitted models: time is linear in N
CLOSED = ["iimm", "iimm_inter", "iimm_intra", "modality_gap", "text_alignment", "text_uniformity", "zero_shot_accuracy", "zero_shot_margin", "zero_shot_entropy", "headroom", "logme", "leep", "nce", "h_score", "h_score_shrunk", "gbc_diagonal", "gbc_spherical", "transrate", "lfc", "cka_text"]  # fmt: skip


def data(n: int, d: int, classes: int, sources: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Synthetic embeddings: unit float32 rows around class texts, and a peaked posterior over the source classes."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % classes)
    text = rng.normal(size=(classes, d)).astype(np.float32)
    # class signal, noise, and an offset that all rows share, as in real CLIP embeddings
    image = 0.25 * text[labels] + rng.normal(size=(n, d)).astype(np.float32) + 0.3
    image /= np.linalg.norm(image, axis=1, keepdims=True)
    logits = (3 * rng.normal(size=(n, sources))).astype(np.float32)  # (N, Z)
    probs = np.exp(logits - logits.max(1, keepdims=True))
    return {
        "image": image,
        "labels": labels,
        "text": text / np.linalg.norm(text, axis=1, keepdims=True),
        "source_probs": probs / probs.sum(1, keepdims=True),
    }


REPEATS = 5
EIGENSOLVERS = {
    "numpy.linalg.eigh": np.linalg.eigh,
    "scipy.linalg.eigh, driver evr": lambda matrix: eigh(matrix, driver="evr", check_finite=False),
    "scipy.linalg.eigh, driver evd": lambda matrix: eigh(matrix, driver="evd", check_finite=False),
}


def seconds_of(function: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median run time."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def floor(image: np.ndarray) -> tuple[float, str]:
    """Seconds of the floor, and the name of its eigensolver."""
    x = image.astype(np.float64)
    gram = x.T @ x
    solvers = {name: seconds_of(lambda solve=solve: solve(gram)) for name, solve in EIGENSOLVERS.items()}
    fastest = min(solvers, key=solvers.__getitem__)
    return seconds_of(lambda: x.T @ x) + solvers[fastest], fastest


def pairs(image: np.ndarray) -> float:
    started = time.perf_counter()
    x, total = image.astype(np.float64), 0.0
    for start in range(0, len(x), 1000):
        total += float((x[start : start + 1000] @ x.T).sum())  # (1000, N)
    assert np.isfinite(total)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in (("n", 20_000), ("d", 512), ("classes", 100), ("sources", 1_000)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--rival", action="store_true")
    args = parser.parse_args()
    arrays = data(args.n, args.d, args.classes, args.sources)
    load = os.getloadavg()[0]

    def embeddings() -> scorers.Embeddings:
        """New ones, without statistics that were computed before."""
        return scorers.Embeddings(
            arrays["image"],
            arrays["labels"],
            text=arrays["text"],
            source_probs=arrays["source_probs"],
            logit_scale=20.0,
            n_parameters=1.0,
            label_views=[np.roll(arrays["text"], k, 1) for k in range(7)],
            general=(np.zeros(args.d), np.full(args.d, args.d**-0.5)),
            ledger=np.array([0.5]),
        )

    known = scorers.registry().scorers
    closed = [name for name in CLOSED if name in known]
    # before and after the scorers, since the speed of a machine varies
    units = [floor(arrays["image"])]
    closed_times = []
    for _ in range(REPEATS):
        e = embeddings()
        started = time.perf_counter()
        # the time of the shared statistics is its own entry, `statistics`, not part of any scorer
        seconds = scorers.score_embeddings(e, closed)["seconds"]
        closed_times.append(time.perf_counter() - started)
    closed_seconds = float(np.median(closed_times))
    others = scorers.score_embeddings(e, [n for n in known if n not in closed])["seconds"]
    # the statistics of both groups; those that `closed` has computed are not computed again
    seconds = {**others, **seconds, "statistics": others["statistics"]}
    units.append(floor(arrays["image"]))
    unit, solver = min(units)
    lines = [[name, f"{s:.4f}", f"{s / unit:.2f}"] for name, s in sorted(seconds.items(), key=lambda item: -item[1])]
    lines.append(
        ["all closed-form scorers, with shared statistics", f"{closed_seconds:.4f}", f"{closed_seconds / unit:.2f}"]
    )
    lines.append(["all scorers", f"{sum(seconds.values()):.4f}", f"{sum(seconds.values()) / unit:.2f}"])
    if args.rival:
        rival = pairs(np.asarray(e.image))
        lines.append(["mean over all image pairs", f"{rival:.4f}", f"{rival / unit:.2f}"])
    print(
        f"N={args.n} D={args.d} C={args.classes} Z={args.sources}; floor {unit:.4f} s ({solver}); load average {load:.1f}\n"
    )
    print(
        tabulate(
            lines, ["scorer", "seconds", "times floor"], disable_numparse=True, colalign=("left", "right", "right")
        )
    )


if __name__ == "__main__":
    main()
