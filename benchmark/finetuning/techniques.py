"""Ways to fine-tune. A technique is a function from a workbench, a task, its hyperparameters and a seed to a `Tuned`.

Every technique minimises a cross-entropy by AdamW or SGD with warm-up and cosine decay, and keeps the epoch that is best on
val. All but the linear probe classify by the scaled similarities of images and class texts (sigmoid models through their own
scale and bias). A package adds techniques through the entry-point group `benchmark.finetuning.techniques`.
"""

import copy
import importlib.metadata
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from benchmark.errors import InputError
from benchmark.finetuning.workbench import Workbench, average_templates
from benchmark.suites.suite import TECHNIQUES_GROUP
from benchmark.tasks.cards import Card

Tensor = torch.Tensor
VAL_BATCH = 512


@dataclass(frozen=True)
class TrainingResult:
    """The outcome of one run. after: test accuracy on every task; curve: val accuracy after each epoch; trained: parameters."""

    after: dict[str, float]
    curve: list[float]
    steps: int
    trained: int
    device: str = "cpu"
    precision: str = "fp32"


Options = Mapping[str, float | str]
Technique = Callable[[Workbench, Card, Options, int], TrainingResult]
Prepare = Callable[[nn.Module, Options], Iterable[nn.Parameter]]


def accuracy(logits: Tensor, labels: Tensor) -> float:
    return float((logits.argmax(1) == labels).double().mean())


def fit(
    parameters: Iterable[nn.Parameter],
    logits: Callable[[Tensor], Tensor],
    labels: Tensor,
    val_accuracy: Callable[[], float],
    options: Options,
    seed: int,
) -> tuple[list[float], int]:
    """Train `parameters`; leaves them as they were after the epoch that is best on val.

    logits: row numbers of the train split to (rows, C) logits. Returns val accuracy per epoch, and the number of steps.
    Of the options: `accumulate` parts make one batch; after `patience` epochs without a better val accuracy it stops; `schedule` is
    "cosine" or "constant" after the warm-up; gradients are clipped to the norm `clip` (1; 0: not at all).
    """
    parameters = list(parameters)
    rate, batch, epochs = float(options["rate"]), int(options["batch"]), int(options["epochs"])
    optimizer = _optimizer(parameters, options)
    part, patience = math.ceil(batch / int(options.get("accumulate", 1))), int(options.get("patience", epochs))
    per_epoch = math.ceil(len(labels) / batch)
    steps, warm = per_epoch * epochs, max(1, round(float(options.get("warmup", 0.0)) * per_epoch * epochs))
    cosine, clip = options.get("schedule", "cosine") == "cosine", float(options.get("clip", 1.0))
    chance = torch.Generator().manual_seed(seed)
    curve: list[float] = []
    best: list[Tensor] = []
    step = since = 0
    while len(curve) < epochs and since < patience:
        for rows in torch.randperm(len(labels), generator=chance).split(batch):
            decay = 0.5 * (1 + math.cos(math.pi * max(0, step - warm) / max(1, steps - warm))) if cosine else 1.0
            optimizer.param_groups[0]["lr"] = rate * min((step + 1) / warm, decay)
            optimizer.zero_grad()
            for some in rows.split(part):
                loss: Tensor = F.cross_entropy(logits(some), labels[some]) * (len(some) / len(rows))
                loss.backward()
            if clip:
                nn.utils.clip_grad_norm_(parameters, clip)
            optimizer.step()
            step += 1
        since += 1
        curve.append(val_accuracy())
        if curve[-1] > max(curve[:-1], default=-1.0):
            best, since = [p.detach().clone() for p in parameters], 0
    with torch.no_grad():
        for parameter, value in zip(parameters, best, strict=True):
            parameter.copy_(value)
    return curve, step


def _optimizer(parameters: list[nn.Parameter], options: Options) -> torch.optim.Optimizer:
    rate, decay = float(options["rate"]), float(options.get("weight_decay", 0.0))
    if options.get("optimizer", "adamw") == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=float(options.get("momentum", 0.9)), weight_decay=decay)
    return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True)


# techniques inside the towers

BLOCK = re.compile(r"\.(resblocks|blocks|layers?|h)\.\d+\.")
PROJECTION = re.compile(r"\.(in_proj|qkv|q_proj|k_proj|v_proj|query|key|value|q|k|v)[._](weight|bias)$")
# a projection's weight to which of three equal bands of its rows are queries and values
LOW_RANK = {"in_proj_weight": (0, 2), "qkv.weight": (0, 2)} | {
    f"{name}.weight": (0,) for name in ("q_proj", "v_proj", "query", "value", "q", "v")
}


def _everything(model: nn.Module, options: Options) -> Iterable[nn.Parameter]:
    return model.parameters()


def _biases(model: nn.Module, options: Options) -> Iterable[nn.Parameter]:
    return (p for name, p in model.named_parameters() if BLOCK.search(name) and name.endswith("bias"))


def _projections(model: nn.Module, options: Options) -> Iterable[nn.Parameter]:
    wanted = ("weight", "bias") if options.get("biases", 1.0) else ("weight",)
    return (
        p
        for name, p in model.named_parameters()
        if BLOCK.search(name) and PROJECTION.search(name) and name.endswith(wanted)
    )


class LowRank(nn.Module):
    """W to W + scale * up @ down on some of the bands of W's rows; `up` starts at zero, so that it starts as the identity."""

    def __init__(self, weight: Tensor, bands: tuple[int, ...], rank: int, scale: float, deviation: float = 0.0) -> None:
        super().__init__()
        self.count = 1 if bands == (0,) else 3
        self.bands, self.scale = bands, scale
        rows, columns = weight.shape[0] // self.count, weight.shape[1]
        drawn = torch.randn(len(bands), rank, columns, device=weight.device)
        self.down = nn.Parameter(drawn * deviation if deviation else drawn / columns**0.5)
        self.up = nn.Parameter(torch.zeros(len(bands), rows, rank, device=weight.device))

    def forward(self, weight: Tensor) -> Tensor:
        changes: list[Tensor | None] = [None] * self.count
        for band, change in zip(self.bands, self.scale * self.up @ self.down, strict=True):
            changes[band] = change
        parts = zip(weight.chunk(self.count), changes, strict=True)
        return torch.cat([part if change is None else part + change for part, change in parts])


def _low_rank(model: nn.Module, options: Options) -> Iterable[nn.Parameter]:
    rank, scale = int(options.get("rank", 16)), float(options.get("scale", 0.2))
    deviation = float(options.get("deviation", 0.0))
    added: list[nn.Parameter] = []
    for name, _ in list(model.named_parameters()):
        bands = next((LOW_RANK[end] for end in LOW_RANK if name.endswith(f".{end}")), None)
        if bands and BLOCK.search(name):
            where, _, tensor = name.rpartition(".")
            module = model.get_submodule(where)
            low = LowRank(getattr(module, tensor), bands, rank, scale, deviation)
            parametrize.register_parametrization(module, tensor, low)
            added += [low.down, low.up]
    return added


def _fold(model: nn.Module) -> None:
    """Put what parametrizations compute into the weights themselves."""
    for module in list(model.modules()):
        if parametrize.is_parametrized(module):
            for tensor in list(module.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(module, tensor, leave_parametrized=True)


def _in_towers(
    name: str, prepare: Prepare, bench: Workbench, card: Card, options: Options, seed: int
) -> TrainingResult:
    """Train what `prepare` chooses, as far as the classifier depends on it, in a copy of the model.

    Where there is an accelerator it is used, with the towers in bfloat16 (option `precision`: "fp32" or "bf16"); weights, similarities
    and loss stay in float32.
    """
    encoder = copy.copy(bench.encoder)
    encoder.model = copy.deepcopy(bench.encoder.model)
    train, val = bench.pixels(card, "train"), bench.pixels(card, "val")
    labels, val_labels = (bench.labels(card, split).to(encoder.device) for split in ("train", "val"))
    prompts = encoder.tokens(card.prompts())
    kind = encoder.device.type
    precision = str(options.get("precision", "fp32" if kind == "cpu" else "bf16"))

    def classify(pixels: Tensor) -> Tensor:
        with torch.autocast(kind, torch.bfloat16, enabled=precision == "bf16"):
            images = encoder.model.encode_image(encoder.normalise(pixels), normalize=True).float()
            prompted = encoder.model.encode_text(prompts, normalize=True).float()
        texts = average_templates(prompted, len(card.templates))
        return encoder.logit_scale * images @ texts.T + encoder.logit_bias

    def val_accuracy() -> float:
        encoder.model.eval()
        with torch.inference_mode():
            found = accuracy(torch.cat([classify(part) for part in val.parts(VAL_BATCH)]), val_labels)
        encoder.model.train()
        return found

    encoder.model.requires_grad_(False)
    torch.manual_seed(seed)  # not before the model is loaded, which draws numbers too
    chosen = list(prepare(encoder.model, options))
    for parameter in chosen:
        parameter.requires_grad_(True)
    encoder.model.train()
    chosen = _reached(chosen, lambda: classify(train[:2])) if chosen else []
    if not chosen:
        raise InputError(
            f"technique '{name}' finds nothing to train on model '{bench.model.name}': no parameter of its towers has a name "
            "that the technique knows; take another technique, or leave this model out of the suite"
        )
    curve, steps = fit(chosen, lambda rows: classify(train[rows]), labels, val_accuracy, options, seed)
    encoder.model.eval()
    _fold(encoder.model)
    return TrainingResult(bench.accuracies(encoder), curve, steps, sum(p.numel() for p in chosen), kind, precision)


def _reached(parameters: list[nn.Parameter], logits: Callable[[], Tensor]) -> list[nn.Parameter]:
    """Those on which the classifier depends: CoCa's text decoder, for one, is not among them."""
    gradients = torch.autograd.grad(logits().sum(), parameters, allow_unused=True)
    return [p for p, gradient in zip(parameters, gradients, strict=True) if gradient is not None]


def full(bench: Workbench, card: Card, options: Options, seed: int) -> TrainingResult:
    """Everything is trained: both towers and the scale."""
    return _in_towers("full", _everything, bench, card, options, seed)


def bitfit(bench: Workbench, card: Card, options: Options, seed: int) -> TrainingResult:
    """The biases of the transformer blocks of both towers (Ben Zaken et al., 2022)."""
    return _in_towers("bitfit", _biases, bench, card, options, seed)


def attention(bench: Workbench, card: Card, options: Options, seed: int) -> TrainingResult:
    """The input projections (query, key, value) of self-attention in the transformer blocks of both towers.

    Option `biases` (1): 0 leaves their biases as they are.
    """
    return _in_towers("attention", _projections, bench, card, options, seed)


def lora(bench: Workbench, card: Card, options: Options, seed: int) -> TrainingResult:
    """Low-rank changes of the query and value projections in the transformer blocks of both towers (Hu et al., 2022).

    Options `rank` (16); `scale` (0.2), by which the product is multiplied; `deviation` of the first factor at the start (1/√width).
    """
    return _in_towers("lora", _low_rank, bench, card, options, seed)


# techniques on frozen embeddings: no image is encoded again


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


def clip_adapter(bench: Workbench, card: Card, options: Options, seed: int) -> TrainingResult:
    """Two bottleneck adapters on the frozen towers' embeddings (Gao et al., 2021).

    Options `reduction` (4), of the width, and `ratio` (0.2), of the adapted part in the mixture.
    """
    width, reduction, ratio = bench.width, int(options.get("reduction", 4)), float(options.get("ratio", 0.2))
    torch.manual_seed(seed)
    module = nn.ModuleDict({"image": _Adapter(width, reduction, ratio), "text": _Adapter(width, reduction, ratio)})
    labels, val_labels = bench.labels(card, "train"), bench.labels(card, "val")
    train, val = bench.embeddings(card, "train"), bench.embeddings(card, "val")

    def classify(images: Tensor, of: Card) -> Tensor:
        return bench.scale * module["image"](images) @ module["text"](bench.texts(of)).T + bench.bias

    def val_accuracy() -> float:
        with torch.no_grad():
            return accuracy(classify(val, card), val_labels)

    parameters = list(module.parameters())
    curve, steps = fit(parameters, lambda rows: classify(train[rows], card), labels, val_accuracy, options, seed)
    with torch.no_grad():
        after = {
            other.name: accuracy(classify(bench.embeddings(other, "test"), other), bench.labels(other, "test"))
            for other in bench.tasks
        }
    return TrainingResult(after, curve, steps, sum(p.numel() for p in parameters))


def linear_probe(bench: Workbench, card: Card, options: Options, seed: int) -> TrainingResult:
    """A linear classifier from zero on the frozen image embeddings, times the model's scale. The towers stay: nothing is forgotten."""
    head = nn.Linear(bench.width, len(card.classes))
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    train, val, test = (bench.scale * bench.embeddings(card, split) for split in ("train", "val", "test"))
    labels, val_labels = bench.labels(card, "train"), bench.labels(card, "val")

    def accuracy_on(rows: Tensor, of: Tensor) -> float:
        with torch.no_grad():
            return accuracy(head(rows), of)

    parameters = list(head.parameters())
    curve, steps = fit(
        parameters, lambda rows: head(train[rows]), labels, lambda: accuracy_on(val, val_labels), options, seed
    )
    after = dict(bench.before) | {card.name: accuracy_on(test, bench.labels(card, "test"))}
    return TrainingResult(after, curve, steps, sum(p.numel() for p in parameters))


TECHNIQUES: dict[str, Technique] = {
    "full": full,
    "bitfit": bitfit,
    "attention": attention,
    "lora": lora,
    "clip_adapter": clip_adapter,
    "linear_probe": linear_probe,
}


def known_techniques() -> dict[str, Technique]:
    """The techniques of this package and those behind installed packages' entry points. Raises InputError for one that cannot be had."""
    found = dict(TECHNIQUES)
    for point in importlib.metadata.entry_points(group=TECHNIQUES_GROUP):
        if point.name in found:
            raise InputError(f"technique '{point.name}' ({point.value}) is named like another technique; rename it")
        try:
            found[point.name] = point.load()
        except Exception as problem:  # a module may do anything while it is imported
            raise InputError(
                f"technique '{point.name}' cannot be loaded from {point.value}: {type(problem).__name__}: {problem}; "
                "mend or uninstall it"
            ) from None
    return found
