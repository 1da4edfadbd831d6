"""Benchmark the throughput of embedding against a bare `encode_image` loop over the same batches.

The models are those of the pocket suite, or open_clip architectures at full size with random weights.

python perf/embed.py [--images 8192] [--rounds 5]
python perf/embed.py --architecture ViT-B-32 --images 256 --rounds 3
"""

import argparse
import io
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tabulate import tabulate

from benchmark.embedding.cache import Cache
from benchmark.embedding.embedder import Embedder
from benchmark.models.encoder import BATCH, Encoder
from benchmark.models.model import Model
from benchmark.suites import suite
from benchmark.tasks import cards, sources
from benchmark.tasks.sources import tars


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--architecture",
        action="append",
        help="open_clip architecture to use instead of the pocket models; may be repeated",
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32")
    args = parser.parse_args()
    if args.device == "cpu":
        # as a worker of `run` does
        torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        lines = [
            _compare(spec, args.images, args.rounds, Path(folder))
            for spec in _models(args.architecture, args.device, args.precision, Path(folder))
        ]
    headers = [
        "model",
        "batch",
        "bare loop, images/s",
        "embedding, images/s",
        "ratio",
        "end to end, images/s",
    ]
    print(tabulate(lines, headers, disable_numparse=True, colalign=("left", *["right"] * 5)))


def _models(architectures: list[str] | None, device: str, precision: str, folder: Path) -> Iterator[Model]:
    if not architectures:
        yield from suite.load("pocket").on_device(device, precision).models
        return
    import open_clip
    from safetensors.torch import save_file

    for name in architectures:
        (folder / name).mkdir()
        config = open_clip.get_model_config(name)
        config["text_cfg"].pop("hf_tokenizer_name", None)  # only images are embedded, so no tokenizer is downloaded
        # speed does not depend on the values of the weights
        state = open_clip.create_model(name, pretrained_text=False).state_dict()
        save_file(
            {key: value.contiguous() for key, value in state.items()}, folder / name / "open_clip_model.safetensors"
        )
        # an empty preprocess_cfg stands for open_clip's defaults
        (folder / name / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
        yield Model(name, f"local-dir:{folder / name}", device=device, precision=precision)


def _compare(spec: Model, n: int, rounds: int, folder: Path) -> list[str]:
    encoder, card = Encoder(spec), cards.load("shapes")
    images = np.asarray(sources.load(card, "train").images)
    if encoder.size != images.shape[1]:
        # (256, S, S, 3) at most; `np.resize` repeats them up to n
        images = np.random.default_rng(0).integers(0, 255, (min(n, 256), encoder.size, encoder.size, 3), np.uint8)
    examples = sources.Examples(np.resize(images, (n, *images.shape[1:])), np.zeros(n, np.int64))
    encoder.encode(examples.images[:256])  # warm-up; selects the batch size
    bare, ours = [], []
    for _ in range(rounds):
        ready = encoder.normalise(encoder.pixels(examples))  # float32 (n, 3, S, S), before the clock starts
        started = time.perf_counter()
        with torch.inference_mode(), encoder.casting():
            for part in ready.split(encoder.batch or BATCH):
                encoder.model.encode_image(part, normalize=True)
        # work on an accelerator is asynchronous
        encoder.synchronize()
        # images/s; the rounds alternate, so that a slow phase of the machine affects both
        bare.append(n / (time.perf_counter() - started))
        del ready
        started = time.perf_counter()
        encoder.encode(examples.images)
        ours.append(n / (time.perf_counter() - started))
    share = np.median(np.array(ours) / np.array(bare))  # median of the ratios, round by round
    whole = _drawn(spec, encoder, folder) if encoder.size == 32 else _shards(encoder, n, folder)
    return [
        spec.name,
        str(encoder.batch),
        f"{np.median(bare):.0f}",
        f"{np.median(ours):.0f}",
        f"{share:.2f}",
        f"{whole:.0f}",
    ]


def _drawn(spec: Model, encoder: Encoder, folder: Path) -> float:
    """Images per second of drawing, embedding and caching the train split of a pocket task."""
    card = cards.load("shapes")
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        embedder = Embedder(spec, Cache(Path(cache)))
        # already loaded, so that loading is not timed
        embedder._encoder = encoder
        started = time.perf_counter()
        embedder.images(card, "train")
        return card.sizes["train"] / (time.perf_counter() - started)


def _shards(encoder: Encoder, n: int, folder: Path) -> float:
    """Images per second of reading, decoding, resizing and embedding JPEG files of 500x375 pixels in a tar shard."""
    chance = np.random.default_rng(0)
    out = io.BytesIO()
    # 12 x 16 random pixels, enlarged: smooth, as photographs are
    Image.fromarray(chance.integers(0, 255, (12, 16, 3), np.uint8)).resize((500, 375)).save(out, "JPEG")
    path = folder / "0.tar"
    tars.write_shard(path, [(out.getvalue(), ".jpg", 0)] * n)
    started = time.perf_counter()
    encoder.encode(tars.index(path)[0])
    return n / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
