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
from benchmark.pocket.corpus import pairs
from benchmark.pocket.families import BPE, CONTEXT, FAMILIES, config

Loss = Callable[[Any], torch.Tensor]
CHUNK = 8192  # pairs drawn at a time
LOG_EVERY = 25  # steps
SAVE_EVERY = 200  # steps


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


# CoCa learns from two losses and needs fewer pairs: with as many as the others it would be the best model on most tasks.
PAIRS = {"coca": 150_000}
RECIPES = {
    f"{family}-{mixture}": Recipe(family, mixture, PAIRS.get(family, Recipe.pairs))
    for family in FAMILIES
    for mixture in ("things", "signs")
}


def _loss(family: str) -> Loss:
    if family == "siglip":
        sigmoid = SigLipLoss()
        return lambda out: sigmoid(*out)
    if family == "coca":
        caption = open_clip.CoCaLoss(caption_loss_weight=1.0, clip_loss_weight=1.0)
        return lambda out: sum(caption(**out))
    softmax = open_clip.ClipLoss()
    return lambda out: softmax(*out[:3])


def _rate(recipe: Recipe, step: int, steps: int) -> float:
    if step < recipe.warmup:
        return recipe.rate * (step + 1) / recipe.warmup
    return recipe.rate * 0.5 * (1 + math.cos(math.pi * (step - recipe.warmup) / max(1, steps - recipe.warmup)))


def pretrain(name: str, folder: Path, recipe: Recipe | None = None) -> None:
    """Pretrain one model into `folder` as an open_clip local-dir; goes on where an interrupted run left its state."""
    recipe = recipe or RECIPES[name]
    final, state_file = folder / "open_clip_model.safetensors", folder / "unfinished.safetensors"
    if final.exists():
        return
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = SimpleTokenizer(str(BPE), context_length=CONTEXT)
    (folder / "open_clip_config.json").write_text(
        json.dumps(config(recipe.family, tokenizer.vocab_size), indent=1) + "\n"
    )
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    if recipe.family == "coca":  # open_clip leaves this one as it finds the memory
        torch.nn.init.normal_(
            model.text_decoder.text_projection, std=model.text_decoder.text_projection.shape[0] ** -0.5
        )
    groups = [[p for p in model.parameters() if p.ndim >= 2], [p for p in model.parameters() if p.ndim < 2]]
    optimizer = torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": recipe.weight_decay}, {"params": groups[1], "weight_decay": 0.0}],
        betas=(0.9, 0.98),
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
        if step // per_chunk != chunk:
            chunk = step // per_chunk
            pixels, captions = pairs(recipe.mixture, f"corpus/{recipe.mixture}/{recipe.seed}/{chunk}", CHUNK)
            images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
            tokens = tokenizer(captions)
        rows = slice(step % per_chunk * recipe.batch, (step % per_chunk + 1) * recipe.batch)
        for group in optimizer.param_groups:
            group["lr"] = _rate(recipe, step, steps)
        loss = loss_of(model(images[rows].float() / 127.5 - 1, tokens[rows]))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
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
            _save(state_file, model, optimizer, step + 1, time.monotonic() - started, curve)
    half = {key: value.detach().half().contiguous() for key, value in model.state_dict().items()}
    record = {
        "name": name,
        **asdict(recipe),
        "steps": steps,
        "seconds": round(time.monotonic() - started, 1),
        "torch": torch.__version__.split("+")[0],
        "open_clip": open_clip.__version__,
        "loss": curve,
    }
    (folder / "pretraining.json").write_text(json.dumps(record) + "\n")
    part = final.with_suffix(".part")
    save_file(half, part)
    os.replace(part, final)
    state_file.unlink(missing_ok=True)


def _save(
    path: Path,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    step: int,
    seconds: float,
    curve: list[list[float]],
) -> None:
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    for i, state in optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{i}.{k}": v for k, v in state.items()}
    part = path.with_suffix(".part")
    save_file(
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
