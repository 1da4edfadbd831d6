"""Encoders: open_clip models, loaded and run. The only door to torch on the way to a score."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import benchmark.pocket.families as _pocket_towers  # noqa: F401  registers the pocket suite's image towers with timm
from benchmark.errors import InputError
from benchmark.sources import Examples, read_image
from benchmark.suite import Model

BATCH = 128


def accelerator() -> torch.device:
    """The accelerator of this machine, or the CPU where there is none."""
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found or torch.device("cpu")


class Encoder:
    """One model, ready to embed, on the accelerator where there is one.

    model: the open_clip module in evaluation mode, float32.  pixels(): images as the uint8 tensor (N, 3, S, S) that
    `normalise` turns into the model's input, so that a task is decoded once and kept small.
    """

    def __init__(self, spec: Model) -> None:
        import open_clip

        try:
            self.model, _, self.preprocess = open_clip.create_model_and_transforms(spec.load)
            self.tokenizer = open_clip.get_tokenizer(spec.load, **({"bpe_path": str(spec.bpe)} if spec.bpe else {}))
        except (OSError, RuntimeError, ValueError) as problem:
            raise InputError(
                f"model '{spec.name}': open_clip cannot load '{spec.load}': {str(problem).splitlines()[0]}"
            ) from None
        self.device = accelerator()
        self.model.eval().to(self.device)
        self.size = int(np.atleast_1d(self.model.visual.image_size)[0])
        *self._shape, last = self.preprocess.transforms
        self._mean, self._std = (
            torch.tensor(values, device=self.device).view(1, 3, 1, 1) for values in (last.mean, last.std)
        )

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
        images = examples.images
        if isinstance(images, np.ndarray) and images.shape[1:3] == (self.size, self.size):
            return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
        from PIL import Image

        out = torch.empty((len(images), 3, self.size, self.size), dtype=torch.uint8)
        for i, item in enumerate(images):
            image: Any = read_image(item) if isinstance(item, Path) else Image.fromarray(item)
            for step in self._shape:
                image = step(image)
            out[i] = (image * 255).round().to(torch.uint8)
        return out

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        return (pixels.to(self.device).float() / 255 - self._mean) / self._std

    def tokens(self, texts: Sequence[str]) -> torch.Tensor:
        """(len(texts), L) token numbers, where the model is."""
        tokens: torch.Tensor = self.tokenizer(list(texts)).to(self.device)
        return tokens

    def encode_images(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        """Unit image embeddings, float32 (N, D)."""
        with torch.inference_mode():
            rows = [self.model.encode_image(self.normalise(part), normalize=True) for part in pixels.split(BATCH)]
        return torch.cat(rows).float().cpu().numpy()

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit text embeddings, float32 (len(texts), D)."""
        with torch.inference_mode():
            rows = [self.model.encode_text(part, normalize=True) for part in self.tokens(texts).split(BATCH)]
        return torch.cat(rows).float().cpu().numpy()
