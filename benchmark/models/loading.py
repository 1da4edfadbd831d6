"""Loading open_clip's dual encoders and timm's vision-only encoders, with their preprocessing and tokenizer."""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

from benchmark.errors import InputError
from benchmark.models.model import Model
from benchmark.plugins import load_plugins

TOWERS_GROUP = "benchmark.towers"

# module, preprocessing (a torchvision Compose), and texts to (n, L) token numbers
Loaded = tuple[Any, Any, Callable[[list[str]], torch.Tensor]]


@functools.cache
def register_towers() -> None:
    """Import the modules of the entry-point group `benchmark.towers`, which register their own image towers with timm."""
    for name, reason in load_plugins(TOWERS_GROUP, ModuleType).failures.items():
        raise InputError(f"image towers '{name}': {reason}")


def load_model(model: Model) -> Loaded:
    """Load a model from its files, which must be on this machine; raises whatever its library raises."""
    return _load_timm(model) if model.vision_only else _load_open_clip(model)


def _load_open_clip(model: Model) -> Loaded:
    import open_clip

    register_towers()
    name, tag, quick_gelu = model.load, None, False
    if ":" not in name and not model.weights:
        name, _, tag = name.rpartition("/")
        # open_clip only warns if a name and its weights disagree on the activation, as ViT-B-32/openai does
        quick_gelu = bool(open_clip.get_pretrained_cfg(name, tag).get("quick_gelu"))
    # unlike open_clip's other functions, this one raises if the weights are missing instead of using random ones
    module, preprocess = open_clip.create_model_from_pretrained(
        name, pretrained=str(model.weights) if model.weights else tag, force_quick_gelu=quick_gelu, weights_only=True
    )
    return module, preprocess, _load_tokenizer(name, {"bpe_path": str(model.bpe)} if model.bpe else {})


def _load_tokenizer(name: str, options: dict[str, str]) -> Any:
    import open_clip

    try:
        # explicit: without it transformers asks the user whether to run the code of a repository
        return open_clip.get_tokenizer(name, trust_remote_code=False, **options)
    except TypeError:  # open_clip's own tokenizers have no such option
        return open_clip.get_tokenizer(name, **options)


def _load_timm(model: Model) -> Loaded:
    import timm

    # the classifier is kept: its posteriors are the source posteriors
    module = timm.create_model(model.load.removeprefix("timm:"), pretrained=not model.weights)
    if model.weights:
        # weights_only, since unpickling a checkpoint can run code
        module.load_state_dict(timm.models.load_state_dict(str(model.weights), weights_only=True))
    config = timm.data.resolve_model_data_config(module)
    return module, timm.data.create_transform(**config, is_training=False), _no_tokenizer


def _no_tokenizer(texts: list[str]) -> torch.Tensor:
    raise InputError("a vision-only model has no text tower, so it embeds no prompts and has no zero-shot accuracy")
