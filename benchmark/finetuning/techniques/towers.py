"""Fine-tuning inside the towers of a dual encoder: the classifier, the choice of parameters, and their training.

Images are classified by their scaled similarities to the class texts, of sigmoid models with their bias. Both towers are run at
every step, since both may change.
"""

import copy
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from benchmark.errors import InputError
from benchmark.finetuning.techniques.training import TrainingResult, accuracy, count_parameters, fit
from benchmark.finetuning.workbench import Workbench, average_templates
from benchmark.suites.techniques import Options
from benchmark.tasks.cards import Card

Tensor = torch.Tensor
Selection = Callable[[nn.Module], Iterable[nn.Parameter]]
VAL_BATCH = 512
# names of parameters in a transformer block of open_clip, timm and transformers
BLOCK = re.compile(r"\.(resblocks|blocks|layers?|h)\.\d+\.")
# names of the input projections of self-attention there
PROJECTION = re.compile(r"\.(in_proj|qkv|q_proj|k_proj|v_proj|query|key|value|q|k|v)[._](weight|bias)$")


def block_biases(model: nn.Module) -> Iterator[nn.Parameter]:
    """The biases of the transformer blocks of both towers."""
    return (p for name, p in model.named_parameters() if BLOCK.search(name) and name.endswith("bias"))


def attention_projections(model: nn.Module, *, biases: bool) -> Iterator[nn.Parameter]:
    """The weights, and with `biases` the biases, of the query, key and value projections of both towers."""
    endings = ("weight", "bias") if biases else ("weight",)
    return (
        p
        for name, p in model.named_parameters()
        if BLOCK.search(name) and PROJECTION.search(name) and name.endswith(endings)
    )


def tune_towers(
    technique: str, select: Selection, *, bench: Workbench, card: Card, options: Options, seed: int
) -> TrainingResult:
    """Train the parameters that `select` returns in a copy of the model, and evaluate on every task.

    technique: its name, for the error message.  Parameters that the classifier does not depend on are left out.  On an accelerator
    the towers run in bfloat16 unless option `precision` says otherwise; weights, similarities and loss stay in float32.
    Raises InputError where nothing is left to train.
    """
    # a deep copy of the weights alone: tokenizer and preprocessing are shared
    encoder = copy.copy(bench.encoder)
    encoder.model = copy.deepcopy(bench.encoder.model)
    device = encoder.device.type
    precision = options["precision"] or ("fp32" if device == "cpu" else "bf16")
    train, val = bench.pixels(card, "train"), bench.pixels(card, "val")
    labels, val_labels = (bench.labels(card, split).to(encoder.device) for split in ("train", "val"))
    classify = _classifier(encoder, card, precision)

    def val_accuracy() -> float:
        encoder.model.eval()
        with torch.inference_mode():
            logits = torch.cat([classify(part) for part in val.parts(VAL_BATCH)])
        encoder.model.train()
        return accuracy(logits, val_labels)

    # freeze everything first, then release what the technique selects
    encoder.model.requires_grad_(False)
    # here and not earlier: loading the model draws random numbers too, and a process may have loaded it already
    torch.manual_seed(seed)
    parameters = list(select(encoder.model))
    for parameter in parameters:
        parameter.requires_grad_(True)
    encoder.model.train()
    # two images are enough to see which parameters the logits depend on
    parameters = _used(parameters, lambda: classify(train[:2])) if parameters else []
    if not parameters:
        raise InputError(
            f"technique '{technique}' finds nothing to train on model '{bench.model.name}': no parameter of its towers has a name "
            "that the technique knows",
            "use another technique, or remove this model from the suite",
        )
    curve, steps = fit(
        parameters,
        lambda rows: classify(train[rows]),
        labels,
        val_accuracy=val_accuracy,
        options=options,
        seed=seed,
    )
    encoder.model.eval()
    remove_parametrizations(encoder.model)
    # evaluated with plain weights, which is faster than parametrized ones
    evaluation = bench.evaluate(encoder, card)
    return TrainingResult(
        evaluation.after,
        curve,
        steps,
        trained=count_parameters(parameters),
        drift=evaluation.drift,
        kl=evaluation.kl,
        device=device,
        precision=precision,
    )


def _classifier(encoder: Any, card: Card, precision: str) -> Callable[[Tensor], Tensor]:
    """The function from pixels, uint8 (N, 3, S, S), to logits (N, C)."""
    # (C * templates, context length); tokens do not change, so they are made once
    prompts = encoder.tokens(card.prompts())

    def classify(pixels: Tensor) -> Tensor:
        with torch.autocast(encoder.device.type, torch.bfloat16, enabled=precision == "bf16"):
            images = encoder.model.encode_image(encoder.normalise(pixels), normalize=True).float()
            prompted = encoder.model.encode_text(prompts, normalize=True).float()
        # back to one row per class, (C, D)
        texts = average_templates(prompted, len(card.templates))
        # in float32: bfloat16 keeps two to three digits of a cosine, and the scale multiplies the error by 100
        return encoder.logit_scale * images @ texts.T + encoder.logit_bias

    return classify


def _used(parameters: list[nn.Parameter], logits: Callable[[], Tensor]) -> list[nn.Parameter]:
    """The parameters that the classifier depends on; CoCa's text decoder, for one, is not used."""
    # the gradient of the sum is None exactly where no logit depends on the parameter
    gradients = torch.autograd.grad(logits().sum(), parameters, allow_unused=True)
    return [p for p, gradient in zip(parameters, gradients, strict=True) if gradient is not None]


def remove_parametrizations(model: nn.Module) -> None:
    """Replace the weights of parametrized modules by what their parametrizations compute."""
    # a list first, since removing a parametrization changes the tree of modules
    for module in list(model.modules()):
        if parametrize.is_parametrized(module):
            for tensor in list(module.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(module, tensor, leave_parametrized=True)
