"""The specification of a model: its name in the suite, and the files it is loaded from."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Model:
    """A model of a suite, and the device and precision it runs in.

    load: the argument for open_clip (`ARCHITECTURE/TAG`, `hf-hub:ORG/NAME`, `local-dir:PATH`, or an architecture if `weights` is
    given), or `timm:` and the argument for timm, for a vision-only encoder with its source classifier.
    weights: a local checkpoint.  bpe: a vocabulary file for the text tower.
    family: its architecture or method, for a suite that fine-tunes families with different options.
    device: "" for the accelerator, or for the CPU if there is none.  precision: fp32, bf16 or fp16, of the forward pass.
    """

    name: str
    load: str
    bpe: Path | None = None
    weights: Path | None = None
    device: str = ""
    precision: str = "fp32"
    family: str = ""

    @property
    def vision_only(self) -> bool:
        return self.load.startswith("timm:")
