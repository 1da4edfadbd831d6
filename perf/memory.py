"""Measure peak memory and run time of the closed-form scorers on memory-mapped embeddings, for increasing numbers of rows.

python perf/memory.py [--d 512] [--sources 100] [--rows 100000 200000 400000]

The reported memory is private memory (RssAnon of /proc/self/status, Linux only). Pages of the mapped files are not included, since the
operating system can reclaim them at any time.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from tabulate import tabulate

CODE = """
import sys, threading, time
import scorers
peak = 0
def watch():
    global peak
    while True:
        text = open("/proc/self/status").read()
        peak = max(peak, int(text.split("RssAnon:")[1].split()[0]))
        time.sleep(0.01)
threading.Thread(target=watch, daemon=True).start()
started = time.perf_counter()
result = scorers.score_embeddings(scorers.load_embeddings(sys.argv[1]), sys.argv[2].split(","))
assert not result["abstained"], result["abstained"]
print(peak / 1024, time.perf_counter() - started)
"""
SCORERS = (
    "iimm,iimm_inter,iimm_intra,modality_gap,text_alignment,text_uniformity,zero_shot_accuracy,zero_shot_margin,zero_shot_entropy,"
    "headroom,logme,leep,nce,h_score,h_score_shrunk,gbc_diagonal,gbc_spherical,transrate,lfc,cka_text"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--d", type=int, default=512)
    parser.add_argument("--sources", type=int, default=100)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 200_000, 400_000])
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    lines = []
    for n in args.rows:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            # float16 (N, D), written block by block, since it may not fit into memory
            image = np.lib.format.open_memmap(folder / "image.npy", "w+", "f2", (n, args.d))
            for start in range(0, n, 50_000):
                image[start : start + 50_000] = rng.normal(size=(min(50_000, n - start), args.d))
            image.flush()
            probs = np.lib.format.open_memmap(folder / "source_probs.npy", "w+", "f2", (n, args.sources))
            for start in range(0, n, 50_000):
                part = rng.random((min(50_000, n - start), args.sources), np.float32)
                probs[start : start + 50_000] = part / part.sum(1, keepdims=True)
            probs.flush()
            np.save(folder / "labels.npy", np.arange(n) % 100)
            np.save(folder / "logit_scale.npy", np.array(20.0))
            np.save(folder / "text.npy", rng.normal(size=(100, args.d)).astype("f4"))
            size = sum(file.stat().st_size for file in folder.iterdir()) / 2**20  # MiB
            # a process of its own: peak memory never falls within one
            done = subprocess.run(
                [sys.executable, "-c", CODE, name, SCORERS], check=True, capture_output=True, text=True
            )
            peak, spent = map(float, done.stdout.split())  # MiB, seconds
            lines.append([n, f"{size:.0f}", f"{peak:.0f}", f"{spent:.1f}", f"{spent / n * 1e6:.1f}"])
    print(
        tabulate(
            lines, ["rows", "files, MiB", "peak private memory, MiB", "seconds", "µs per row"], disable_numparse=True
        )
    )


if __name__ == "__main__":
    main()
