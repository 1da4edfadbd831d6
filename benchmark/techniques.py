"""Ways to fine-tune. A technique is a function from a workbench, a task, its hyperparameters and a seed to a `Tuned`.

Every technique minimises the cross-entropy of the text classifier's scaled similarities (sigmoid models through their own
scale and bias), by AdamW with warm-up and cosine decay, and keeps the epoch that is best on val.
"""

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from benchmark.cards import Card
from benchmark.workbench import Workbench, average_templates

Tensor = torch.Tensor


@dataclass(frozen=True)
class Tuned:
    """The outcome of one run. after: test accuracy on every task; curve: val accuracy after each epoch."""

    after: dict[str, float]
    curve: list[float]
    steps: int
    trained: int


Technique = Callable[[Workbench, Card, Mapping[str, float], int], Tuned]


def accuracy(logits: Tensor, labels: Tensor) -> float:
    return float((logits.argmax(1) == labels).double().mean())


def fit(
    module: nn.Module,
    logits: Callable[[Tensor], Tensor],
    labels: Tensor,
    val_accuracy: Callable[[], float],
    options: Mapping[str, float],
    seed: int,
) -> tuple[list[float], int]:
    """Train the parameters of `module` that want gradients; leaves it as it was after the epoch that is best on val.

    logits: row numbers of the train split to (rows, C) logits. Returns val accuracy per epoch, and the number of steps.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=options["rate"], weight_decay=options.get("weight_decay", 0.0))
    batch, epochs = int(options["batch"]), int(options["epochs"])
    per_epoch = math.ceil(len(labels) / batch)
    steps, warm = per_epoch * epochs, max(1, round(options.get("warmup", 0.0) * per_epoch * epochs))
    chance = torch.Generator().manual_seed(seed)
    curve: list[float] = []
    best: dict[str, Tensor] = {}
    step = 0
    for _ in range(epochs):
        module.train()
        for rows in torch.randperm(len(labels), generator=chance).split(batch):
            decay = 0.5 * (1 + math.cos(math.pi * max(0, step - warm) / max(1, steps - warm)))
            optimizer.param_groups[0]["lr"] = options["rate"] * min((step + 1) / warm, decay)
            loss = F.cross_entropy(logits(rows), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            step += 1
        module.eval()
        curve.append(val_accuracy())
        if curve[-1] > max(curve[:-1], default=-1.0):
            best = {name: value.detach().clone() for name, value in module.state_dict().items()}
    module.load_state_dict(best)
    return curve, step


def full(bench: Workbench, card: Card, options: Mapping[str, float], seed: int) -> Tuned:
    """Everything is trained: both towers and the scale."""
    torch.manual_seed(seed)
    encoder = copy.copy(bench.encoder)
    encoder.model = copy.deepcopy(bench.encoder.model)
    train, val = bench.pixels(card, "train"), bench.pixels(card, "val")
    labels, val_labels = bench.labels(card, "train"), bench.labels(card, "val")
    prompts = bench.tokens(card)

    def classify(pixels: Tensor, tokens: Tensor, templates: int) -> Tensor:
        images = encoder.model.encode_image(encoder.normalise(pixels), normalize=True)
        texts = average_templates(encoder.model.encode_text(tokens, normalize=True), templates)
        return encoder.logit_scale * images @ texts.T + encoder.logit_bias

    def val_accuracy() -> float:
        with torch.inference_mode():
            return accuracy(classify(val, prompts, len(card.templates)), val_labels)

    curve, steps = fit(
        encoder.model,
        lambda rows: classify(train[rows], prompts, len(card.templates)),
        labels,
        val_accuracy,
        options,
        seed,
    )
    return Tuned(bench.accuracies(encoder), curve, steps, sum(p.numel() for p in encoder.model.parameters()))


class _Adapter(nn.Module):
    """A bottleneck: down by `reduction`, ReLU, up, ReLU, no biases; mixed into its input with weight `ratio`."""

    def __init__(self, width: int, reduction: int, ratio: float) -> None:
        super().__init__()
        self.down, self.up = (
            nn.Linear(width, width // reduction, bias=False),
            nn.Linear(width // reduction, width, bias=False),
        )
        self.ratio = ratio

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.ratio * F.relu(self.up(F.relu(self.down(x)))) + (1 - self.ratio) * x
        return F.normalize(mixed, dim=-1)


def clip_adapter(bench: Workbench, card: Card, options: Mapping[str, float], seed: int) -> Tuned:
    """Two bottleneck adapters on the frozen towers' embeddings (Gao et al., 2021); trained on cached embeddings, no image is encoded again."""
    torch.manual_seed(seed)
    width, reduction, ratio = bench.width, int(options.get("reduction", 4)), options.get("ratio", 0.2)
    module = nn.ModuleDict({"image": _Adapter(width, reduction, ratio), "text": _Adapter(width, reduction, ratio)})
    labels, val_labels = bench.labels(card, "train"), bench.labels(card, "val")
    train, val = bench.embeddings(card, "train"), bench.embeddings(card, "val")

    def classify(images: Tensor, of: Card) -> Tensor:
        return bench.scale * module["image"](images) @ module["text"](bench.texts(of)).T + bench.bias

    def val_accuracy() -> float:
        with torch.inference_mode():
            return accuracy(classify(val, card), val_labels)

    curve, steps = fit(module, lambda rows: classify(train[rows], card), labels, val_accuracy, options, seed)
    with torch.inference_mode():
        after = {
            other.name: accuracy(classify(bench.embeddings(other, "test"), other), bench.labels(other, "test"))
            for other in bench.tasks
        }
    return Tuned(after, curve, steps, sum(p.numel() for p in module.parameters()))


TECHNIQUES: dict[str, Technique] = {"full": full, "clip_adapter": clip_adapter}
