"""Models of every kind: where their files come from, how they are run, and what is said where they cannot be had."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark.embedding import jobs as embed
from benchmark.embedding.cache import Cache
from benchmark.embedding.jobs import Embedder, embed_suite
from benchmark.errors import InputError, SuiteError, UsageError
from benchmark.finetuning import measure
from benchmark.models import weights
from benchmark.models.encoder import Encoder
from benchmark.models.model import Model
from benchmark.pocket.families import BPE, WEIGHTS
from benchmark.scoring import scoring as score
from benchmark.suites import suite

HERE = WEIGHTS / "clip-things"
POCKET = Model("clip-things", f"local-dir:{HERE}", BPE)


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the Hub, and no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def cached(hub: Path, repo: str, files: dict[str, Path]) -> None:
    """Lay files out as the Hub's cache has them."""
    base = hub / f"models--{repo.replace('/', '--')}"
    (base / "refs").mkdir(parents=True)
    (base / "refs" / "main").write_text("0123abcd")
    (base / "snapshots" / "0123abcd").mkdir(parents=True)
    for name, path in files.items():
        shutil.copy(path, base / "snapshots" / "0123abcd" / name)


def pictures(n: int, size: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (n, size, size, 3), np.uint8)


def vision_folder(folder: Path, architecture: str = "test_vit", classes: int = 11) -> Path:
    import timm

    torch.manual_seed(0)
    model = timm.create_model(architecture, num_classes=classes)
    timm.models.save_for_hf(model, folder)
    return folder


# where models come from


def test_a_model_of_the_hub_is_read_from_its_cache(hub: Path) -> None:
    files = {name: HERE / name for name in ("open_clip_config.json", "open_clip_model.safetensors")}
    cached(hub, "org/pocket", files)
    model = Model("m", "hf-hub:org/pocket", BPE)
    assert weights.missing_files(model) == []
    there = Encoder(model).encode(pictures(3))["image"]
    assert np.array_equal(there, Encoder(POCKET).encode(pictures(3))["image"])
    before = weights.fingerprint(model)
    assert (
        before["org/pocket/open_clip_model.safetensors"] == weights.fingerprint(POCKET)["open_clip_model.safetensors"]
    )


def test_a_local_checkpoint_of_a_named_architecture(tmp_path: Path) -> None:
    import open_clip
    from safetensors.torch import save_file

    open_clip.add_model_config(HERE / "open_clip_config.json")
    config = json.loads((HERE / "open_clip_config.json").read_text())["model_cfg"]
    (tmp_path / "own-clip.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "own-clip.json")
    made = open_clip.create_model("own-clip")
    save_file(made.state_dict(), tmp_path / "own.safetensors")
    torch.save(made.state_dict(), tmp_path / "own.pt")
    for file in ("own.safetensors", "own.pt"):
        encoder = Encoder(Model("own", "own-clip", BPE, tmp_path / file))
        assert torch.equal(encoder.model.logit_scale, made.logit_scale)
        assert encoder.encode(pictures(2))["image"].shape == (2, 96)
    assert weights.fingerprint(Model("own", "own-clip", None, tmp_path / "own.pt")) != weights.fingerprint(
        Model("own", "own-clip", None, tmp_path / "own.safetensors")
    )


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Bad:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"state_dict": {"x": Bad()}}, tmp_path / "bad.pt")
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
def test_a_model_that_is_not_here_names_the_file_and_how_to_bring_it(load: str, file: str) -> None:
    model = Model("m", load)
    assert file in weights.missing_files(model)
    with pytest.raises(InputError, match="is not here and cannot be fetched") as caught:
        weights.fetch(model, lambda text: None)
    repo, _, name = file.rpartition("/")
    assert file in str(caught.value)
    first_repo, _, first = weights.missing_files(model)[0].rpartition("/")
    assert f"`hf download {first_repo} {first}`" in str(caught.value)
    assert (repo, name) in [of.rpartition("/")[::2] for of in weights.missing_files(model)]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("load", "said"),
    [
        ("ViT-B-23/openai", "unknown model 'ViT-B-23': did you mean"),
        ("ViT-B-32/openia", "unknown model 'ViT-B-32/openia': did you mean ViT-B-32/openai"),
        ("timm:resnet5", "unknown model 'resnet5': did you mean"),
        ("timm:resnet50.nonsense", "unknown model 'resnet50.nonsense'"),
        ("hf-hub:x/y@rev", "'x/y@rev' is no repository of the Hub"),
    ],
)
def test_a_name_that_is_not_known_has_its_neighbours_named(load: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        weights.missing_files(Model("m", load))


def test_weights_that_are_missing_are_never_made_at_random(tmp_path: Path) -> None:
    shutil.copy(HERE / "open_clip_config.json", tmp_path)
    with pytest.raises(InputError, match="model 'm': open_clip cannot load"):
        Encoder(Model("m", f"local-dir:{tmp_path}", BPE))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('name = "a/b"\nload = "ViT-B-32/openai"', "field 'name' is 'a/b', which names no file"),
        ('name = "a"\nload = "ViT-B-32"', "field 'load' is 'ViT-B-32'; give ARCHITECTURE/TAG"),
        ('name = "a"\nload = "ViT-B-32"\nweights = "no.pt"', r"field 'weights' is 'no\.pt', but there is no"),
        (
            'name = "a"\nload = "ViT-B-32/openai"\nweights = "own.toml"',
            "field 'weights' stands beside 'ViT-B-32/openai'",
        ),
        ('name = "a"\nload = "timm:local-dir:nowhere"', r"has no config\.json"),
    ],
)
def test_a_bad_model_of_a_suite_is_one_line(small_suite: Path, tmp_path: Path, lines: str, said: str) -> None:
    text = small_suite.read_text()
    path = tmp_path / "own.toml"
    path.write_text(
        text[: text.index("[[models]]")].replace('name = "small"', 'name = "own"') + f"[[models]]\n{lines}\n"
    )
    for card in small_suite.parent.glob("t*.toml"):
        shutil.copy(card, tmp_path)
    shutil.copy(small_suite.parent / "four_digits.toml", tmp_path)
    with pytest.raises(SuiteError, match=said):
        suite.read(path)


def test_a_name_and_its_weights_are_one_identity(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade of open_clip that changes a named model's preprocessing makes other embeddings."""
    import open_clip

    cached(
        hub,
        "timm/vit_base_patch32_clip_224.openai",
        {"open_clip_model.safetensors": HERE / "open_clip_model.safetensors"},
    )
    model = Model("m", "ViT-B-32/openai")
    before = weights.fingerprint(model)
    weights._library_configuration.cache_clear()
    known = dict(open_clip.get_pretrained_cfg("ViT-B-32", "openai"))
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda *of: known | {"mean": (0.5, 0.5, 0.5)})
    assert weights.fingerprint(model) != before
    weights._library_configuration.cache_clear()


# vision-only


def test_a_vision_only_model_gives_features_and_posteriors(tmp_path: Path) -> None:
    import timm

    folder = vision_folder(tmp_path / "vit")
    encoder = Encoder(Model("vit", f"timm:local-dir:{folder}"))
    found = encoder.encode(pictures(5, encoder.size))
    assert found["source"].shape == (5, 11)
    assert np.allclose(found["source"].sum(1), 1)
    assert found["energy"].shape == (5,)
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    with torch.inference_mode():
        inputs = encoder.normalise(torch.from_numpy(pictures(5, encoder.size)).permute(0, 3, 1, 2))
        assert np.allclose(model(inputs).softmax(1).numpy(), found["source"], atol=1e-6)
        assert np.allclose(model(inputs).logsumexp(1).numpy(), found["energy"], atol=1e-5)
        assert np.allclose(
            model.forward_head(model.forward_features(inputs), pre_logits=True).numpy(), found["image"], atol=1e-5
        )
    with pytest.raises(InputError, match="has no text tower"):
        encoder.encode_texts(["a circle"])


@pytest.mark.parametrize("architecture", ["test_resnet", "test_efficientnet", "test_convnext"])
def test_convolutional_encoders_are_embedded_too(tmp_path: Path, architecture: str) -> None:
    encoder = Encoder(Model("m", f"timm:local-dir:{vision_folder(tmp_path / 'm', architecture)}"))
    found = encoder.encode([Image.fromarray(p) and p for p in pictures(3, 50)])
    assert found["image"].ndim == 2
    assert np.allclose(found["source"].sum(1), 1)


def test_text_scorers_abstain_on_a_vision_only_model_and_source_scorers_do_not(
    tmp_path: Path, small_suite: Path
) -> None:
    loaded = suite.load(str(small_suite)).subset(None, ["two_colours"])
    vision = Model("vit", f"timm:local-dir:{vision_folder(tmp_path / 'vit')}")
    loaded = replace(loaded, models=(*loaded.models, vision))
    cache = Cache(tmp_path / "cache")
    embed_suite(loaded, cache, 1, quiet=True)
    cells = {(c["scorer"], c["model"]): c for c in score.score_suite(loaded, None, cache).scores.to_dicts()}
    for name in ("leep", "nce", "logme", "pactran_dirichlet", "knn", "etran", "n_parameters"):
        assert cells[name, "vit"]["score"] is not None, (name, cells[name, "vit"]["abstained"])
    for name in ("iimm", "zero_shot_margin", "modality_gap"):
        assert "text" in cells[name, "vit"]["abstained"]
        assert cells[name, "clip-things"]["score"] is not None
    with pytest.raises(InputError, match=r"model 'vit' is vision-only.*leave it out with --models"):
        measure.measure(loaded, loaded, cache.root, 1, quiet=True)


# device, precision, batch


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_is_near_and_kept_apart(tmp_path: Path, small_suite: Path, precision: str) -> None:
    loaded = suite.load(str(small_suite))
    card, cache = loaded.tasks[0], Cache(tmp_path / "cache")
    exact, rough = (
        Embedder(replace(POCKET, precision=p), cache).images(card, "train")["image"] for p in ("fp32", precision)
    )
    assert exact.dtype == rough.dtype == np.float32
    assert 0 < np.abs(exact - rough).max() < 0.03
    assert embed.image_key(POCKET, card, "train") != embed.image_key(
        replace(POCKET, precision=precision), card, "train"
    )


@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
def test_a_device_that_is_not_there_is_one_line(device: str) -> None:
    with pytest.raises(UsageError, match=f"--device {device}: cannot be used here"):
        Encoder(replace(POCKET, device=device))


def test_the_batch_is_halved_until_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Encoder(POCKET)
    whole, forward, seen = encoder.encode(pictures(100))["image"], encoder._forward, []

    def tight(pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.append(len(pixels))
        if len(pixels) > 20:
            raise torch.OutOfMemoryError("no room")
        return forward(pixels)

    monkeypatch.setattr(encoder, "_forward", tight)
    assert np.allclose(encoder.encode(pictures(100))["image"], whole, atol=1e-6)
    assert seen[:4] == [100, 64, 32, 16]
    assert encoder.batch == 16
    monkeypatch.setattr(encoder, "_forward", lambda pixels: (_ for _ in ()).throw(torch.OutOfMemoryError("none")))
    with pytest.raises(InputError, match="one image does not fit into the memory of cpu"):
        encoder.encode(pictures(4))


def test_the_batch_of_a_large_model_is_found_by_trying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Encoder(Model("vit", f"timm:local-dir:{vision_folder(tmp_path / 'vit')}"))
    assert encoder.batch == 0
    forward = encoder._forward

    def tight(pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        if len(pixels) > 32:
            raise torch.OutOfMemoryError("no room")
        return forward(pixels)

    monkeypatch.setattr(encoder, "_forward", tight)
    assert encoder.encode(pictures(150, encoder.size))["image"].shape[0] == 150
    assert encoder.batch in (16, 32)


# large splits


def test_a_large_split_is_kept_block_by_block_and_goes_on(
    tmp_path: Path, small_suite: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(embed, "BLOCK", 25)
    loaded = suite.load(str(small_suite)).subset(["clip-things"], ["two_colours"])
    cache, card = Cache(tmp_path / "cache"), loaded.tasks[0]
    work = embed.pending_work(loaded, cache)
    assert [(w.start, w.images) for w in work if w.card] == [(0, 25), (25, 25), (50, 20)]
    embed.embed_work(work[1], loaded, cache.root)
    assert [w.start for w in embed.pending_work(loaded, cache) if w.card] == [0, 50]
    assert embed_suite(loaded, cache, 1) == 45
    assert "images/s" in capsys.readouterr().err
    found = Embedder(loaded.models[0], cache).images(card, "train")
    monkeypatch.setattr(embed, "BLOCK", 4096)
    whole = Embedder(loaded.models[0], Cache(tmp_path / "other")).images(card, "train")
    assert np.allclose(found["image"], whole["image"], atol=1e-6)
    assert np.array_equal(found["labels"], whole["labels"])
    assert not list((tmp_path / "cache").glob("blocks/*/*.safetensors"))


def test_large_splits_are_decoded_when_they_are_asked_for(measured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.finetuning import workbench

    loaded = suite.load(str(measured / "small.toml"))
    held = workbench.Workbench(loaded.models[0], loaded.tasks, Cache(measured / "cache"))
    monkeypatch.setattr(workbench, "HELD", 0)
    asked = workbench.Workbench(loaded.models[0], loaded.tasks, Cache(measured / "cache"))
    card, rows = loaded.tasks[0], torch.tensor([3, 1, 11])
    assert torch.equal(held.pixels(card, "test")[rows], asked.pixels(card, "test")[rows])
    assert torch.equal(held.pixels(card, "test")[:2], asked.pixels(card, "test")[:2])
    assert [len(part) for part in asked.pixels(card, "test").parts(8)] == [8, 8, 4]
    assert held.accuracies(held.encoder) == asked.accuracies(asked.encoder)


def test_the_command_takes_device_and_precision(command: Callable[..., object], small_suite: Path) -> None:
    ran = command(
        "embed",
        "--suite",
        small_suite,
        "--models",
        "clip-things",
        "--precision",
        "bf16",
        "--device",
        "cpu",
        "--jobs",
        1,
    )
    assert (ran.returncode, "350/350 images" in ran.stderr) == (0, True), ran.stderr
    ran = command("embed", "--suite", small_suite, "--device", "gpu", "--jobs", 1)
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert "--device gpu: cannot be used here" in ran.stderr
