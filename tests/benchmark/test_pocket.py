"""The pocket world, its corpus, vocabulary and models: the same bytes everywhere, loaded as open_clip loads them."""

import hashlib
import io
import json
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
import pytest

from benchmark.pocket import corpus, vocabulary, world
from benchmark.pocket.families import BPE, FAMILIES, WEIGHTS, config
from benchmark.pocket.source import class_sizes
from benchmark.suites import suite
from benchmark.tasks import cards, sources
from benchmark.tasks import hashed_random as chance

MODELS = sorted(path.name for path in WEIGHTS.iterdir())
TASKS = [name for name in cards.card_names() if cards.load(name).kind in ("pocket", "digits")]


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


# A change of any of these bytes makes every ledger and cache stale: raise world.VERSION with it.
IMAGES = {
    "bold_shapes": "530e438df4304525",
    "cells": "f105b1deff5c2f7a",
    "clocks": "9b41493c36be08e3",
    "colours": "b3f70c524cea5dfd",
    "colours_faded": "baeaf5dc0cc55fc6",
    "counts": "e8537195e5c34c6b",
    "dice": "af87830321d82190",
    "digits": "6282c662cc0a05cc",
    "ellipses": "5d4b4c10d744a79f",
    "glyph_colours": "205b7ca3525b443a",
    "letters": "1377bce4d52383a9",
    "new_shapes": "c152406c75a05940",
    "new_textures": "3a4b89dfb14eb46a",
    "numerals": "594909c3af7f8b08",
    "numerals_hidden": "58f7cde1637e5e51",
    "places": "bb46573c4971a20b",
    "runes": "35074ad1dfe32b73",
    "shapes": "71f0375fe05e73ed",
    "shapes_noisy": "ebab1f72de076c49",
    "shapes_outlined": "f7205b008978beef",
    "signals": "82e9205da373bd69",
    "strokes": "dd14925986cdb6b6",
    "textures": "7ee1fd291efc0e51",
    "textures_tilted": "bacd7d228654143e",
}
LABELS = {
    "bold_shapes": "23a40f22121d649a",
    "cells": "d23aff84dd9d0bcf",
    "clocks": "8525822aeb1bee7e",
    "colours": "28a7ebfe720db7e2",
    "colours_faded": "aeea9fdbc1aed69b",
    "counts": "9b0f78a872061ad1",
    "dice": "e3eb14cbe07eeec7",
    "digits": "37bf7e318ead0fd6",
    "ellipses": "ec41fffbfc90fe61",
    "glyph_colours": "9197461aa7f5998f",
    "letters": "436ab28f3851e26f",
    "new_shapes": "0aceed77ab4634ce",
    "new_textures": "c558843d441e47fc",
    "numerals": "e94d9b1837b817e8",
    "numerals_hidden": "d4206af219b42bc7",
    "places": "5edab8000a217033",
    "runes": "e44399cdba48e0f0",
    "shapes": "fc715c709f1ce914",
    "shapes_noisy": "eba34d6a07a24783",
    "shapes_outlined": "c6fd3511145ff44c",
    "signals": "8df412b638291a76",
    "strokes": "a3c6277910e0ace3",
    "textures": "b3b07dac9db16c72",
    "textures_tilted": "e87712a92aeddf45",
}
CORPUS = {"things": "a7cddac9859ad453", "signs": "dd1bedc044607e38"}


@pytest.mark.parametrize("name", TASKS)
def test_tasks_are_the_same_to_the_byte(name: str) -> None:
    card = cards.load(name)
    splits = [sources.load(card, split) for split in cards.SPLITS]
    assert digest(np.concatenate([np.asarray(s.images)[:40] for s in splits])) == IMAGES[name]
    assert digest(np.concatenate([s.labels for s in splits])) == LABELS[name]


@pytest.mark.parametrize("mixture", corpus.MIXTURES)
def test_corpus_is_the_same_to_the_byte(mixture: str) -> None:
    assert corpus.fingerprint(mixture)[:16] == CORPUS[mixture]


def test_vocabulary_is_learned_from_the_corpus(tmp_path: Path) -> None:
    vocabulary.write(tmp_path / "bpe.txt.gz")
    assert (tmp_path / "bpe.txt.gz").read_bytes() == BPE.read_bytes()


def test_merges_join_the_most_frequent_pair_first() -> None:
    merges = vocabulary.learn_merges(["low low low lower", "low"], 3)
    assert merges[:2] == [("l", "o"), ("lo", "w</w>")]


@pytest.mark.parametrize("name", TASKS)
def test_tasks_match_their_cards(name: str) -> None:
    card = cards.load(name)
    seen = set()
    for split in cards.SPLITS:
        examples = sources.load(card, split)
        assert len(examples.images) == len(examples.labels) == card.sizes[split]
        assert set(examples.labels) == set(range(len(card.classes)))
        assert np.asarray(examples.images).shape[1:] == (32, 32, 3)
        rows = {image.tobytes() for image in np.asarray(examples.images)}
        assert not rows & seen  # no image in two splits
        seen |= rows


def test_suite_covers_families_groups_and_sizes() -> None:
    loaded = suite.load("pocket")
    assert {model.name for model in loaded.models} == set(MODELS)
    assert len(loaded.models) == 8
    assert len(loaded.tasks) >= 16
    assert {card.group for card in loaded.tasks} == {"seen", "shifted", "new", "domain", "fine", "real"}
    sizes = [len(card.classes) for card in loaded.tasks]
    assert min(sizes) == 2
    assert max(sizes) == 40
    assert list(loaded.source_vocabulary) == corpus.vocabulary()
    assert [card.name for card in loaded.tasks if card.kind == "digits"] == ["digits"]
    assert sum("imbalance" in card.source for card in loaded.tasks) >= 2


def test_numbers_of_a_row_do_not_depend_on_how_many_are_drawn() -> None:
    assert np.array_equal(chance.uniforms("key", 10, 3)[:4], chance.uniforms("key", 4, 3))
    assert not np.array_equal(chance.uniforms("key", 4, 3), chance.uniforms("other", 4, 3))
    u = chance.uniforms("key", 20_000, 1)
    assert 0 <= u.min() < 0.01
    assert 0.99 < u.max() < 1
    values = chance.normals("key", 200, 500)
    assert abs(values.mean()) < 0.02
    assert values.std() == pytest.approx(1, abs=0.02)


def test_styles_change_the_picture_as_declared() -> None:
    def draw(**style: object) -> np.ndarray:
        return world.draw(
            "object", "style", 30, {"shape": ["star"] * 30}, world.Style(tilt=0, noise=0, **style)
        ).astype(int)

    plain = draw()
    assert np.array_equal(draw(invert=True), 255 - plain)
    assert np.ptp(draw(gray=True), axis=3).max() == 0
    assert draw(contrast=0.2).std() < 0.3 * plain.std()
    assert (draw(hide=0.3) == 110).all(3).mean() > 0.05
    assert 0 < (draw(outline=True) != plain).any(3).mean() < 0.6
    assert (draw(clutter=5) != plain).any(3).mean() > 0.01
    mirrored = draw(mirror=True)
    assert all(np.array_equal(m, p) or np.array_equal(m, p[:, ::-1]) for m, p in zip(mirrored, plain, strict=True))


@pytest.mark.parametrize("imbalance", [1.0, 5.0])
def test_class_sizes_add_up(imbalance: float) -> None:
    sizes = class_sizes(100, 7, imbalance)
    assert sum(sizes) == 100
    assert min(sizes) >= 2
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] / sizes[-1] == pytest.approx(imbalance, rel=0.25)


@pytest.mark.parametrize("name", MODELS)
def test_models_are_small_local_dirs_that_open_clip_loads(name: str) -> None:
    import open_clip
    import torch
    from safetensors import safe_open

    folder = WEIGHTS / name
    assert sum(path.stat().st_size for path in folder.iterdir()) < 3_000_000
    with safe_open(folder / "open_clip_model.safetensors", framework="pt") as file:
        assert {file.get_tensor(key).dtype for key in file.keys()} == {torch.float16}  # noqa: SIM118
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}", bpe_path=str(BPE))
    with torch.inference_mode():
        image = model.eval().encode_image(torch.zeros(2, 3, 32, 32), normalize=True)
        text = model.encode_text(tokenizer(["a red circle", "the digit 4"]), normalize=True)
    assert image.shape == text.shape
    assert torch.allclose(image.norm(dim=1), torch.ones(2))
    assert preprocess is not None


def test_families_have_their_architectures() -> None:
    import open_clip
    import timm.models.eva

    loaded = {family: open_clip.create_model(f"local-dir:{WEIGHTS / f'{family}-things'}") for family in FAMILIES}
    assert type(loaded["clip"]) is open_clip.CLIP
    assert type(loaded["coca"]) is open_clip.CoCa
    assert loaded["siglip"].logit_bias is not None
    assert loaded["siglip"].visual.trunk.attn_pool is not None
    trunk = loaded["eva02"].visual.trunk
    assert isinstance(trunk, timm.models.eva.Eva)
    assert trunk.rope is not None
    assert type(trunk.blocks[0].mlp).__name__ == "SwiGLU"
    assert type(trunk.blocks[0].mlp.norm).__name__ == "LayerNorm"  # sub-LN
    assert trunk.blocks[0].attn.qkv is None  # split projections


@pytest.mark.parametrize("name", MODELS)
def test_pretraining_record_matches_the_recipe(name: str) -> None:
    from benchmark.pocket.pretrain import RECIPES

    record = json.loads((WEIGHTS / name / "pretraining.json").read_text())
    recipe = RECIPES[name]
    assert all(record[key] == value for key, value in vars(recipe).items())
    assert record["steps"] == recipe.pairs // recipe.batch
    assert record["loss"][-1][0] > record["steps"] - 50
    assert record["loss"][-1][1] < 0.5 * record["loss"][0][1]


@pytest.mark.parametrize("family", FAMILIES)
def test_interrupted_pretraining_resumes(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.numpy import load_file

    from benchmark.pocket import pretrain

    recipe = pretrain.Recipe(family, "signs", pairs=64 * 6, batch=64, warmup=2)
    monkeypatch.setattr(pretrain, "SAVE_EVERY", 2)
    monkeypatch.setattr(pretrain, "CHUNK", 128)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    with redirect_stderr(io.StringIO()):
        pretrain.pretrain("m", whole, recipe)
        original = pretrain._rate

        def killed(r: pretrain.Recipe, step: int, steps: int) -> float:
            if step == 5:
                raise KeyboardInterrupt
            return original(r, step, steps)

        monkeypatch.setattr(pretrain, "_rate", killed)
        with pytest.raises(KeyboardInterrupt):
            pretrain.pretrain("m", parts, recipe)
        assert not (parts / "open_clip_model.safetensors").exists()
        monkeypatch.setattr(pretrain, "_rate", original)
        pretrain.pretrain("m", parts, recipe)
    one, two = (load_file(f / "open_clip_model.safetensors") for f in (whole, parts))
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[key], two[key]) for key in one)
    assert sorted(p.name for p in parts.iterdir()) == [
        "open_clip_config.json",
        "open_clip_model.safetensors",
        "pretraining.json",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_committed_weights_start_as_the_command_starts(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first steps of pretraining repeat the first entry of the loss curve that was recorded with the weights."""
    from benchmark.pocket import pretrain

    class Enough(Exception):
        pass

    curve: list[list[float]] = []

    def stop(*words: Callable[..., None] | str, **_: object) -> None:
        curve.append([float(word.strip(",")) for word in str(words[0]).split() if word[0].isdigit() and "." in word])
        raise Enough

    monkeypatch.setattr(pretrain, "print", stop, raising=False)
    with pytest.raises(Enough):
        pretrain.pretrain(name, tmp_path / name)
    record = json.loads((WEIGHTS / name / "pretraining.json").read_text())
    assert curve[0][0] == pytest.approx(record["loss"][0][1], abs=0.01)


def test_configurations_match_the_code() -> None:
    for name in MODELS:
        kept = json.loads((WEIGHTS / name / "open_clip_config.json").read_text())
        assert kept == config(name.split("-")[0], kept["model_cfg"]["text_cfg"]["vocab_size"])
