"""Encoders: a loaded model on a device, which turns images and texts into embeddings. Scoring uses torch nowhere else."""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.errors import InputError, UsageError, first_line
from benchmark.models import weights
from benchmark.models.fetching import fetch_model
from benchmark.models.loading import load_model
from benchmark.models.model import Model
from benchmark.tasks.sources import Examples, Item, read_image

BATCH = 128  # of texts, and of images of tiny models
BATCH_CANDIDATES = (16, 32, 64, 128, 256, 512, 1024)
MIN_SPEEDUP = 1.03  # that makes a larger batch worth its memory
TINY = 64  # pixels; smaller models run equally fast with any batch, and a fixed one keeps their numbers independent of timings
CHUNK = 1024  # images decoded ahead
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def resolve_device(name: str) -> torch.device:
    """The device of a name; for "" the accelerator of this machine, or the CPU if there is none. Raises UsageError."""
    if not name:
        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return accelerator or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)  # torch.device accepts devices that this machine does not have
    except (RuntimeError, AssertionError, NotImplementedError) as problem:
        raise UsageError(
            f"--device {name}: cannot be used on this machine ({first_line(problem)})", "give cpu, cuda, cuda:1 or mps"
        ) from None
    return device


class Encoder:
    """One model, loaded on its device.

    model: the module in evaluation mode, with float32 weights; `precision` is that of the forward pass.
    size: S, pixels of a side of its square input.  batch: images per forward pass, 0 before it is measured.

    Images go in two steps: `pixels` gives uint8 tensors (N, 3, S, S), which are small enough to keep, and `normalise` turns them into
    the model's input. A vision-only model has no texts; for it `encode` also returns the posteriors of its source classifier.

    Raises InputError if the model cannot be downloaded or loaded.
    """

    def __init__(self, spec: Model) -> None:
        self.spec = spec
        self.device = resolve_device(spec.device)
        missing = weights.missing_files(spec)
        if missing:
            fetch_model(spec, lambda text: None)
        try:
            self.model, self.preprocess, self.tokenizer = load_model(spec)
        except ImportError as error:
            raise InputError(
                f"model '{spec.name}': requires an optional package ({error.name})",
                "`pip install 'transferability-benchmark[huggingface]'`",
            ) from None
        except Exception as error:  # the libraries' exceptions depend on the file
            library = "timm" if spec.vision_only else "open_clip"
            raise InputError(
                f"model '{spec.name}': {library} cannot load '{spec.load}': {first_line(error)}"
                + (f" (downloaded: {', '.join(missing)})" if missing else "")
            ) from None
        self.model.eval().to(self.device, memory_format=torch.channels_last)
        # all steps of the preprocessing but the last, the normalisation, run once per image on the CPU
        *self._steps, normalisation = self.preprocess.transforms
        self._mean, self._std = (
            torch.as_tensor(values, device=self.device).view(1, 3, 1, 1)
            for values in (normalisation.mean, normalisation.std)
        )
        self.size = self._input_size()
        self.batch = 0 if self.size > TINY else BATCH

    def _input_size(self) -> int:
        """S, found by preprocessing one image; raises InputError for an input that is not square."""
        from PIL import Image

        image = self._preprocess(Image.new("RGB", (8, 8)))
        if image.shape[-1] != image.shape[-2]:
            raise InputError(
                f"model '{self.spec.name}': takes images of {tuple(image.shape[1:])}; only square inputs are supported"
            )
        return int(image.shape[-1])

    def _preprocess(self, image: Any) -> Any:
        """A PIL image as a (3, S, S) tensor in 0..1, before normalisation."""
        for step in self._steps:
            image = step(image)
        return image

    @property
    def n_parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    @property
    def logit_scale(self) -> torch.Tensor:
        """The factor of the similarities; open_clip stores its logarithm."""
        return self.model.logit_scale.exp()

    @property
    def logit_bias(self) -> torch.Tensor:
        """The offset of the scaled similarities; 0 for models without one."""
        bias = getattr(self.model, "logit_bias", None)
        return torch.zeros((), device=self.device) if bias is None else bias

    def pixels(self, examples: Examples) -> torch.Tensor:
        """The images of a split as uint8 (N, 3, S, S): the model's own preprocessing without its normalisation."""
        return self._pixels(examples.images)

    def _pixels(self, images: NDArray[np.uint8] | Sequence[Item]) -> torch.Tensor:
        # (N, S, S, 3) of the right size: resizing would change nothing
        if isinstance(images, np.ndarray) and images.shape[1:3] == (self.size, self.size):
            return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
        out = torch.empty((len(images), 3, self.size, self.size), dtype=torch.uint8)

        def decode(i: int) -> None:
            out[i] = (self._preprocess(read_image(images[i])) * 255).round().to(torch.uint8)

        # PIL releases the interpreter lock while it decodes and resizes
        threads = self._decoding_threads()
        if threads == 1:
            for i in range(len(images)):
                decode(i)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(decode, range(len(images))))  # a list, so that an exception in a thread is raised here
        return out

    def _decoding_threads(self) -> int:
        """All cores beside an accelerator; on the CPU as many as torch uses, since other workers share the cores."""
        return min(16, os.cpu_count() or 1) if self.device.type != "cpu" else torch.get_num_threads()

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """uint8 pixels (N, 3, S, S) as the model's input: float32, (pixels / 255 - mean) / std, on the device."""
        scaled = (pixels.to(self.device, non_blocking=True).float() / 255 - self._mean) / self._std
        return scaled.contiguous(memory_format=torch.channels_last)

    def tokens(self, texts: Sequence[str]) -> torch.Tensor:
        """(len(texts), L) token numbers, on the device."""
        tokens: torch.Tensor = self.tokenizer(list(texts))
        highest, known = int(tokens.max()), self._vocabulary
        if known is not None and highest >= known:
            raise InputError(
                f"model '{self.spec.name}': its tokenizer gives token {highest}, but its text tower has {known} tokens",
                "add its vocabulary to the suite file as `bpe`, or put its tokenizer beside its weights",
            )
        return tokens.to(self.device)

    @property
    def _vocabulary(self) -> int | None:
        """Number of tokens of the text tower; None where its embedding of tokens is not found."""
        for name, module in self.model.named_modules():
            # open_clip's own text towers, and those of transformers
            if name.rpartition(".")[2] in ("token_embedding", "word_embeddings", "embed_tokens"):
                return int(module.num_embeddings)
        return None

    def encode(self, images: NDArray[np.uint8] | Sequence[Item]) -> dict[str, NDArray[np.float32]]:
        """`image` (N, D), and for a vision-only model with a classifier `source` (N, Z) posteriors and `energy` (N,)."""
        chunks = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
        results = []
        # a second thread decodes the next chunk while this one runs the model
        with ThreadPoolExecutor(1) as decoder:
            decoding = decoder.submit(self._pixels, chunks[0])
            for next_chunk in [*chunks[1:], None]:
                pixels = decoding.result()
                if next_chunk is not None:
                    decoding = decoder.submit(self._pixels, next_chunk)
                results.append(self._encode_pixels(pixels))
        return {name: np.concatenate([result[name] for result in results]) for name in results[0]}

    def encode_images(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        """Image embeddings, float32 (N, D): unit rows; for a vision-only model the features before its classifier, unscaled."""
        return self._encode_pixels(pixels)["image"]

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Text embeddings, float32 (len(texts), D): unit rows."""
        with torch.inference_mode(), self.casting():
            rows = [self.model.encode_text(part, normalize=True).float() for part in self.tokens(texts).split(BATCH)]
        return torch.cat(rows).cpu().numpy()

    @contextlib.contextmanager
    def casting(self) -> Iterator[None]:
        """A context in which forward passes run in the model's `precision`."""
        dtype = DTYPES.get(self.spec.precision)
        with torch.autocast(self.device.type, dtype, enabled=dtype is not None):
            yield

    def _encode_pixels(self, pixels: torch.Tensor) -> dict[str, NDArray[np.float32]]:
        if not self.batch:
            self.batch = self._fastest_batch(pixels)
        results, start = [], 0
        while start < len(pixels):
            try:
                results.append(self._forward(pixels[start : start + self.batch]))
                start += self.batch
            except RuntimeError as error:
                if not _is_out_of_memory(error):
                    raise
                if self.batch == 1:
                    raise InputError(
                        f"model '{self.spec.name}': one image does not fit into the memory of {self.device}",
                        "give --device cpu",
                    ) from None
                self.batch //= 2  # then the same rows again, since `start` has not moved
        return {name: torch.cat([result[name] for result in results]).cpu().numpy() for name in results[0]}

    def _forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        with torch.inference_mode(), self.casting():
            return self.outputs(self.normalise(pixels))

    def outputs(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """The arrays of `encode` for normalised inputs (n, 3, S, S), on the device."""
        if not self.spec.vision_only:
            return {"image": self.model.encode_image(inputs, normalize=True).float()}
        hidden = self.model.forward_features(inputs)
        features = self.model.forward_head(hidden, pre_logits=True).float()
        if not self.model.num_classes:
            return {"image": features}
        # float64, whatever the precision of the forward pass
        logits = self.model.forward_head(hidden).double()
        # energy: log sum exp of the logits, over the Z source classes
        return {"image": features, "source": logits.softmax(1).float(), "energy": logits.logsumexp(1).float()}

    def _fastest_batch(self, pixels: torch.Tensor) -> int:
        """Time growing batches until the images or the memory run out, or the speed no longer grows; the best of them."""
        best, best_rate = BATCH_CANDIDATES[0], 0.0
        for batch in BATCH_CANDIDATES:
            if batch > len(pixels):
                break
            try:
                self._forward(pixels[:batch])  # warm-up
                started = time.perf_counter()
                self._forward(pixels[:batch])
                self.synchronize()
            except RuntimeError as error:
                if not _is_out_of_memory(error):
                    raise
                break
            rate = batch / (time.perf_counter() - started)
            if rate < MIN_SPEEDUP * best_rate:
                break
            best, best_rate = batch, rate
        return best

    def synchronize(self) -> None:
        """Wait until the device has finished all submitted work."""
        if self.device.type != "cpu":
            torch.accelerator.synchronize(self.device)


def _is_out_of_memory(error: RuntimeError) -> bool:
    # torch.OutOfMemoryError is raised for accelerators only; for the CPU the text is all there is
    texts = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in texts)
