"""What a model is to the suite: its name, and what it is loaded from."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Model:
    """A model as the suite names it, and what it is run on.

    load: what open_clip loads (`ARCHITECTURE/TAG`, `hf-hub:ORG/NAME`, `local-dir:PATH`, or an architecture with `weights`), or
    `timm:` before what timm loads, for a vision-only encoder with its source classifier. weights: a local checkpoint.
    bpe: a vocabulary of the text tower's own. device: blank for the accelerator, or the CPU where there is none.
    """

    name: str
    load: str
    bpe: Path | None = None
    weights: Path | None = None
    device: str = ""
    precision: str = "fp32"

    @property
    def vision_only(self) -> bool:
        return self.load.startswith("timm:")
