"""Techniques: they learn, and change exactly the declared parameters; their options and plugins."""

import copy
import importlib.metadata
import re
import shutil
import subprocess
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from benchmark.embedding.cache import Cache
from benchmark.errors import InputError, SuiteError
from benchmark.finetuning.techniques import low_rank, towers
from benchmark.finetuning.techniques.low_rank import LowRank
from benchmark.finetuning.techniques.training import accuracy, fit
from benchmark.finetuning.workbench import Evaluation, Workbench, average_templates
from benchmark.suites import suite
from benchmark.suites import techniques as declarations
from benchmark.suites.techniques import GROUP, Option, load_techniques, technique
from benchmark.suites.techniques import TECHNIQUES as BUILT_IN
from benchmark.tasks import cards

FULL = {"rate": 1e-3, "batch": 25, "epochs": 5, "warmup": 0.1, "weight_decay": 0.05}
ADAPTER = {"rate": 1e-2, "batch": 25, "epochs": 10}
OPTIONS = {
    "full": FULL,
    "bitfit": FULL | {"rate": 1e-2},
    "attention": FULL,
    "lora": FULL | {"rate": 1e-2, "rank": 4},
    "clip_adapter": ADAPTER,
    "linear_probe": ADAPTER | {"rate": 0.1},
}
TECHNIQUES = load_techniques()
FAMILIES = ("clip-things", "siglip-signs", "coca-signs", "eva02-things")


def bench(small_suite: Path, cache: Path, model: str = "clip-things") -> Workbench:
    loaded, pocket = suite.load(str(small_suite)), suite.load("pocket")
    return Workbench(next(m for m in pocket.models if m.name == model), loaded.tasks, Cache(cache))


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("model", ["clip-things", "siglip-signs"])
@pytest.mark.parametrize(("name", "options"), OPTIONS.items())
def test_technique_learns_and_does_not_change_the_untuned_model(
    model: str, name: str, options: Mapping[str, float], small_suite: Path, shared_cache: Path
) -> None:
    b = bench(small_suite, shared_cache, model)
    weights = copy.deepcopy(b.encoder.model.state_dict())
    before = b.before(b.tasks[0])
    card = min(b.tasks, key=lambda c: before[c.name])
    tuned = TECHNIQUES[name](b, card, options, 0)
    assert set(tuned.after) == {c.name for c in b.tasks}
    assert all(0 <= value <= 1 for value in tuned.after.values())
    assert max(tuned.curve) > before[card.name]
    assert len(tuned.curve) == options["epochs"]
    assert all(torch.equal(weights[k], v) for k, v in b.encoder.model.state_dict().items())
    b._zero_shot.clear()
    assert b.before(card) == before
    assert tuned.drift is not None
    assert tuned.kl is not None
    assert (tuned.drift > 0) == (name != "linear_probe")
    assert tuned.kl > 0


BLOCK_PARTS = {  # of one block of an image tower: its biases, the input projections of its attention
    "clip": (
        {"ln_1.bias", "ln_2.bias", "attn.in_proj_bias", "attn.out_proj.bias", "mlp.c_fc.bias", "mlp.c_proj.bias"},
        {"attn.in_proj_weight", "attn.in_proj_bias"},
    ),
    "siglip": (
        {"norm1.bias", "norm2.bias", "attn.qkv.bias", "attn.proj.bias", "mlp.fc1.bias", "mlp.fc2.bias"},
        {"attn.qkv.weight", "attn.qkv.bias"},
    ),
    "eva02": (
        {"norm1.bias", "norm2.bias", "attn.norm.bias", "mlp.norm.bias", "attn.q_proj.bias", "attn.v_proj.bias"}
        | {"attn.proj.bias", "mlp.fc1_g.bias", "mlp.fc1_x.bias", "mlp.fc2.bias"},
        {f"attn.{p}" for p in ("q_proj.weight", "q_proj.bias", "k_proj.weight", "v_proj.weight", "v_proj.bias")},
    ),
}
BLOCK_PARTS["coca"] = BLOCK_PARTS["clip"]
IMAGE_BLOCKS = dict.fromkeys(("clip", "coca"), "visual.transformer.resblocks.")
IMAGE_BLOCKS |= dict.fromkeys(("siglip", "eva02"), "visual.trunk.blocks.")


def expected(family: str, technique: str, names: list[str]) -> set[str]:
    """What may move in a pocket model: three image blocks and two text blocks, or all that the classifier depends on."""
    text = ("" if family == "clip" else "text.") + "transformer.resblocks."
    if technique == "full":
        return {name for name in names if not name.startswith("text_decoder.")}
    parts = int(technique != "bitfit")
    image, words = BLOCK_PARTS[family][parts], BLOCK_PARTS["clip"][parts]
    if technique == "lora":
        image, words = (
            {name for name in group if "weight" in name and "k_proj" not in name} for group in (image, words)
        )
    found = {f"{IMAGE_BLOCKS[family]}{i}.{part}" for i in range(3) for part in image}
    return found | {f"{text}{i}.{part}" for i in range(2) for part in words}


@pytest.mark.parametrize("model", FAMILIES)
@pytest.mark.parametrize("name", ["full", "bitfit", "attention", "lora"])
def test_technique_changes_exactly_its_parameters(
    model: str, name: str, small_suite: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = bench(small_suite, shared_cache, model)
    tuned_models = []
    monkeypatch.setattr(b, "evaluate", lambda encoder, card: tuned_models.append(encoder.model) or Evaluation({}, 0, 0))
    tuned = TECHNIQUES[name](b, b.tasks[1], OPTIONS[name] | {"epochs": 1}, 0)
    before, after = (dict(m.named_parameters()) for m in (b.encoder.model, tuned_models[0]))
    assert set(before) == set(after)
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    family = model.split("-")[0]
    names = expected(family, name, list(before))
    # a softmax does not see a bias common to all classes; CoCa's pooler has more queries than are read
    assert names - moved <= {"logit_bias"}
    assert moved <= names
    if name == "lora":
        width = 96
        assert tuned.trained == (3 + 2) * 2 * (4 * width + width * 4)
        for key in moved:
            change = (after[key] - before[key]).detach()
            bands = change.chunk(3) if change.shape[0] == 3 * width else (change,)
            assert [bool(band.any()) for band in bands] == ([True, False, True] if len(bands) == 3 else [True])
            assert all(torch.linalg.matrix_rank(band) == 4 for band in bands if band.any())
    else:
        assert tuned.trained == sum(before[key].numel() for key in names)


@pytest.mark.parametrize("model", FAMILIES)
def test_lora_starts_as_the_identity_and_folds_into_the_weights(
    model: str, small_suite: Path, shared_cache: Path
) -> None:
    b = bench(small_suite, shared_cache, model)
    module, pixels = copy.deepcopy(b.encoder.model), b.encoder.normalise(b.pixels(b.tasks[0], "test")[:])
    with torch.no_grad():
        plain = module.encode_image(pixels)
        parameters = list(low_rank.add_low_rank(module, rank=4, scale=0.2, deviation=0.0))
        assert torch.allclose(module.encode_image(pixels), plain, atol=1e-6)
        for parameter in parameters:
            parameter += 0.3 * torch.randn_like(parameter)
        moved = module.encode_image(pixels)
        assert not torch.allclose(moved, plain, atol=1e-3)
        towers.remove_parametrizations(module)
        assert torch.allclose(module.encode_image(pixels), moved, atol=1e-5)
    assert set(module.state_dict()) == set(b.encoder.model.state_dict())


def test_run_does_not_depend_on_when_the_model_was_loaded(
    small_suite: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading a model draws random numbers; what a technique draws must not hang on that."""
    started: list[float] = []

    def record_start(parameters: list[torch.nn.Parameter], *rest: object, **options: object) -> object:
        started.append(float(sum(p.detach().abs().sum() for p in parameters)))
        return fit(parameters, *rest, **options)

    monkeypatch.setattr(towers, "fit", record_start)
    b = bench(small_suite, shared_cache, "clip-things")
    for _ in range(2):
        TECHNIQUES["lora"](b, b.tasks[0], OPTIONS["lora"] | {"epochs": 1.0}, 3)
    assert started[0] == started[1]


@pytest.mark.parametrize("model", FAMILIES)
def test_attention_without_biases_trains_weights_only(model: str, small_suite: Path, shared_cache: Path) -> None:
    b = bench(small_suite, shared_cache, model)
    names = {id(p): name for name, p in b.encoder.model.named_parameters()}
    whole, weights = (
        {names[id(p)] for p in towers.attention_projections(b.encoder.model, biases=biases)} for biases in (True, False)
    )
    assert weights == {name for name in whole if name.endswith("weight")}
    assert weights < whole


def test_low_rank_adds_the_scaled_product_to_its_bands() -> None:
    weight = torch.randn(12, 5)
    low = LowRank(weight, (0, 2), rank=2, scale=0.5)
    assert 0.015 < float(LowRank(torch.zeros(30, 500), (0,), rank=8, scale=1.0, deviation=0.02).down.std()) < 0.025
    with torch.no_grad():
        low.up.normal_()
        change = low(weight) - weight
    assert torch.allclose(change[:4], 0.5 * low.up[0] @ low.down[0], atol=1e-6)
    assert not change[4:8].any()
    assert torch.allclose(change[8:], 0.5 * low.up[1] @ low.down[1], atol=1e-6)


@pytest.mark.parametrize("model", FAMILIES)
@pytest.mark.parametrize("name", ["clip_adapter", "linear_probe"])
def test_techniques_on_frozen_embeddings_train_only_their_own_parameters(
    model: str, name: str, small_suite: Path, shared_cache: Path
) -> None:
    b = bench(small_suite, shared_cache, model)
    weights = copy.deepcopy(b.encoder.model.state_dict())
    card = b.tasks[1]
    tuned = TECHNIQUES[name](b, card, OPTIONS[name], 0)
    assert tuned.trained == (2 * 2 * 96 * 24 if name == "clip_adapter" else 3 * 96 + 3)
    assert all(torch.equal(weights[k], v) for k, v in b.encoder.model.state_dict().items())
    if name == "linear_probe":
        assert {k: v for k, v in tuned.after.items() if k != card.name} == {
            k: v for k, v in b.before(card).items() if k != card.name
        }


def test_technique_without_parameters_to_train_is_reported(
    small_suite: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = bench(small_suite, shared_cache)
    monkeypatch.setattr(towers, "BLOCK", re.compile("nowhere"))
    monkeypatch.setattr(low_rank, "BLOCK", re.compile("nowhere"))
    for name in ("bitfit", "attention", "lora"):
        with pytest.raises(InputError, match=f"technique '{name}' finds nothing to train on model 'clip-things'"):
            TECHNIQUES[name](b, b.tasks[0], OPTIONS[name], 0)


def test_clip_adapter_reads_images_from_the_cache(
    small_suite: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = bench(small_suite, shared_cache)
    TECHNIQUES["clip_adapter"](b, b.tasks[0], ADAPTER, 0)  # fills the cache
    from benchmark.models import encoder

    monkeypatch.setattr(encoder, "Encoder", None)
    b = bench(small_suite, shared_cache)
    assert TECHNIQUES["clip_adapter"](b, b.tasks[0], ADAPTER, 0).steps == 30


def test_same_seed_repeats_a_run_and_another_changes_it(small_suite: Path, shared_cache: Path) -> None:
    b = bench(small_suite, shared_cache)
    one, two, other = (TECHNIQUES["clip_adapter"](b, b.tasks[1], ADAPTER, seed) for seed in (0, 0, 1))
    assert one == two
    assert one != other


def test_clip_adapter_of_ratio_zero_is_the_zero_shot_classifier(small_suite: Path, shared_cache: Path) -> None:
    """An adapter of ratio 0 is the model itself: its accuracies are the zero-shot ones."""
    b = bench(small_suite, shared_cache, "siglip-signs")
    assert b.bias != 0
    assert TECHNIQUES["clip_adapter"](b, b.tasks[2], ADAPTER | {"ratio": 0.0}, 0).after == pytest.approx(
        b.before(b.tasks[2])
    )


def complete(options: Mapping[str, float | str]) -> dict[str, object]:
    """The common options with their defaults."""
    return TECHNIQUES["linear_probe"].complete(options)


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 2))
        self.other = nn.Parameter(torch.ones(1), requires_grad=False)


def line(values: list[float], monkeypatch: pytest.MonkeyPatch, epochs: int) -> tuple[Line, list[float], list[float]]:
    """Fit a small classifier whose val accuracy follows `values`; returns it, the learning rates used, and weight[0,0] per epoch."""
    module, rates, seen = Line(), [], []
    parameters = [module.weight]
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
    curve, steps = fit(
        parameters, lambda rows: x[rows] @ module.weight.T, y, val_accuracy=val, options=complete(options), seed=0
    )
    assert steps == len(rates) == 4 * epochs
    assert curve == values
    return module, rates, seen


def test_first_epoch_with_the_highest_val_accuracy_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    module, _, seen = line([0.1, 0.7, 0.3, 0.7], monkeypatch, 4)
    assert module.weight[0, 0].item() == seen[1]
    assert len(set(seen)) == 4
    assert float(module.other) == 1


def test_learning_rate_warms_up_and_decays_as_a_cosine(monkeypatch: pytest.MonkeyPatch) -> None:
    _, rates, _ = line([0.1] * 4, monkeypatch, 4)
    assert rates[:4] == pytest.approx([0.025, 0.05, 0.075, 0.1])
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[4 + 6] == pytest.approx(0.05)
    assert rates[-1] < 0.002


def fitted(**options: float | str) -> tuple[torch.Tensor, list[float], int]:
    """Weights, val curve and steps of a small classifier on separable points."""
    module = Line()
    x = torch.randn(23, 2, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long()

    def val() -> float:
        return accuracy(x @ module.weight.T, y)

    given = {"rate": 0.1, "batch": 6, "epochs": 3} | options
    curve, steps = fit(
        [module.weight], lambda rows: x[rows] @ module.weight.T, y, val_accuracy=val, options=complete(given), seed=0
    )
    return module.weight.detach(), curve, steps


def test_accumulated_gradients_give_the_same_step() -> None:
    whole, _, steps = fitted()
    for parts in (2, 4, 6):
        again, _, same = fitted(accumulate=parts)
        assert same == steps == 12
        assert torch.allclose(again, whole, atol=1e-6)


def test_patience_stops_training() -> None:
    _, curve, steps = fitted(epochs=50, patience=3)
    best = curve.index(max(curve))
    assert len(curve) == best + 1 + 3 < 50
    assert steps == 4 * len(curve)


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_mixed_precision_is_limited_to_the_towers(
    precision: str, dtype: torch.dtype, small_suite: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = bench(small_suite, shared_cache)
    products, tuned_models = set(), []
    original, evaluate = F.linear, b.evaluate
    monkeypatch.setattr(F, "linear", lambda *args: [out := original(*args), products.add(out.dtype)][0])
    monkeypatch.setattr(
        b, "evaluate", lambda encoder, card: tuned_models.append(encoder.model) or evaluate(encoder, card)
    )
    before = b.before(b.tasks[0])
    card = min(b.tasks, key=lambda c: before[c.name])
    tuned = TECHNIQUES["full"](b, card, FULL | {"precision": precision, "epochs": 3}, 0)
    assert dtype in products
    assert (tuned.device, tuned.precision) == (b.encoder.device.type, precision)
    assert {p.dtype for p in tuned_models[0].parameters()} == {torch.float32}
    assert max(tuned.curve) > before[card.name]


@pytest.mark.skipif(not torch.accelerator.is_available(), reason="there is no accelerator")
def test_accelerator_is_used_and_gives_the_same_embeddings(
    small_suite: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = bench(small_suite, shared_cache)
    there = b.encoder.encode_images(b.pixels(b.tasks[0], "test")[:])
    tuned = TECHNIQUES["lora"](b, b.tasks[0], OPTIONS["lora"], 0)
    assert (tuned.device, tuned.precision) == (torch.accelerator.current_accelerator().type, "bf16")
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    here = bench(small_suite, shared_cache)
    assert here.encoder.device.type == "cpu"
    np.testing.assert_allclose(here.encoder.encode_images(here.pixels(here.tasks[0], "test")[:]), there, atol=1e-4)


def test_sgd_step_matches_its_definition() -> None:
    weight, _, _ = fitted(optimizer="sgd", momentum=0.5, weight_decay=0.01, batch=23, epochs=1)
    x = torch.randn(23, 2, generator=torch.Generator().manual_seed(0))
    target = F.one_hot((x[:, 0] > 0).long(), 2).float()
    gradient = (0.5 - target).T @ x / 23  # of the cross-entropy at zero weights, where every class has probability 1/2
    assert torch.allclose(weight, -0.1 * gradient / max(1.0, float(gradient.norm())), atol=1e-6)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Install an entry point of the group of techniques for one test."""

    def entry_point(name: str, value: str) -> None:
        point = EntryPoint(name, value, GROUP)
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point] if group == GROUP else [])
        declarations._plugins.cache_clear()

    yield entry_point
    monkeypatch.undo()
    declarations._plugins.cache_clear()


@technique(options={"strength": Option(float, 0.5, maximum=1.0), "kind": Option(str, "soft", choices=("soft", "hard"))})
def custom(bench: object, card: object, options: Mapping[str, object], seed: int) -> dict[str, object]:
    """A technique of another package."""
    return dict(options)


CUSTOM_SUITE = """
[techniques.mine]
rate = 1e-3
batch = 10
epochs = 2
{option}
"""


def suite_with(small_suite: Path, tmp_path: Path, option: str) -> Path:
    shutil.copytree(small_suite.parent, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "small.toml"
    text = path.read_text()
    path.write_text(text.replace("[techniques.full]", CUSTOM_SUITE.format(option=option) + "\n[techniques.full]"))
    return path


def test_plugin_technique_has_its_own_options(
    install: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch, small_suite: Path, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "custom_package", types.SimpleNamespace(custom=custom))
    install("mine", "custom_package:custom")
    assert set(load_techniques()) == set(BUILT_IN) | {"mine"}
    loaded = suite.load(str(suite_with(small_suite, tmp_path, "strength = 0.25")))
    settings = next(t for t in loaded.techniques if t.name == "mine")
    assert settings.options == {"rate": 1e-3, "batch": 10.0, "epochs": 2.0, "strength": 0.25}
    used = load_techniques()["mine"](None, None, settings.options, 0)
    assert (used["strength"], used["kind"], used["batch"], used["schedule"]) == (0.25, "soft", 10, "cosine")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("strength = 2", "field 'strength' is 2; give a number from 0 to 1"),
        ('kind = "loud"', "field 'kind' is 'loud'; give one of soft, hard"),
        ("scope = 4", "field 'scope' is not an option of technique 'mine'; known: "),
        ('strength = "x"', "field 'strength' should be a number, found 'x'"),
    ],
)
def test_invalid_option_of_a_plugin_is_reported(
    option: str,
    message: str,
    install: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
    small_suite: Path,
    tmp_path: Path,
) -> None:
    monkeypatch.setitem(sys.modules, "custom_package", types.SimpleNamespace(custom=custom))
    install("mine", "custom_package:custom")
    with pytest.raises(SuiteError) as caught:
        suite.load(str(suite_with(small_suite, tmp_path, option)))
    assert message in str(caught.value)
    assert "[techniques.mine]" in str(caught.value)


def test_broken_technique_plugin_is_reported(install: Callable[[str, str], None]) -> None:
    install("lora", "benchmark.finetuning.techniques.linear_probe:linear_probe")
    with pytest.raises(InputError, match=r"technique 'lora \(.*\)': .* has the same name as"):
        load_techniques()
    install("mine", "no_such_module:it")
    with pytest.raises(InputError, match="technique 'mine': could not be loaded from no_such_module:it"):
        load_techniques()


def test_templates_are_averaged_per_class() -> None:
    texts = F.normalize(torch.randn(6, 5), dim=-1)
    mean = average_templates(texts, 3)
    expected = F.normalize(torch.stack([texts[:3].mean(0), texts[3:].mean(0)]), dim=-1)
    assert torch.allclose(mean, expected)
    assert torch.equal(average_templates(texts, 1), texts)


def test_pixels_match_the_preprocessing_of_the_model(small_suite: Path, shared_cache: Path) -> None:
    from PIL import Image

    b = bench(small_suite, shared_cache)
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 70, 3), dtype=np.uint8)
    from benchmark.tasks.sources import Examples

    pixels = b.encoder.pixels(Examples(images, np.zeros(3, np.int64)))
    ours = b.encoder.normalise(pixels)
    theirs = torch.stack([b.encoder.preprocess(Image.fromarray(image)) for image in images])
    assert torch.allclose(ours, theirs, atol=2.1 / 255)  # one level of 8 bits, in units of deviation 1/2
    assert pixels.dtype == torch.uint8


def test_declarations_are_read_without_torch() -> None:
    code = (
        "import sys; from benchmark.suites.techniques import describe_techniques; print(*describe_techniques()); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == list(BUILT_IN)


def test_suites_use_installed_techniques() -> None:
    for loaded in map(suite.load, suite.suite_names()):
        assert loaded.published or {t.name for t in loaded.techniques} <= set(BUILT_IN)
    assert cards.SPLITS == ("train", "val", "test")
