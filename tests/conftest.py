"""Shared fixtures: the reference material, random embeddings, and a suite that fine-tunes within seconds."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scorers import Embeddings

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("requires the reference material in ../shared")
    return SHARED


@pytest.fixture
def random_embeddings() -> Callable[..., Embeddings]:
    """A factory of random embeddings with every input that a scorer may need. Image and text embeddings have unit norm."""

    def make(n: int = 80, d: int = 70, classes: int = 4, seed: int = 0, **more: object) -> Embeddings:
        rng = np.random.default_rng(seed)
        labels = np.concatenate([np.arange(classes), np.arange(classes), rng.integers(0, classes, n - 2 * classes)])
        text = rng.normal(size=(classes, d))
        image = text[labels] * 0.4 + rng.normal(size=(n, d)) + 0.3
        probs = rng.dirichlet(np.ones(9) * 0.5, n)
        given = {
            "text": text / np.linalg.norm(text, axis=1, keepdims=True),
            "source_probs": probs,
            "logit_scale": 20.0,
            "n_parameters": 1000.0,
            "ledger": np.array([0.2, 0.6]),
            "label_views": [rng.normal(size=(classes, 6)) for _ in range(3)],
            "general": (np.full(d, 0.05), np.full(d, 0.4)),
        }
        return Embeddings(image / np.linalg.norm(image, axis=1, keepdims=True), labels, **given | more)

    return make


SMALL_SUITE = """\
name = "small"
description = "two models, five tasks of few images"
seeds = [0]
ledger = "gains"
tasks = [{tasks}]
source_vocabulary = ["a circle", "a square", "the digit 1", "a red object"]

[techniques.clip_adapter]
rate = 2e-3
batch = 50
epochs = 3

[techniques.full]
rate = 5e-4
batch = 20
epochs = 2
"""
SMALL_TASKS = {
    "two_colours": ("object", "colour", ["red", "blue"]),
    "three_shapes": ("object", "shape", ["circle", "bar", "star"]),
    "four_digits": ("glyph", "glyph", ["1", "2", "3", "4"]),
    "three_numbers": ("count", "number", ["one", "two", "six"]),
    "two_strokes": ("stroke", "stroke", ["line", "hook"]),
}


@pytest.fixture(scope="session")
def small_suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a suite of two pocket models and five small tasks, without a ledger."""
    from benchmark.pocket.families import BPE, WEIGHTS

    folder = tmp_path_factory.mktemp("suite")
    for name, (scene, attribute, classes) in SMALL_TASKS.items():
        (folder / f"{name}.toml").write_text(
            f'name = "{name}"\ntitle = "{name}"\ntemplates = ["{{c}}"]\nclasses = {classes!r}\n'
            f'[splits]\ntrain = 70\nval = 12\ntest = 20\n[source]\nkind = "pocket"\n'
            f'scene = "{scene}"\nattribute = "{attribute}"\n'
        )
    models = "".join(
        f'\n[[models]]\nname = "{name}"\nload = "local-dir:{WEIGHTS / name}"\nbpe = "{BPE}"\n'
        for name in ("clip-things", "siglip-signs")
    )
    path = folder / "small.toml"
    path.write_text(SMALL_SUITE.format(tasks=", ".join(f'"{name}.toml"' for name in SMALL_TASKS)) + models)
    return path


@pytest.fixture(scope="session")
def measured(small_suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the small suite, its measured ledger, and the cache that the measurement filled."""
    folder = tmp_path_factory.mktemp("measured")
    shutil.copytree(small_suite.parent, folder, dirs_exist_ok=True)
    from benchmark.finetuning.measure import measure
    from benchmark.suites import suite

    small = suite.load(str(folder / "small.toml"))
    assert measure(small, part=small, root=folder / "cache", jobs=2, quiet=True) == 20
    return folder


@pytest.fixture
def own(measured: Path, tmp_path: Path) -> Path:
    """A copy of the measured suite that a test may modify."""
    folder = tmp_path / "own"
    shutil.copytree(measured, folder)
    return folder


@pytest.fixture
def pictures() -> Callable[..., Path]:
    """A function that writes a folder of single-colour images, with one sub-folder per class."""
    from PIL import Image

    def write(root: Path, classes: tuple[str, ...] = ("cat", "old_dog"), each: int = 12) -> Path:
        for k, name in enumerate(classes):
            (root / name).mkdir(parents=True)
            for i in range(each):
                Image.new("RGB", (20 + i, 30), (60 * k, 20 * i, 50)).save(root / name / f"{i}.png")
        return root

    return write


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A function that runs `python -m benchmark ...` in an empty folder with a separate cache."""

    def run(*words: object, cache: Path = tmp_path / "cache", timeout: float = 300) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "benchmark", *map(str, words)],
            cwd=tmp_path,
            env={**os.environ, "BENCHMARK_CACHE": str(cache)},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run
