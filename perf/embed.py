"""Embedding against the bare `encode_image` loop on the same batches, for every pocket model, and from images to cache.

python perf/embed.py [--images 8192] [--rounds 5]
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from tabulate import tabulate

from benchmark import cards, sources, suite
from benchmark.cache import Cache
from benchmark.embed import Embedder
from benchmark.encoder import BATCH, Encoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    card = cards.load("shapes")
    lines = []
    for spec in suite.load("pocket").models:
        encoder = Encoder(spec)
        images = np.asarray(sources.load(card, "train").images)
        images = np.resize(images, (args.images, *images.shape[1:]))
        examples = sources.Examples(images, np.zeros(len(images), np.int64))
        ready = encoder.normalise(encoder.pixels(examples))
        bare, ours = [], []
        for _ in range(args.rounds):
            started = time.perf_counter()
            with torch.inference_mode():
                for part in ready.split(BATCH):
                    encoder.model.encode_image(part, normalize=True)
            bare.append(len(images) / (time.perf_counter() - started))
            started = time.perf_counter()
            encoder.encode_images(encoder.pixels(examples))
            ours.append(len(images) / (time.perf_counter() - started))
        with tempfile.TemporaryDirectory() as folder:
            embedder = Embedder(spec, Cache(Path(folder)))
            embedder._encoder = encoder
            started = time.perf_counter()
            embedder.images(card, "train")
            whole = card.sizes["train"] / (time.perf_counter() - started)
        share = np.median(np.array(ours) / np.array(bare))
        lines.append([spec.name, f"{np.median(bare):.0f}", f"{np.median(ours):.0f}", f"{share:.2f}", f"{whole:.0f}"])
    headers = ["model", "bare loop, images/s", "embedding, images/s", "share", "drawn, embedded and cached, images/s"]
    print(tabulate(lines, headers, disable_numparse=True, colalign=("left", *["right"] * 4)))


if __name__ == "__main__":
    main()
