"""Fine-tuning: what moves, what is kept, and that it learns."""

import copy
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from benchmark import cards, suite, techniques
from benchmark.cache import Cache
from benchmark.techniques import TECHNIQUES, fit
from benchmark.workbench import Workbench, average_templates

FULL = {"rate": 1e-3, "batch": 25, "epochs": 5, "warmup": 0.1, "weight_decay": 0.05}
ADAPTER = {"rate": 1e-2, "batch": 25, "epochs": 10}


def bench(small_suite: Path, cache: Path, model: str = "clip-things") -> Workbench:
    loaded = suite.load(str(small_suite))
    return Workbench(next(m for m in loaded.models if m.name == model), loaded.tasks, Cache(cache))


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("model", ["clip-things", "siglip-signs"])
@pytest.mark.parametrize(("name", "options"), [("full", FULL), ("clip_adapter", ADAPTER)])
def test_a_technique_learns_and_leaves_the_model_alone(
    model: str, name: str, options: Mapping[str, float], small_suite: Path, shared_cache: Path
) -> None:
    b = bench(small_suite, shared_cache, model)
    weights = copy.deepcopy(b.encoder.model.state_dict())
    before = dict(b.before)
    card = min(b.tasks, key=lambda c: before[c.name])
    tuned = TECHNIQUES[name](b, card, options, 0)
    assert set(tuned.after) == {c.name for c in b.tasks}
    assert all(0 <= value <= 1 for value in tuned.after.values())
    assert max(tuned.curve) > before[card.name]
    assert len(tuned.curve) == options["epochs"]
    assert all(torch.equal(weights[k], v) for k, v in b.encoder.model.state_dict().items())
    del b.__dict__["before"]
    assert b.before == before


def test_full_trains_everything_and_the_adapter_a_little(small_suite: Path, shared_cache: Path) -> None:
    b = bench(small_suite, shared_cache)
    card = b.tasks[0]
    assert TECHNIQUES["full"](b, card, FULL | {"epochs": 1}, 0).trained == b.encoder.n_parameters
    assert TECHNIQUES["clip_adapter"](b, card, ADAPTER, 0).trained == 2 * 2 * 96 * 24


def test_the_adapter_encodes_no_image_again(
    small_suite: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = bench(small_suite, shared_cache)
    TECHNIQUES["clip_adapter"](b, b.tasks[0], ADAPTER, 0)  # fills the cache
    from benchmark import encoder

    monkeypatch.setattr(encoder, "Encoder", None)
    b = bench(small_suite, shared_cache)
    assert TECHNIQUES["clip_adapter"](b, b.tasks[0], ADAPTER, 0).steps == 30


def test_seeds_decide(small_suite: Path, shared_cache: Path) -> None:
    b = bench(small_suite, shared_cache)
    one, two, other = (TECHNIQUES["clip_adapter"](b, b.tasks[1], ADAPTER, seed) for seed in (0, 0, 1))
    assert one == two
    assert one != other


def test_the_loss_is_that_of_the_text_classifier(small_suite: Path, shared_cache: Path) -> None:
    """An adapter of ratio 0 is the model itself: its accuracies are the zero-shot ones."""
    b = bench(small_suite, shared_cache, "siglip-signs")
    assert b.bias != 0
    assert TECHNIQUES["clip_adapter"](b, b.tasks[2], ADAPTER | {"ratio": 0.0}, 0).after == pytest.approx(b.before)


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 2))
        self.other = nn.Parameter(torch.ones(1), requires_grad=False)


def line(values: list[float], monkeypatch: pytest.MonkeyPatch, epochs: int) -> tuple[Line, list[float], list[float]]:
    """Fit a small classifier whose val accuracy follows `values`; returns it, the learning rates used, and weight[0,0] per epoch."""
    module, rates, seen = Line(), [], []
    x = torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long()
    original = torch.optim.AdamW.step

    def step(self: torch.optim.AdamW, *rest: object) -> object:
        rates.append(self.param_groups[0]["lr"])
        return original(self, *rest)

    def val() -> float:
        seen.append(module.weight[0, 0].item())
        return values[len(seen) - 1]

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    options = {"rate": 0.1, "batch": 5, "epochs": epochs, "warmup": 0.25}
    curve, steps = fit(module, lambda rows: x[rows] @ module.weight.T, y, val, options, 0)
    assert steps == len(rates) == 4 * epochs
    assert curve == values
    return module, rates, seen


def test_the_best_epoch_by_val_is_kept_the_earlier_of_equals(monkeypatch: pytest.MonkeyPatch) -> None:
    module, _, seen = line([0.1, 0.7, 0.3, 0.7], monkeypatch, 4)
    assert module.weight[0, 0].item() == seen[1]
    assert len(set(seen)) == 4
    assert float(module.other) == 1


def test_the_rate_warms_up_and_falls_as_a_cosine(monkeypatch: pytest.MonkeyPatch) -> None:
    _, rates, _ = line([0.1] * 4, monkeypatch, 4)
    assert rates[:4] == pytest.approx([0.025, 0.05, 0.075, 0.1])
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[4 + 6] == pytest.approx(0.05)
    assert rates[-1] < 0.002


def test_templates_are_averaged_per_class() -> None:
    texts = F.normalize(torch.randn(6, 5), dim=-1)
    mean = average_templates(texts, 3)
    expected = F.normalize(torch.stack([texts[:3].mean(0), texts[3:].mean(0)]), dim=-1)
    assert torch.allclose(mean, expected)
    assert torch.equal(average_templates(texts, 1), texts)


def test_pixels_go_through_the_models_own_preprocessing(small_suite: Path, shared_cache: Path) -> None:
    from PIL import Image

    b = bench(small_suite, shared_cache)
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 70, 3), dtype=np.uint8)
    from benchmark.sources import Examples

    pixels = b.encoder.pixels(Examples(images, np.zeros(3, np.int64)))
    ours = b.encoder.normalise(pixels)
    theirs = torch.stack([b.encoder.preprocess(Image.fromarray(image)) for image in images])
    assert torch.allclose(ours, theirs, atol=2.1 / 255)  # one level of 8 bits, in units of deviation 1/2
    assert pixels.dtype == torch.uint8


def test_every_technique_of_the_suites_is_known() -> None:
    for name in suite.names():
        assert {t.name for t in suite.load(name).techniques} <= set(TECHNIQUES)
    assert cards.SPLITS == ("train", "val", "test")
    assert techniques.__doc__
