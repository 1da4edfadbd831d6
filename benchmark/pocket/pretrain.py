"""Pretrain the pocket models on the pocket corpus: seeded, resumable, one thread each so that the outcome does not depend on the machine's size."""

import json
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.loss import SigLipLoss
from open_clip.tokenizer import SimpleTokenizer
from safetensors.torch import load_file, save_file

from benchmark.pocket import vocabulary
from benchmark.pocket.corpus import FIRST, SECOND, Corpus, pairs
from benchmark.pocket.families import BPE, BPE_2, CONTEXT, FAMILIES, config

Loss = Callable[[Any], torch.Tensor]
CHUNK = 8192  # pairs drawn at a time
LOG_EVERY = 25  # steps
SAVE_EVERY = 200  # steps
TRIED = Path(__file__).with_name("tried.json")
HOLD = 10.0  # weight of the distance from a recipe's level


@dataclass(frozen=True)
class Recipe:
    """How one model is pretrained. `mixture` names the corpus's diet, `pairs` counts image-caption pairs."""

    family: str
    mixture: str
    pairs: int = 300_000
    batch: int = 128
    rate: float = 2e-3
    warmup: int = 200
    weight_decay: float = 0.1
    seed: int = 0

    @property
    def corpus(self) -> Corpus:
        return FIRST

    @property
    def bpe(self) -> Path:
        return BPE


@dataclass(frozen=True)
class ColdRecipe(Recipe):
    """How a model of the second generation is pretrained: at the low temperature at which released models end.

    Its logit scale is not learned. It goes from `start_scale` to `scale` over the share `raising` of the steps and stays there; so
    does a SigLIP's bias, to `bias`, from where the first batch has as many positives as there are. `cone` is the similarity of two
    images before the first step, `level` the mean similarity of an image to the captions of its batch; None leaves them.
    """

    pairs: int = 700_000
    batch: int = 256
    start_scale: float = 100.0
    scale: float = 100.0
    bias: float = 0.0
    raising: float = 0.5
    cone: float | None = 0.78
    level: float | None = 0.18

    @property
    def corpus(self) -> Corpus:
        return SECOND

    @property
    def bpe(self) -> Path:
        return BPE_2


# CoCa learns from two losses and needs fewer pairs: with as many as the others it would be the best model on most tasks.
PAIRS = {"coca": 150_000}
RECIPES = {
    f"{family}-{mixture}": Recipe(family, mixture, PAIRS.get(family, Recipe.pairs))
    for family in FAMILIES
    for mixture in ("things", "signs")
}


COLD: dict[str, dict[str, Any]] = {
    "clip": {},
    "siglip": {"start_scale": 10.0, "scale": 117.0, "bias": -16.0, "raising": 0.25, "cone": None, "level": None},
    "coca": {"pairs": 350_000, "cone": 0.6},
    "eva02": {"pairs": 800_000, "cone": 0.3},
}
RECIPES_2 = {
    f"{family}-{mixture}": ColdRecipe(family, mixture, **COLD[family])
    for mixture in SECOND.mixtures
    for family in FAMILIES
}


def _loss(family: str) -> Loss:
    if family == "siglip":
        sigmoid = SigLipLoss()
        return lambda out: sigmoid(*out)  # image features, text features, scale, bias
    if family == "coca":
        caption = open_clip.CoCaLoss(caption_loss_weight=1.0, clip_loss_weight=1.0)
        return lambda out: sum(caption(**out))  # contrastive and captioning loss, equal weights
    softmax = open_clip.ClipLoss()
    return lambda out: softmax(*out[:3])


def _off_level(out: Any, recipe: Recipe) -> torch.Tensor | float:
    """A small cost of the distance between the mean similarity of a batch's images and captions and the recipe's level.

    A softmax does not care where that mean lies. In released models it is .1 to .2; in small ones, trained at a low temperature, it
    drifts to .4 and more, and the gap closes. A sigmoid loss holds it by itself.
    """
    if not isinstance(recipe, ColdRecipe) or recipe.level is None:
        return 0.0
    x, t = (out["image_features"], out["text_features"]) if isinstance(out, dict) else out[:2]
    # the mean over all B^2 pairs, positives included, is the product of the two means (unit rows)
    return HOLD * (x.mean(0) @ t.mean(0) - recipe.level) ** 2


def _rate(recipe: Recipe, step: int, steps: int) -> float:
    if step < recipe.warmup:
        # linear up to the rate, then half a cosine down to 0
        return recipe.rate * (step + 1) / recipe.warmup
    return recipe.rate * 0.5 * (1 + math.cos(math.pi * (step - recipe.warmup) / max(1, steps - recipe.warmup)))


def _set_temperature(model: Any, recipe: Recipe, step: int, steps: int) -> None:
    """What the scale, and a bias, are in this step. The first generation learns both, below a ceiling.

    A rise starts from where the model is, so that a run that goes on needs to remember nothing.
    """
    with torch.no_grad():
        if not isinstance(recipe, ColdRecipe):
            model.logit_scale.clamp_(0, math.log(100))  # a logarithm: scales 1 to 100, as in CLIP
            return
        # remaining steps of the rise; equal steps of the logarithm make it geometric, and left = 1 keeps it in place
        left = max(1, math.ceil(recipe.raising * steps) - step)
        model.logit_scale += (math.log(recipe.scale) - model.logit_scale) / left
        if getattr(model, "logit_bias", None) is not None:
            model.logit_bias += (recipe.bias - model.logit_bias) / left


def _last_bias(visual: Any) -> torch.Tensor:
    """The bias nearest to the image embeddings: whatever is in it, all of them have in common."""
    if hasattr(visual, "ln_post"):
        return visual.ln_post.bias
    trunk = visual.trunk
    return trunk.attn_pool.mlp.fc2.bias if getattr(trunk, "attn_pool", None) is not None else trunk.norm.bias


def _open_cone(model: Any, images: torch.Tensor, similarity: float) -> None:
    """Give untrained images the similarity that those of large networks have, by a common random part found by bisection.

    Wide and deep networks map everything into a narrow cone before they learn anything (Liang et al., 2022), and training at a low
    temperature keeps it. Of the four small towers here only CLIP's does so by itself.
    """
    bias = _last_bias(model.visual)
    direction = torch.randn(bias.shape)
    low, high = 0.0, 16.0
    with torch.no_grad():
        # to 16 / 2^14, about 0.001; similarity rises with the common part
        for _ in range(14):
            bias.copy_(direction * (low + high) / 2)
            x = model.encode_image(images, normalize=True)
            # mean similarity of two different rows: |sum x|^2 has N self-similarities of 1 among its N^2 terms
            found = float((x.sum(0).square().sum() - len(x)) / (len(x) * (len(x) - 1)))
            low, high = ((low + high) / 2, high) if found < similarity else (low, (low + high) / 2)


def _start(model: Any, recipe: Recipe, images: torch.Tensor, tokens: torch.Tensor) -> None:
    """Give an untrained model of the second generation its cone, its scale, and the bias at which it expects one positive in each row.

    Otherwise a SigLIP's first steps do nothing but move two tight clouds together, and leave nothing of the gap between them.
    """
    if not isinstance(recipe, ColdRecipe):
        return
    if recipe.cone is not None:
        _open_cone(model, images, recipe.cone)
    with torch.no_grad():
        model.logit_scale.fill_(math.log(recipe.start_scale))
        if getattr(model, "logit_bias", None) is not None:
            similar = model.encode_image(images, normalize=True) @ model.encode_text(tokens, normalize=True).T
            # sigmoid(scale * mean + bias) = 1/B
            model.logit_bias.fill_(-math.log(len(images) - 1) - recipe.start_scale * float(similar.mean()))


def pretrain(name: str, folder: Path, recipe: Recipe | None = None) -> None:
    """Pretrain one model into `folder` as an open_clip local-dir; goes on where an interrupted run left its state."""
    recipe = recipe or RECIPES[name]
    final, state_file = folder / "open_clip_model.safetensors", folder / "unfinished.safetensors"
    if final.exists():
        return
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = SimpleTokenizer(str(recipe.bpe), context_length=CONTEXT)
    (folder / "open_clip_config.json").write_text(
        json.dumps(config(recipe.family, tokenizer.vocab_size), indent=1) + "\n"
    )
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    if isinstance(recipe, ColdRecipe):
        for what in ("logit_scale", "logit_bias"):
            if getattr(model, what, None) is not None:
                # set by `_set_temperature`; AdamW skips a parameter without a gradient
                getattr(model, what).requires_grad_(False)
    if recipe.family == "coca":  # open_clip leaves this one as it finds the memory
        torch.nn.init.normal_(
            model.text_decoder.text_projection, std=model.text_decoder.text_projection.shape[0] ** -0.5
        )
    # no decay of vectors and scalars: biases, gains, temperature
    groups = [[p for p in model.parameters() if p.ndim >= 2], [p for p in model.parameters() if p.ndim < 2]]
    optimizer = torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": recipe.weight_decay}, {"params": groups[1], "weight_decay": 0.0}],
        betas=(0.9, 0.98),  # as CLIP's transformers
    )
    steps, loss_of = recipe.pairs // recipe.batch, _loss(recipe.family)
    curve: list[list[float]] = []
    first, seconds = _resume(state_file, model, optimizer, curve)
    started = time.monotonic() - seconds
    images = tokens = torch.empty(0)
    chunk, per_chunk = -1, CHUNK // recipe.batch
    running: list[float] = []
    model.train()
    for step in range(first, steps):
        # pairs are a function of mixture, seed and chunk: a resumed run draws the same ones again
        if step // per_chunk != chunk:
            chunk = step // per_chunk
            pixels, captions = pairs(
                recipe.mixture, f"corpus/{recipe.mixture}/{recipe.seed}/{chunk}", CHUNK, recipe.corpus
            )
            images = torch.from_numpy(pixels).permute(0, 3, 1, 2)  # uint8 (CHUNK, 3, 32, 32)
            tokens = tokenizer(captions)
        rows = slice(step % per_chunk * recipe.batch, (step % per_chunk + 1) * recipe.batch)
        for group in optimizer.param_groups:
            group["lr"] = _rate(recipe, step, steps)
        # in -1..1, the normalisation of the model's configuration
        batch = images[rows].float() / 127.5 - 1, tokens[rows]
        if step == 0:  # a resumed run has its start in its weights
            _start(model, recipe, *batch)
        out = model(*batch)
        loss = loss_of(out) + _off_level(out, recipe)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        _set_temperature(model, recipe, step, steps)
        running.append(loss.item())
        if (step + 1) % LOG_EVERY == 0:
            curve.append([step + 1, round(sum(running) / len(running), 4)])
            running.clear()
            left = (time.monotonic() - started) / (step + 1) * (steps - step - 1)
            print(
                f"{name}: step {step + 1}/{steps}, loss {curve[-1][1]:.3f}, {left:.0f} s left",
                file=sys.stderr,
                flush=True,
            )
        if (step + 1) % SAVE_EVERY == 0 and step + 1 < steps:
            _save(state_file, model, optimizer, step=step + 1, seconds=time.monotonic() - started, curve=curve)
    # float16 halves the file
    half = {key: value.detach().half().contiguous() for key, value in model.state_dict().items()}
    record = {
        "name": name,
        **asdict(recipe),
        "steps": steps,
        "seconds": round(time.monotonic() - started, 1),
        "torch": torch.__version__.split("+")[0],
        "open_clip": open_clip.__version__,
        "loss": curve,
        **_history(recipe),
    }
    (folder / "pretraining.json").write_text(json.dumps(record) + "\n")
    # last, since the weights mark a model as finished
    part = final.with_suffix(".part")
    save_file(half, part)
    os.replace(part, final)
    state_file.unlink(missing_ok=True)


def _history(recipe: Recipe) -> dict[str, Any]:
    """What was tried before this recipe, for a model of the second generation: what concerns its family, in order."""
    if not isinstance(recipe, ColdRecipe):
        return {}
    return {"tried": [entry for entry in json.loads(TRIED.read_text()) if entry["family"] == recipe.family]}


def _save(
    path: Path,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    step: int,
    seconds: float,
    curve: list[list[float]],
) -> None:
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    for i, state in optimizer.state_dict()["state"].items():
        # moments and step count of parameter i
        tensors |= {f"adam.{i}.{k}": v for k, v in state.items()}
    part = path.with_suffix(".part")
    save_file(
        # clones, since safetensors refuses tensors that share memory
        {k: v.detach().clone().contiguous() for k, v in tensors.items()},
        part,
        {"step": str(step), "seconds": str(seconds), "curve": json.dumps(curve)},
    )
    os.replace(part, path)


def _resume(
    path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, curve: list[list[float]]
) -> tuple[int, float]:
    """Restore an interrupted run; returns the first step to do and the seconds already spent."""
    if not path.exists():
        return 0, 0.0
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        notes = file.metadata()
    tensors = load_file(path)
    model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("adam."):
            _, i, what = key.split(".", 2)
            moments.setdefault(int(i), {})[what] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
    curve.extend(json.loads(notes["curve"]))
    return int(notes["step"]), float(notes["seconds"])


def write_vocabulary() -> None:
    if not BPE.exists():
        vocabulary.write(BPE)
    if not BPE_2.exists():
        vocabulary.write(BPE_2, SECOND, vocabulary.MERGES_2)
