"""Low-rank changes of weights, as parametrizations of a model."""

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.utils import parametrize

from benchmark.finetuning.techniques.towers import BLOCK

Tensor = torch.Tensor
# A projection's weight to the bands of its rows that are queries and values. open_clip and timm stack queries, keys and values
# in three equal bands of one weight; others have a weight for each.
BANDS = {"in_proj_weight": (0, 2), "qkv.weight": (0, 2)} | {
    f"{name}.weight": (0,) for name in ("q_proj", "v_proj", "query", "value", "q", "v")
}


class LowRank(nn.Module):
    """W to W + scale · up @ down on some bands of the rows of W; `up` (rows, rank) starts at zero, so that W starts unchanged."""

    def __init__(
        self, weight: Tensor, bands: tuple[int, ...], *, rank: int, scale: float, deviation: float = 0.0
    ) -> None:
        super().__init__()
        # bands in which the rows of the weight are stacked: one, or queries, keys and values
        self.count = 1 if bands == (0,) else 3
        self.bands, self.scale = bands, scale
        rows, columns = weight.shape[0] // self.count, weight.shape[1]
        # (bands, rank, columns); a deviation of 1/sqrt(columns) keeps the size of the inputs
        normal = torch.randn(len(bands), rank, columns, device=weight.device)
        self.down = nn.Parameter(normal * deviation if deviation else normal / columns**0.5)
        self.up = nn.Parameter(torch.zeros(len(bands), rows, rank, device=weight.device))

    def forward(self, weight: Tensor) -> Tensor:
        # band by band; None where the band stays as it is, which is that of the keys
        changes: list[Tensor | None] = [None] * self.count
        # (bands, rows, rank) @ (bands, rank, columns), one product per band
        for band, change in zip(self.bands, self.scale * self.up @ self.down, strict=True):
            changes[band] = change
        parts = zip(weight.chunk(self.count), changes, strict=True)
        return torch.cat([part if change is None else part + change for part, change in parts])


def add_low_rank(model: nn.Module, *, rank: int, scale: float, deviation: float) -> Iterable[nn.Parameter]:
    """Add low-rank changes to the query and value projections of all transformer blocks; returns the added parameters."""
    added: list[nn.Parameter] = []
    # a list first, since registering a parametrization renames parameters
    for name, _ in list(model.named_parameters()):
        bands = next((BANDS[ending] for ending in BANDS if name.endswith(f".{ending}")), None)
        if bands and BLOCK.search(name):
            # a parametrization belongs to the module that owns the tensor
            path, _, tensor = name.rpartition(".")
            module = model.get_submodule(path)
            change = LowRank(getattr(module, tensor), bands, rank=rank, scale=scale, deviation=deviation)
            parametrize.register_parametrization(module, tensor, change)
            added += [change.down, change.up]
    return added
