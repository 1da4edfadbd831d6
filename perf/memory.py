"""Peak memory of `score` on a memory-mapped file beside the size of the file, for growing N.

python perf/memory.py [--d 512] [--rows 100000 200000 400000]

Private memory (RssAnon) is what the process holds itself; pages of the mapped file are the system's to take back.
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
SCORERS = "iimm,modality_gap,text_alignment,zero_shot_accuracy,logme,h_score,h_score_shrunk,gbc_diagonal,gbc_spherical,lfc,transrate"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--d", type=int, default=512)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 200_000, 400_000])
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    lines = []
    for n in args.rows:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            image = np.lib.format.open_memmap(folder / "image.npy", "w+", "f2", (n, args.d))
            for start in range(0, n, 50_000):
                image[start : start + 50_000] = rng.normal(size=(min(50_000, n - start), args.d))
            image.flush()
            np.save(folder / "labels.npy", np.arange(n) % 100)
            np.save(folder / "text.npy", rng.normal(size=(100, args.d)).astype("f4"))
            size = (folder / "image.npy").stat().st_size / 2**20
            done = subprocess.run(
                [sys.executable, "-c", CODE, name, SCORERS], check=True, capture_output=True, text=True
            )
            peak, spent = map(float, done.stdout.split())
            lines.append([n, f"{size:.0f}", f"{peak:.0f}", f"{spent:.1f}", f"{spent / n * 1e6:.1f}"])
    print(
        tabulate(
            lines, ["rows", "file, MiB", "private memory at most, MiB", "seconds", "µs per row"], disable_numparse=True
        )
    )


if __name__ == "__main__":
    main()
