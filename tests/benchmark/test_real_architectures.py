"""Full-size architectures with random weights: embedding, scoring, and one training step of every technique."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.embedding.cache import Cache
from benchmark.embedding.jobs import embed_suite
from benchmark.finetuning.measure import measure
from benchmark.scoring import scoring
from benchmark.suites import suite
from benchmark.suites.techniques import TECHNIQUES

pytestmark = pytest.mark.slow

CARD = """\
name = "{name}"
title = "Two kinds of noise"
classes = ["dark noise", "light noise"]
templates = ["a photo of {{c}}"]
[splits]
train = 8
val = 4
test = 4
[source]
kind = "npz"
path = "{name}.npz"
"""
STEP = "rate = 1e-6\nbatch = 8\nepochs = 1\n"


def write_task(folder: Path, name: str, seed: int) -> None:
    labels = np.tile([0, 1], 8)
    images = np.random.default_rng(seed).integers(0, 128, (16, 40, 48, 3)) + 100 * labels[:, None, None, None]
    np.savez(folder / f"{name}.npz", images=images.astype(np.uint8), labels=labels)
    (folder / f"{name}.toml").write_text(CARD.format(name=name))


def write_checkpoint(folder: Path, architecture: str) -> None:
    """An open_clip local-dir of an architecture with random weights, with a tokenizer if it uses one of Hugging Face."""
    import open_clip
    from safetensors.torch import save_file

    folder.mkdir()
    config = open_clip.get_model_config(architecture)
    if config["text_cfg"].get("hf_tokenizer_name"):
        write_tokenizer(folder)
    model = open_clip.create_model(architecture, pretrained_text=False)
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()}, folder / "open_clip_model.safetensors"
    )
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))


def write_tokenizer(folder: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {word: i for i, word in enumerate(["<pad>", "</s>", "<unk>", "a", "photo", "of", "dark", "light", "noise"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)


def write_suite(folder: Path, model: str, techniques: str) -> suite.Suite:
    for seed, task in enumerate(("noise", "more_noise")):
        write_task(folder, task, seed)
    (folder / "own.toml").write_text(
        'name = "own"\nseeds = [0]\ntasks = ["noise.toml", "more_noise.toml"]\nledger = "gains"\n'
        'source_vocabulary = ["a photo of a dog", "a photo of a cat"]\n'
        f'[[models]]\nname = "model"\n{model}\n{techniques}'
    )
    return suite.read(folder / "own.toml")


@pytest.mark.parametrize("architecture", ["ViT-B-32", "ViT-B-16-SigLIP", "coca_ViT-B-32", "EVA02-B-16"])
def test_real_architecture_is_embedded_scored_and_trained_one_step_by_every_technique(
    tmp_path: Path, architecture: str
) -> None:
    write_checkpoint(tmp_path / "weights", architecture)
    steps = "".join(f"[techniques.{name}]\n{STEP}" for name in TECHNIQUES)
    loaded, cache = write_suite(tmp_path, 'load = "local-dir:weights"', steps), Cache(tmp_path / "cache")
    assert embed_suite(loaded, cache, 1, quiet=True) == 16
    cells = scoring.score_suite(loaded, ["iimm", "logme", "leep", "zero_shot_margin"], cache).scores
    assert set(cells.filter(cells["score"].is_not_null())["scorer"]) >= {"iimm", "leep", "zero_shot_margin"}, cells
    assert measure(loaded, part=replace(loaded, tasks=loaded.tasks[:1]), root=cache.root, jobs=1, quiet=True) == len(
        TECHNIQUES
    )
    notes = [json.loads(line) for line in (tmp_path / "gains" / "model.runs.jsonl").read_text().splitlines()]
    assert [(n["technique"], n["steps"]) for n in notes] == [(name, 1) for name in TECHNIQUES]


def test_pretrained_model_is_scored_against_published_measurements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    """The weights are in the Hub's cache; they were trained with QuickGELU, which the architecture's name does not say."""
    write_checkpoint(tmp_path / "weights", "ViT-B-32")
    snapshot = tmp_path / "hub" / "hub" / "models--timm--vit_base_patch32_clip_224.openai" / "snapshots" / "0123abcd"
    snapshot.mkdir(parents=True)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("0123abcd")
    (tmp_path / "weights" / "open_clip_model.safetensors").rename(snapshot / "open_clip_model.safetensors")
    for seed, task in enumerate(("dtd", "mnist")):
        write_task(tmp_path, task, seed)
    (tmp_path / "own.toml").write_text(
        'name = "own"\ntasks = ["dtd.toml", "mnist.toml"]\n[published]\nfull = "atlas/full"\n'
        '[[models]]\nname = "B32"\nload = "ViT-B-32/openai"\n'
    )
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    process = command("run", "--suite=own.toml", "--scorers=iimm,headroom", "--jobs=1")
    assert process.returncode == 0, process.stderr
    assert "16/16 images" in process.stderr
    record = json.loads((tmp_path / "results" / "own" / "run.json").read_text())
    weights = "timm/vit_base_patch32_clip_224.openai/open_clip_model.safetensors"
    assert list(record["models"]["B32"]) == ["load", weights, "configuration"]

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub" / "hub"))
    from open_clip.model import QuickGELU

    from benchmark.models.encoder import Encoder

    encoder = Encoder(suite.read(tmp_path / "own.toml").models[0])
    assert any(isinstance(module, QuickGELU) for module in encoder.model.modules())
