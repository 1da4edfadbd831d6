"""The training loop: AdamW or SGD with warm-up and decay, keeping the epoch with the best val accuracy."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from benchmark.suites.techniques import Options

Tensor = torch.Tensor


@dataclass(frozen=True)
class TrainingResult:
    """The result of one run.

    after: test accuracy on every task.  curve: val accuracy after each epoch.  steps: of the optimizer.  trained: number of parameters.
    drift, kl: how far the model moved on its own task (see `benchmark.finetuning.workbench.Evaluation`); None if not computed.
    """

    after: dict[str, float]
    curve: list[float]
    steps: int
    trained: int
    drift: float | None = None
    kl: float | None = None
    device: str = "cpu"
    precision: str = "fp32"


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of rows of logits (N, C) whose largest is that of the label (N,)."""
    return float((logits.argmax(1) == labels).double().mean())


def count_parameters(parameters: Iterable[nn.Parameter]) -> int:
    return sum(parameter.numel() for parameter in parameters)


def fit(
    parameters: Iterable[nn.Parameter],
    logits: Callable[[Tensor], Tensor],
    labels: Tensor,
    *,
    val_accuracy: Callable[[], float],
    options: Options,
    seed: int,
) -> tuple[list[float], int]:
    """Train `parameters` on the cross-entropy; leaves them as they were after the epoch with the best val accuracy.

    logits: row numbers of the train split to logits (rows, C).  labels: (N,) of the train split.  options: all common options of
    `benchmark.suites.techniques`.  seed: of the order of the rows.  Returns val accuracy per epoch, and the number of steps.
    """
    parameters = list(parameters)
    batch, epochs = options["batch"], options["epochs"]
    optimizer = _optimizer(parameters, options)
    # samples per forward pass
    part = math.ceil(batch / options["accumulate"])
    # without patience an epoch limit that never stops early
    patience = options["patience"] or epochs
    # the last batch of an epoch may be smaller
    steps = math.ceil(len(labels) / batch) * epochs
    # its own generator, so that dropout or initial weights do not change the order of the rows
    generator = torch.Generator().manual_seed(seed)
    curve: list[float] = []
    best: list[Tensor] = []
    step = epochs_since_best = 0
    while len(curve) < epochs and epochs_since_best < patience:
        for rows in torch.randperm(len(labels), generator=generator).split(batch):
            optimizer.param_groups[0]["lr"] = _learning_rate(step, steps, options)
            optimizer.zero_grad()
            for some in rows.split(part):
                # weighted by its share, so that the sum of the parts' gradients is that of the whole batch
                loss: Tensor = F.cross_entropy(logits(some), labels[some]) * (len(some) / len(rows))
                loss.backward()
            if options["clip"]:
                # of all parameters together: g * min(1, clip / |g|)
                nn.utils.clip_grad_norm_(parameters, options["clip"])
            optimizer.step()
            step += 1
        epochs_since_best += 1
        curve.append(val_accuracy())
        # of equally good epochs the first is kept
        if curve[-1] > max(curve[:-1], default=-1.0):
            # copies, as the optimizer changes parameters in place
            best, epochs_since_best = [parameter.detach().clone() for parameter in parameters], 0
    with torch.no_grad():
        # back to the best epoch
        for parameter, value in zip(parameters, best, strict=True):
            parameter.copy_(value)
    return curve, step


def _learning_rate(step: int, steps: int, options: Options) -> float:
    """rate · min((step + 1) / warm, ½(1 + cos(π (step − warm) / (steps − warm)))), warm = warmup · steps; constant: without the cosine."""
    # at least one step, since it divides
    warm = max(1, round(options["warmup"] * steps))
    decay = 1.0
    if options["schedule"] == "cosine":
        decay = 0.5 * (1 + math.cos(math.pi * max(0, step - warm) / max(1, steps - warm)))
    rate: float = options["rate"]
    return rate * min((step + 1) / warm, decay)


def _optimizer(parameters: list[nn.Parameter], options: Options) -> torch.optim.Optimizer:
    rate, decay = options["rate"], options["weight_decay"]
    if options["optimizer"] == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=options["momentum"], weight_decay=decay)
    # fused: one kernel for all parameters, which matters for small models
    return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True)
