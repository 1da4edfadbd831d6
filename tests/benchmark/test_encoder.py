"""Models of every kind: the origin of their files, running them, and the errors for missing or invalid ones."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark.embedding import embedder, jobs
from benchmark.embedding.cache import Cache
from benchmark.embedding.embedder import Embedder
from benchmark.embedding.jobs import embed_suite
from benchmark.embedding.keys import Keys
from benchmark.errors import InputError, SuiteError, UsageError
from benchmark.finetuning.measure import measure
from benchmark.models import weights
from benchmark.models.encoder import Encoder
from benchmark.models.fetching import fetch_model
from benchmark.models.model import Model
from benchmark.pocket.families import BPE, WEIGHTS
from benchmark.scoring import scoring
from benchmark.suites import suite

FOLDER = WEIGHTS / "clip-things"
POCKET = Model("clip-things", f"local-dir:{FOLDER}", BPE)


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the Hub, without a network connection."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def fill_hub_cache(hub: Path, repo: str, files: dict[str, Path]) -> None:
    """Copy files into the layout of the Hub's cache."""
    base = hub / f"models--{repo.replace('/', '--')}"
    (base / "refs").mkdir(parents=True)
    (base / "refs" / "main").write_text("0123abcd")
    (base / "snapshots" / "0123abcd").mkdir(parents=True)
    for name, path in files.items():
        shutil.copy(path, base / "snapshots" / "0123abcd" / name)


def random_pixels(n: int, size: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (n, size, size, 3), np.uint8)


def write_vision_model(folder: Path, architecture: str = "test_vit", classes: int = 11) -> Path:
    import timm

    torch.manual_seed(0)
    model = timm.create_model(architecture, num_classes=classes)
    timm.models.save_for_hf(model, folder)
    return folder


# origin of models


def test_hub_model_is_read_from_its_cache(hub: Path) -> None:
    files = {name: FOLDER / name for name in ("open_clip_config.json", "open_clip_model.safetensors")}
    fill_hub_cache(hub, "org/pocket", files)
    model = Model("m", "hf-hub:org/pocket", BPE)
    assert weights.missing_files(model) == []
    from_hub = Encoder(model).encode(random_pixels(3))["image"]
    assert np.array_equal(from_hub, Encoder(POCKET).encode(random_pixels(3))["image"])
    fingerprint = weights.fingerprint(model)
    assert (
        fingerprint["org/pocket/open_clip_model.safetensors"]
        == weights.fingerprint(POCKET)["open_clip_model.safetensors"]
    )


def test_local_checkpoint_of_a_named_architecture(tmp_path: Path) -> None:
    import open_clip
    from safetensors.torch import save_file

    open_clip.add_model_config(FOLDER / "open_clip_config.json")
    config = json.loads((FOLDER / "open_clip_config.json").read_text())["model_cfg"]
    (tmp_path / "own-clip.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "own-clip.json")
    module = open_clip.create_model("own-clip")
    save_file(module.state_dict(), tmp_path / "own.safetensors")
    torch.save(module.state_dict(), tmp_path / "own.pt")
    for file in ("own.safetensors", "own.pt"):
        encoder = Encoder(Model("own", "own-clip", BPE, tmp_path / file))
        assert torch.equal(encoder.model.logit_scale, module.logit_scale)
        assert encoder.encode(random_pixels(2))["image"].shape == (2, 96)
    assert weights.fingerprint(Model("own", "own-clip", None, tmp_path / "own.pt")) != weights.fingerprint(
        Model("own", "own-clip", None, tmp_path / "own.safetensors")
    )


def test_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"state_dict": {"x": Malicious()}}, tmp_path / "bad.pt")
    with pytest.raises(InputError, match=r"open_clip cannot load 'ViT-B-32': .*[Ww]eights"):
        Encoder(Model("bad", "ViT-B-32", None, tmp_path / "bad.pt"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("load", "file"),
    [
        ("ViT-B-32/openai", "timm/vit_base_patch32_clip_224.openai/open_clip_model.safetensors"),
        ("coca_ViT-B-32/laion2b_s13b_b90k", "laion/CoCa-ViT-B-32-laion2B-s13B-b90k/open_clip_model.safetensors"),
        ("hf-hub:timm/ViT-B-16-SigLIP", "timm/ViT-B-16-SigLIP/open_clip_config.json"),
        ("timm:resnet50.a1_in1k", "timm/resnet50.a1_in1k/model.safetensors"),
        ("timm:hf-hub:org/own", "org/own/config.json"),
        ("ViT-B-16-SigLIP/webli", "timm/ViT-B-16-SigLIP/tokenizer_config.json"),
    ],
)
def test_missing_model_is_reported_with_the_file_and_the_command(load: str, file: str) -> None:
    model = Model("m", load)
    assert file in weights.missing_files(model)
    with pytest.raises(InputError, match="is not on this machine and cannot be downloaded") as caught:
        fetch_model(model, lambda text: None)
    repo, _, name = file.rpartition("/")
    assert file in str(caught.value)
    first_repo, _, first = weights.missing_files(model)[0].rpartition("/")
    assert f"`hf download {first_repo} {first}`" in str(caught.value)
    assert (repo, name) in [missing.rpartition("/")[::2] for missing in weights.missing_files(model)]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("load", "message"),
    [
        ("ViT-B-23/openai", "unknown model 'ViT-B-23': did you mean"),
        ("ViT-B-32/openia", "unknown model 'ViT-B-32/openia': did you mean ViT-B-32/openai"),
        ("timm:resnet5", "unknown model 'resnet5': did you mean"),
        ("timm:resnet50.nonsense", "unknown model 'resnet50.nonsense'"),
        ("hf-hub:x/y@rev", "'x/y@rev' is not a repository of the Hub"),
    ],
)
def test_unknown_model_gets_suggestions(load: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        weights.missing_files(Model("m", load))


def test_missing_weights_are_never_replaced_by_random_ones(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "open_clip_config.json", tmp_path)
    with pytest.raises(InputError, match="model 'm': open_clip cannot load"):
        Encoder(Model("m", f"local-dir:{tmp_path}", BPE))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('name = "a/b"\nload = "ViT-B-32/openai"', "field 'name' is 'a/b', which cannot name a file"),
        ('name = "a"\nload = "ViT-B-32"', "field 'load' is 'ViT-B-32'; give ARCHITECTURE/TAG"),
        ('name = "a"\nload = "ViT-B-32"\nweights = "no.pt"', r"field 'weights' is 'no\.pt', but there is no file"),
        (
            'name = "a"\nload = "ViT-B-32/openai"\nweights = "own.toml"',
            "field 'weights' excludes 'ViT-B-32/openai'",
        ),
        ('name = "a"\nload = "timm:local-dir:nowhere"', r"has no config\.json"),
    ],
)
def test_invalid_model_of_a_suite_is_reported(small_suite: Path, tmp_path: Path, lines: str, message: str) -> None:
    text = small_suite.read_text()
    path = tmp_path / "own.toml"
    path.write_text(
        text[: text.index("[[models]]")].replace('name = "small"', 'name = "own"') + f"[[models]]\n{lines}\n"
    )
    for card in small_suite.parent.glob("t*.toml"):
        shutil.copy(card, tmp_path)
    shutil.copy(small_suite.parent / "four_digits.toml", tmp_path)
    with pytest.raises(SuiteError, match=message):
        suite.read(path)


def test_library_configuration_is_part_of_the_fingerprint(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open_clip release that changes a named model's preprocessing changes its embeddings."""
    import open_clip

    fill_hub_cache(
        hub,
        "timm/vit_base_patch32_clip_224.openai",
        {"open_clip_model.safetensors": FOLDER / "open_clip_model.safetensors"},
    )
    model = Model("m", "ViT-B-32/openai")
    before = weights.fingerprint(model)
    weights._library_configuration.cache_clear()
    config = dict(open_clip.get_pretrained_cfg("ViT-B-32", "openai"))
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda *names: config | {"mean": (0.5, 0.5, 0.5)})
    assert weights.fingerprint(model) != before
    weights._library_configuration.cache_clear()


# vision-only


def test_vision_only_model_gives_features_and_posteriors(tmp_path: Path) -> None:
    import timm

    folder = write_vision_model(tmp_path / "vit")
    encoder = Encoder(Model("vit", f"timm:local-dir:{folder}"))
    arrays = encoder.encode(random_pixels(5, encoder.size))
    assert arrays["source"].shape == (5, 11)
    assert np.allclose(arrays["source"].sum(1), 1)
    assert arrays["energy"].shape == (5,)
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    with torch.inference_mode():
        inputs = encoder.normalise(torch.from_numpy(random_pixels(5, encoder.size)).permute(0, 3, 1, 2))
        assert np.allclose(model(inputs).softmax(1).numpy(), arrays["source"], atol=1e-6)
        assert np.allclose(model(inputs).logsumexp(1).numpy(), arrays["energy"], atol=1e-5)
        assert np.allclose(
            model.forward_head(model.forward_features(inputs), pre_logits=True).numpy(), arrays["image"], atol=1e-5
        )
    with pytest.raises(InputError, match="has no text tower"):
        encoder.encode_texts(["a circle"])


@pytest.mark.parametrize("architecture", ["test_resnet", "test_efficientnet", "test_convnext"])
def test_convolutional_encoders_are_supported(tmp_path: Path, architecture: str) -> None:
    encoder = Encoder(Model("m", f"timm:local-dir:{write_vision_model(tmp_path / 'm', architecture)}"))
    arrays = encoder.encode([Image.fromarray(p) and p for p in random_pixels(3, 50)])
    assert arrays["image"].ndim == 2
    assert np.allclose(arrays["source"].sum(1), 1)


def test_text_scorers_abstain_on_a_vision_only_model_and_source_scorers_do_not(
    tmp_path: Path, small_suite: Path
) -> None:
    loaded = suite.load(str(small_suite)).subset(None, ["two_colours"])
    vision = Model("vit", f"timm:local-dir:{write_vision_model(tmp_path / 'vit')}")
    loaded = replace(loaded, models=(*loaded.models, vision))
    cache = Cache(tmp_path / "cache")
    embed_suite(loaded, cache, 1, quiet=True)
    cells = {(c["scorer"], c["model"]): c for c in scoring.score_suite(loaded, None, cache).scores.to_dicts()}
    for name in ("leep", "nce", "logme", "pactran_dirichlet", "knn", "etran", "n_parameters"):
        assert cells[name, "vit"]["score"] is not None, (name, cells[name, "vit"]["abstained"])
    for name in ("iimm", "zero_shot_margin", "modality_gap"):
        assert "text" in cells[name, "vit"]["abstained"]
        assert cells[name, "clip-things"]["score"] is not None
    with pytest.raises(InputError, match=r"model 'vit' is vision-only.*leave it out with --models"):
        measure(loaded, part=loaded, root=cache.root, jobs=1, quiet=True)


# device, precision, batch


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_is_close_and_has_its_own_cache_key(tmp_path: Path, small_suite: Path, precision: str) -> None:
    loaded = suite.load(str(small_suite))
    card, cache = loaded.tasks[0], Cache(tmp_path / "cache")
    exact, lower = (
        Embedder(replace(POCKET, precision=p), cache).images(card, "train")["image"] for p in ("fp32", precision)
    )
    assert exact.dtype == lower.dtype == np.float32
    assert 0 < np.abs(exact - lower).max() < 0.03
    keys = Keys()
    assert keys.images(POCKET, card, "train") != keys.images(replace(POCKET, precision=precision), card, "train")


@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
def test_unavailable_device_is_reported(device: str) -> None:
    with pytest.raises(UsageError, match=f"--device {device}: cannot be used on this machine"):
        Encoder(replace(POCKET, device=device))


def test_batch_is_halved_until_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Encoder(POCKET)
    expected, forward, batches = encoder.encode(random_pixels(100))["image"], encoder._forward, []

    def limited_forward(pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        batches.append(len(pixels))
        if len(pixels) > 20:
            raise torch.OutOfMemoryError("allocation failed")
        return forward(pixels)

    monkeypatch.setattr(encoder, "_forward", limited_forward)
    assert np.allclose(encoder.encode(random_pixels(100))["image"], expected, atol=1e-6)
    assert batches[:4] == [100, 64, 32, 16]
    assert encoder.batch == 16
    monkeypatch.setattr(
        encoder, "_forward", lambda pixels: (_ for _ in ()).throw(torch.OutOfMemoryError("allocation failed"))
    )
    with pytest.raises(InputError, match="one image does not fit into the memory of cpu"):
        encoder.encode(random_pixels(4))


def test_batch_of_a_large_model_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Encoder(Model("vit", f"timm:local-dir:{write_vision_model(tmp_path / 'vit')}"))
    assert encoder.batch == 0
    forward = encoder._forward

    def limited_forward(pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        if len(pixels) > 32:
            raise torch.OutOfMemoryError("allocation failed")
        return forward(pixels)

    monkeypatch.setattr(encoder, "_forward", limited_forward)
    assert encoder.encode(random_pixels(150, encoder.size))["image"].shape[0] == 150
    assert encoder.batch in (16, 32)


# large splits


def test_large_split_is_cached_in_blocks_and_resumed(
    tmp_path: Path, small_suite: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(embedder, "BLOCK", 25)
    loaded = suite.load(str(small_suite)).subset(["clip-things"], ["two_colours"])
    cache, card = Cache(tmp_path / "cache"), loaded.tasks[0]
    work = jobs.pending_jobs(loaded, cache)
    assert [(w.start, w.images) for w in work if w.card] == [(0, 25), (25, 25), (50, 20)]
    jobs.run_job(work[1], loaded, cache.root, Keys())
    assert [w.start for w in jobs.pending_jobs(loaded, cache) if w.card] == [0, 50]
    assert embed_suite(loaded, cache, 1) == 45
    assert "images/s" in capsys.readouterr().err
    blocks = Embedder(loaded.models[0], cache).images(card, "train")
    monkeypatch.setattr(embedder, "BLOCK", 4096)
    whole = Embedder(loaded.models[0], Cache(tmp_path / "other")).images(card, "train")
    assert np.allclose(blocks["image"], whole["image"], atol=1e-6)
    assert np.array_equal(blocks["labels"], whole["labels"])
    assert not list((tmp_path / "cache").glob("blocks/*/*.safetensors"))


def test_large_splits_are_decoded_on_demand(measured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.finetuning import workbench

    loaded = suite.load(str(measured / "small.toml"))
    in_memory = workbench.Workbench(loaded.models[0], loaded.tasks, Cache(measured / "cache"))
    monkeypatch.setattr(workbench, "PIXEL_MEMORY", 0)
    on_demand = workbench.Workbench(loaded.models[0], loaded.tasks, Cache(measured / "cache"))
    card, rows = loaded.tasks[0], torch.tensor([3, 1, 11])
    assert torch.equal(in_memory.pixels(card, "test")[rows], on_demand.pixels(card, "test")[rows])
    assert torch.equal(in_memory.pixels(card, "test")[:2], on_demand.pixels(card, "test")[:2])
    assert [len(part) for part in on_demand.pixels(card, "test").parts(8)] == [8, 8, 4]
    assert in_memory.evaluate(in_memory.encoder, card) == on_demand.evaluate(on_demand.encoder, card)


def test_command_takes_device_and_precision(command: Callable[..., object], small_suite: Path) -> None:
    embed = ("embed", "--suite", small_suite, "--jobs", 1)
    process = command(*embed, "--models=clip-things", "--precision=bf16", "--device=cpu")
    assert (process.returncode, "350/350 images" in process.stderr) == (0, True), process.stderr
    process = command(*embed, "--device", "gpu")
    assert (process.returncode, process.stderr.count("\n")) == (2, 1)
    assert "--device gpu: cannot be used on this machine" in process.stderr
