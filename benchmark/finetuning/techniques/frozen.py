"""Fine-tuning on frozen embeddings: no image is encoded again."""

import torch
from torch import nn
from torch.nn import functional as F

from benchmark.finetuning.techniques.training import TrainingResult, accuracy, count_parameters, fit
from benchmark.finetuning.workbench import Workbench
from benchmark.suites.techniques import Options
from benchmark.tasks.cards import Card

Tensor = torch.Tensor


class Adapter(nn.Module):
    """normalise(ratio · relu(up relu(down x)) + (1 − ratio) · x) of unit rows x (N, D); no biases."""

    def __init__(self, width: int, reduction: int, ratio: float) -> None:
        super().__init__()
        self.down, self.up = (
            nn.Linear(width, width // reduction, bias=False),
            nn.Linear(width // reduction, width, bias=False),
        )
        self.ratio = ratio

    def forward(self, x: Tensor) -> Tensor:
        # a residual mixture: ratio 0 leaves the embedding, ratio 1 replaces it
        mixed = self.ratio * F.relu(self.up(F.relu(self.down(x)))) + (1 - self.ratio) * x
        return F.normalize(mixed, dim=-1)


def tune_adapters(bench: Workbench, card: Card, options: Options, seed: int) -> TrainingResult:
    """Train an adapter of the images and one of the class texts; other tasks are evaluated through both."""
    torch.manual_seed(seed)
    # the seed above is that of the initial weights; `fit` seeds the order of the rows
    adapters = nn.ModuleDict(
        {tower: Adapter(bench.width, options["reduction"], options["ratio"]) for tower in ("image", "text")}
    )
    train, val = bench.embeddings(card, "train"), bench.embeddings(card, "val")

    def classify(images: Tensor, task: Card) -> Tensor:
        # (N, D) @ (D, C): both sides are unit rows again, so these are scaled cosines
        return bench.scale * adapters["image"](images) @ adapters["text"](bench.texts(task)).T + bench.bias

    def val_accuracy() -> float:
        with torch.no_grad():
            return accuracy(classify(val, card), bench.labels(card, "val"))

    parameters = list(adapters.parameters())
    curve, steps = fit(
        parameters,
        lambda rows: classify(train[rows], card),
        bench.labels(card, "train"),
        val_accuracy=val_accuracy,
        options=options,
        seed=seed,
    )
    with torch.no_grad():
        after = {}
        for task in bench.tasks:
            rows = bench.test_rows(task, card)
            logits = classify(bench.embeddings(task, "test")[rows], task)
            after[task.name] = accuracy(logits, bench.labels(task, "test")[rows])
        images = adapters["image"](bench.embeddings(card, "test"))
        drift, kl = bench.distance(card, images=images, logits=classify(bench.embeddings(card, "test"), card))
    return TrainingResult(after, curve, steps, trained=count_parameters(parameters), drift=drift, kl=kl)


def tune_linear_classifier(bench: Workbench, card: Card, options: Options, seed: int) -> TrainingResult:
    """Train logits = W (scale · x) + b from W = 0, b = 0. Other tasks keep their zero-shot accuracy."""
    # W is (C, D); zero weights start from equal probabilities, so no seed is needed for them
    head = nn.Linear(bench.width, len(card.classes))
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    # scaled as the similarities of the zero-shot classifier are, so that learning rates are comparable
    train, val, test = (bench.scale * bench.embeddings(card, split) for split in ("train", "val", "test"))

    def accuracy_on(rows: Tensor, split: str) -> float:
        with torch.no_grad():
            return accuracy(head(rows), bench.labels(card, split))

    parameters = list(head.parameters())
    curve, steps = fit(
        parameters,
        lambda rows: head(train[rows]),
        bench.labels(card, "train"),
        val_accuracy=lambda: accuracy_on(val, "val"),
        options=options,
        seed=seed,
    )
    after = bench.before(card) | {card.name: accuracy_on(test, "test")}
    with torch.no_grad():
        # the images stay where they were; only the classifier is new
        drift, kl = bench.distance(card, images=None, logits=head(test))
    return TrainingResult(after, curve, steps, trained=count_parameters(parameters), drift=drift, kl=kl)
