"""Encoders: open_clip's dual encoders and timm's vision-only ones, loaded and run. The only door to torch on the way to a score."""

import contextlib
import functools
import importlib.metadata
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.errors import InputError, UsageError, first_line
from benchmark.models import weights
from benchmark.models.model import Model
from benchmark.tasks.sources import Examples, Item, read_image

BATCH = 128  # where none is tried out
TRIED = (16, 32, 64, 128, 256, 512, 1024)
TINY = 64  # pixels; below, a model is so small that any batch does, and numbers should not hang on timings
CHUNK = 1024  # images decoded ahead
TOWERS_GROUP = "benchmark.towers"
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def device_of(wanted: str) -> torch.device:
    """The device by its name, by default the accelerator of this machine, or the CPU where there is none."""
    if not wanted:
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return found or torch.device("cpu")
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as problem:
        raise UsageError(
            f"--device {wanted}: cannot be used here ({first_line(problem)}); give cpu, cuda, cuda:1 or mps"
        ) from None
    return device


class Encoder:
    """One model, ready to embed.

    model: the module in evaluation mode, float32 (`precision` is that of the forward pass).  pixels(): images as the uint8 tensor
    (N, 3, S, S) that `normalise` turns into the model's input, so that a task is decoded once and kept small.  A vision-only model has
    no texts; encode() then gives the posteriors of its source classifier.
    """

    def __init__(self, spec: Model) -> None:
        self.spec = spec
        self.device = device_of(spec.device)
        if lacking := weights.missing_files(spec):
            weights.fetch(spec, lambda text: None)
        try:
            load = _load_timm if spec.vision_only else _load_open_clip
            self.model, self.preprocess, self.tokenizer = load(spec)
        except ImportError as problem:
            raise InputError(
                f"model '{spec.name}': needs a package more ({problem.name}); `pip install 'transferability-benchmark[huggingface]'`"
            ) from None
        except Exception as problem:  # what the libraries raise depends on the file
            raise InputError(
                f"model '{spec.name}': {'timm' if spec.vision_only else 'open_clip'} cannot load '{spec.load}': {first_line(problem)}"
                + (f" (fetched: {', '.join(lacking)})" if lacking else "")
            ) from None
        self.model.eval().to(self.device, memory_format=torch.channels_last)
        *self._shape, last = self.preprocess.transforms
        self._mean, self._std = (
            torch.as_tensor(values, device=self.device).view(1, 3, 1, 1) for values in (last.mean, last.std)
        )
        self.size = self._probe()
        self.batch = 0 if self.size > TINY else BATCH

    def _probe(self) -> int:
        """Pixels of a side of the model's input, as its own preprocessing gives it."""
        from PIL import Image

        image: Any = Image.new("RGB", (8, 8))
        for step in self._shape:
            image = step(image)
        if image.shape[-1] != image.shape[-2]:
            raise InputError(
                f"model '{self.spec.name}': takes images of {tuple(image.shape[1:])}; only square inputs are supported"
            )
        return int(image.shape[-1])

    @property
    def n_parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    @property
    def logit_scale(self) -> torch.Tensor:
        """Scale of the similarities, not its logarithm."""
        return self.model.logit_scale.exp()

    @property
    def logit_bias(self) -> torch.Tensor:
        bias = getattr(self.model, "logit_bias", None)
        return torch.zeros((), device=self.device) if bias is None else bias

    def pixels(self, examples: Examples) -> torch.Tensor:
        """Images of a split as uint8 (N, 3, S, S): the model's own preprocessing up to, but without, its normalisation."""
        return self._pixels(examples.images)

    def _pixels(self, images: NDArray[np.uint8] | Sequence[Item]) -> torch.Tensor:
        if isinstance(images, np.ndarray) and images.shape[1:3] == (self.size, self.size):
            return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
        out = torch.empty((len(images), 3, self.size, self.size), dtype=torch.uint8)

        def decode(i: int) -> None:
            image: Any = read_image(images[i])
            for step in self._shape:
                image = step(image)
            out[i] = (image * 255).round().to(torch.uint8)

        threads = self._threads()
        if threads == 1:
            for i in range(len(images)):
                decode(i)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(decode, range(len(images))))
        return out

    def _threads(self) -> int:
        """Workers that share the cores have one thread each; beside an accelerator all cores decode."""
        return min(16, os.cpu_count() or 1) if self.device.type != "cpu" else torch.get_num_threads()

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        scaled = (pixels.to(self.device, non_blocking=True).float() / 255 - self._mean) / self._std
        return scaled.contiguous(memory_format=torch.channels_last)

    def tokens(self, texts: Sequence[str]) -> torch.Tensor:
        """(len(texts), L) token numbers, where the model is."""
        tokens: torch.Tensor = self.tokenizer(list(texts)).to(self.device)
        return tokens

    def encode(self, images: NDArray[np.uint8] | Sequence[Item]) -> dict[str, NDArray[np.float32]]:
        """`image` (N, D) and, of a vision-only model, `source` (N, Z) posteriors and `energy` (N,). The next images are decoded while some are encoded."""
        parts = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
        found = []
        with ThreadPoolExecutor(1) as ahead:
            waiting = ahead.submit(self._pixels, parts[0])
            for following in [*parts[1:], None]:
                pixels = waiting.result()
                if following is not None:
                    waiting = ahead.submit(self._pixels, following)
                found.append(self._encode_pixels(pixels))
        return {name: np.concatenate([part[name] for part in found]) for name in found[0]}

    def encode_images(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        """Image embeddings, float32 (N, D): unit rows, but of a vision-only model the features before its classifier as they are."""
        return self._encode_pixels(pixels)["image"]

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit text embeddings, float32 (len(texts), D)."""
        with torch.inference_mode(), self.casting():
            rows = [self.model.encode_text(part, normalize=True).float() for part in self.tokens(texts).split(BATCH)]
        return torch.cat(rows).cpu().numpy()

    @contextlib.contextmanager
    def casting(self) -> Iterator[None]:
        """The forward pass in the model's `precision`."""
        wanted = DTYPES.get(self.spec.precision)
        with torch.autocast(self.device.type, wanted, enabled=wanted is not None):
            yield

    def _encode_pixels(self, pixels: torch.Tensor) -> dict[str, NDArray[np.float32]]:
        if not self.batch:
            self.batch = self._fastest_batch(pixels)
        found, start = [], 0
        while start < len(pixels):
            try:
                found.append(self._forward(pixels[start : start + self.batch]))
                start += self.batch
            except RuntimeError as problem:
                if not _out_of_memory(problem):
                    raise
                if self.batch == 1:
                    raise InputError(
                        f"model '{self.spec.name}': one image does not fit into the memory of {self.device}; give --device cpu"
                    ) from None
                self.batch //= 2
        return {name: torch.cat([part[name] for part in found]).cpu().numpy() for name in found[0]}

    def _forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        with torch.inference_mode(), self.casting():
            return self.outputs(self.normalise(pixels))

    def outputs(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        if not self.spec.vision_only:
            return {"image": self.model.encode_image(inputs, normalize=True).float()}
        hidden = self.model.forward_features(inputs)
        features = self.model.forward_head(hidden, pre_logits=True).float()
        if not self.model.num_classes:
            return {"image": features}
        logits = self.model.forward_head(hidden).double()
        return {"image": features, "source": logits.softmax(1).float(), "energy": logits.logsumexp(1).float()}

    def _fastest_batch(self, pixels: torch.Tensor) -> int:
        """Larger and larger batches are tried, until the images run out, memory does, or it is no longer faster."""
        best, rate = TRIED[0], 0.0
        for batch in TRIED:
            if batch > len(pixels):
                break
            try:
                self._forward(pixels[:batch])
                started = time.perf_counter()
                self._forward(pixels[:batch])
                self.wait()
            except RuntimeError as problem:
                if not _out_of_memory(problem):
                    raise
                break
            now = batch / (time.perf_counter() - started)
            if now < 1.03 * rate:
                break
            best, rate = batch, now
        return best

    def wait(self) -> None:
        """Until the device has done what it was given."""
        if self.device.type != "cpu":
            torch.accelerator.synchronize(self.device)


def _out_of_memory(problem: RuntimeError) -> bool:
    said = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(problem, torch.OutOfMemoryError) or any(words in str(problem) for words in said)


Loaded = tuple[Any, Any, Callable[[list[str]], torch.Tensor]]


@functools.cache
def register_towers() -> None:
    """Import the modules of the entry-point group `benchmark.towers`, which register image towers of their own with timm."""
    for point in importlib.metadata.entry_points(group=TOWERS_GROUP):
        point.load()


def _load_open_clip(spec: Model) -> Loaded:
    import open_clip

    register_towers()

    name, tag, quick = spec.load, None, False
    if ":" not in name and not spec.weights:
        name, _, tag = name.rpartition("/")
        # open_clip only warns where a name and its weights disagree on the activation; ViT-B-32/openai is such a pair
        quick = bool(open_clip.get_pretrained_cfg(name, tag).get("quick_gelu"))
    # unlike open_clip's other ways in, this one refuses a model whose weights are not there, where they would start at random
    model, preprocess = open_clip.create_model_from_pretrained(
        name, pretrained=str(spec.weights) if spec.weights else tag, force_quick_gelu=quick, weights_only=True
    )
    tokenizer = open_clip.get_tokenizer(name, **({"bpe_path": str(spec.bpe)} if spec.bpe else {}))
    return model, preprocess, tokenizer


def _load_timm(spec: Model) -> Loaded:
    import timm

    name = spec.load.removeprefix("timm:")
    model = timm.create_model(name, pretrained=not spec.weights)
    if spec.weights:
        model.load_state_dict(timm.models.load_state_dict(str(spec.weights), weights_only=True))
    config = timm.data.resolve_model_data_config(model)
    return model, timm.data.create_transform(**config, is_training=False), _no_texts


def _no_texts(texts: list[str]) -> torch.Tensor:
    raise InputError("a vision-only model has no text tower, so it embeds no prompts and has no zero-shot accuracy")
