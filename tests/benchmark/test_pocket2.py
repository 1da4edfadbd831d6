"""The second generation of the pocket suite: its corpus, recipes, tasks and models."""

import hashlib
import io
import json
import math
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from benchmark.errors import CardError
from benchmark.finetuning import ledger
from benchmark.pocket import captions, corpus, pretrain, vocabulary, world
from benchmark.pocket.families import BPE_2, FAMILIES, WEIGHTS_2, config
from benchmark.reports import geometry, health
from benchmark.reports.measurements import suite_ledger
from benchmark.suites import suite
from benchmark.tasks import cards, sources
from benchmark.tasks import hashed_random as chance

CARDS = sorted((suite.FOLDER / "pocket2").glob("*.toml"))
MODELS = sorted(path.name for path in WEIGHTS_2.glob("*") if path.is_dir())

# A change of any of these bytes makes models, geometry and caches stale.
CORPUS = {
    "things": "1128cfaa16c622bd",
    "signs": "a63a9e5aa181c91c",
}
TASKS = {
    "cells": ("7a3528c7c8a4ad40", "49714060e535ea36"),
    "colours": ("bd32bbdb7f749778", "bc83c5cfaf42603b"),
    "colours_faded": ("1030601262a043d4", "ef0160e9355e1ebd"),
    "counts": ("c198e098917c0f0a", "3e37a2eba8fed13b"),
    "counts_new": ("c29c59ee88bab6ec", "b5e6423b80fabde3"),
    "dice": ("8224647cd93bbac5", "e485515321cbf99c"),
    "die_colours": ("43453035ddd9777d", "197b2a850769588d"),
    "digits": ("f8035c1fb13601b8", "7da877ed9a425651"),
    "ellipses": ("280512450dc5e627", "d5d23d25f502780c"),
    "letters": ("319f8395ccefda1f", "d01e691e3637ae76"),
    "letters_inverted": ("3bf5a6a357789227", "d9bdb11673f9320e"),
    "new_shapes": ("a04290ac58f987ac", "633c22277ffcba39"),
    "new_textures": ("de46f7244ac7a348", "585d4369d5abadff"),
    "numerals": ("6724a742e10ca2e0", "5e32ac265521fe55"),
    "numerals_hidden": ("fa1f7cd4f3e13434", "ac9a1f3b657e9166"),
    "places_new": ("21b744e8f69bccdc", "a4c673574042c41d"),
    "relations_new": ("d85696f34e89be50", "5399e207b8bdfb7e"),
    "runes": ("1783aa4c7c18cffe", "164b2462ac876671"),
    "shades": ("784e871f314efe31", "939705e32cf3cd4c"),
    "shapes": ("f5c1b24b745b4b14", "780380a6fe2f01bb"),
    "shapes_noisy": ("ab358d586632a22f", "6beb02356d23b470"),
    "shapes_outlined": ("b0f19f2e7781a79c", "ea9cdda64e4ab0fd"),
    "shapes_striped": ("8057bd4c6fb5b2b8", "8d6db695b49073af"),
    "signals": ("e1e41499035049f9", "111d8689b547a471"),
    "sizes_new": ("0c14d678e36597a0", "ab6926a104c6ce88"),
    "strokes": ("549010f28ccbd1eb", "4ac15995cb2b948e"),
    "strokes_mirrored": ("8a7f167e49694c7d", "2ae89a962b3959a4"),
    "textures": ("f321bd0e954bd787", "2547d0cb023131d5"),
    "textures_gray": ("e265be1522776f1c", "8072aa201489724f"),
    "textures_tilted": ("21f7f18163b86067", "f945e45265afee55"),
}


def short_digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("mixture", corpus.SECOND.mixtures)
def test_corpus_is_the_same_to_the_byte(mixture: str) -> None:
    assert corpus.fingerprint(mixture, corpus=corpus.SECOND)[:16] == CORPUS[mixture]


def test_vocabulary_is_learned_from_the_corpus(tmp_path: Path) -> None:
    vocabulary.write(tmp_path / "bpe.txt.gz", corpus.SECOND, vocabulary.MERGES_2)
    assert (tmp_path / "bpe.txt.gz").read_bytes() == BPE_2.read_bytes()


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_tasks_are_the_same_to_the_byte_and_what_their_cards_say(path: Path) -> None:
    card = cards.read(path)
    splits = [sources.load(card, split) for split in cards.SPLITS]
    found = (
        short_digest(np.concatenate([np.asarray(s.images)[:40] for s in splits])),
        short_digest(np.concatenate([s.labels for s in splits])),
    )
    assert found == TASKS[card.name]
    seen: set[bytes] = set()
    for split, examples in zip(cards.SPLITS, splits, strict=True):
        assert len(examples.labels) == card.sizes[split]
        assert set(examples.labels) == set(range(len(card.classes)))
        rows = {image.tobytes() for image in np.asarray(examples.images)}
        assert not rows & seen  # no image in two splits
        seen |= rows


def test_the_suite_has_the_tasks_that_were_asked_for() -> None:
    listed = [cards.read(path) for path in CARDS]
    assert len(listed) >= 28
    assert 4 * sum(card.group == "seen" for card in listed) <= len(listed)
    assert all(card.sizes["test"] >= 1000 for card in listed)
    sizes = [card.sizes["train"] for card in listed]
    assert (min(sizes), max(sizes)) == (60, 1000)
    assert max(sizes.count(size) for size in sizes) <= 3
    assert {card.group for card in listed} == {"seen", "shifted", "composed", "new", "domain", "fine", "real"}


def test_tasks_of_unseen_combinations_show_none_that_the_corpus_has() -> None:
    shades = cards.read(suite.FOLDER / "pocket2" / "shades.toml").classes
    assert set(shades) | set(corpus.KNOWN_SHADES) == set(world.SHADES)
    assert not set(shades) & set(corpus.SECOND.colours)
    shown = {style for _, style in corpus.SECOND.styles}
    assert not any(s.outline or s.invert or s.gray or s.fill or s.hide or s.mirror for s in shown)
    for path in CARDS:
        card = cards.read(path)
        if card.group == "composed" and "shape" in card.source.get("fixed", {}):
            assert card.source["fixed"]["shape"] not in corpus.SEEN_SHAPES


def test_a_shade_is_halfway_to_black_or_white() -> None:
    assert world.COLOURS["dark red"] == tuple(round(v / 2) for v in world.COLOURS["red"])
    assert all(v >= w for v, w in zip(world.COLOURS["light blue"], world.COLOURS["blue"], strict=True))


@pytest.mark.parametrize("subject", ["object", "place", "count", "relation", "texture", "gradient", "stroke", "letter"])
def test_captions_keep_their_subject_and_vary_the_rest(subject: str) -> None:
    _, known = corpus._attributes(subject, "captions", 200, corpus.SECOND.colours)
    u = chance.uniforms("captions/words", 200, captions.WORDS)
    texts = [captions.caption(subject, known, u[i].tolist(), i) for i in range(200)]
    again = [captions.caption(subject, known, u[i].tolist(), i) for i in range(200)]
    assert texts == again
    assert len(set(texts)) > 150
    what = {"object": "shape", "letter": "glyph", "count": "number"}.get(subject, subject)
    what = {"gradient": "direction"}.get(what, what)
    for i, text in enumerate(texts):
        names = captions.SAME.get(known[what][i], (known[what][i],))
        plain = subject == "object" and "object" in text
        assert plain or any(name in text for name in names), text


def test_both_names_of_a_shade_are_kept() -> None:
    assert captions._named("dark purple", 0.99) == "dark violet"
    assert captions._named("top left", 0.5) == "top left"
    assert captions._named("left of", 0.99) == "to the left of"


def test_what_a_class_is_drawn_as_may_differ_from_its_name(tmp_path: Path) -> None:
    text = (suite.FOLDER / "pocket2" / "ellipses.toml").read_text()
    (tmp_path / "ellipses.toml").write_text(text.replace('drawn = ["round", ', "drawn = ["))
    with pytest.raises(CardError, match="'drawn' should name what to draw for each of the 6 classes"):
        sources.load(cards.read(tmp_path / "ellipses.toml"), "test")


# pretraining


def untrained(family: str, folder: Path) -> tuple[Any, Any, Any]:
    import open_clip
    import torch
    from open_clip.tokenizer import SimpleTokenizer

    tokenizer = SimpleTokenizer(str(BPE_2), context_length=24)
    (folder / "open_clip_config.json").write_text(json.dumps(config(family, tokenizer.vocab_size)))
    torch.manual_seed(0)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    images, texts = corpus.pairs("things", "start", 64, corpus.SECOND)
    return model, torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1, tokenizer(texts)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_starts_in_the_cone_that_its_recipe_names(family: str, tmp_path: Path) -> None:
    import torch

    model, images, tokens = untrained(family, tmp_path)
    recipe = pretrain.ColdRecipe(family, "things", start_scale=50.0, cone=0.9)
    pretrain._start(model, recipe, images, tokens)
    with torch.no_grad():
        x, t = model.encode_image(images, normalize=True), model.encode_text(tokens, normalize=True)
    n = len(x)
    assert float((x.sum(0).square().sum() - n) / (n * (n - 1))) == pytest.approx(0.9, abs=0.01)
    assert model.logit_scale.exp().item() == pytest.approx(50)
    if family == "siglip":
        expected = 50 * float((x @ t.T).mean()) + float(model.logit_bias)
        assert expected == pytest.approx(-math.log(63), abs=1e-3)


def test_the_temperature_falls_and_stays(tmp_path: Path) -> None:
    model, images, tokens = untrained("siglip", tmp_path)
    recipe = pretrain.ColdRecipe("siglip", "things", start_scale=10, scale=117, bias=-16, raising=0.5)
    pretrain._start(model, recipe, images, tokens)
    scales, biases = [], []
    for step in range(40):
        pretrain._set_temperature(model, recipe, step, 40)
        scales.append(float(model.logit_scale.exp()))
        biases.append(float(model.logit_bias))
    assert scales == sorted(scales)
    assert scales[9] == pytest.approx(math.sqrt(1170), rel=1e-3)
    assert scales[19:] == pytest.approx([117] * 21, rel=1e-5)
    assert biases[19:] == pytest.approx([-16] * 21, rel=1e-5)


def test_the_mean_similarity_is_held_where_a_recipe_has_a_level() -> None:
    import torch

    x, t = torch.eye(4)[:2], torch.tensor([[0.6, 0.8, 0, 0], [1.0, 0, 0, 0]])  # mean similarity .6
    recipe = pretrain.ColdRecipe("clip", "things", level=0.1)
    assert float(pretrain._off_level((x, t, 100.0), recipe)) == pytest.approx(pretrain.HOLD * 0.25)
    assert float(pretrain._off_level({"image_features": x, "text_features": t}, recipe)) > 0
    assert pretrain._off_level((x, t), pretrain.ColdRecipe("siglip", "things", level=None)) == 0
    assert pretrain._off_level((x, t), pretrain.RECIPES["clip-things"]) == 0


@pytest.mark.parametrize("family", ["siglip", "coca"])
def test_interrupted_pretraining_resumes(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.numpy import load_file

    recipe = pretrain.ColdRecipe(family, "signs", pairs=32 * 6, batch=32, warmup=2, bias=-16.0, raising=0.9)
    monkeypatch.setattr(pretrain, "SAVE_EVERY", 2)
    monkeypatch.setattr(pretrain, "CHUNK", 64)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    original = pretrain._rate

    def killed(r: pretrain.Recipe, step: int, steps: int) -> float:
        if step == 5:
            raise KeyboardInterrupt
        return original(r, step, steps)

    with redirect_stderr(io.StringIO()):
        pretrain.pretrain("m", whole, recipe)
        monkeypatch.setattr(pretrain, "_rate", killed)
        with pytest.raises(KeyboardInterrupt):
            pretrain.pretrain("m", parts, recipe)
        monkeypatch.setattr(pretrain, "_rate", original)
        pretrain.pretrain("m", parts, recipe)
    one, two = (load_file(f / "open_clip_model.safetensors") for f in (whole, parts))
    assert all(np.array_equal(one[key], two[key]) for key in one)
    assert math.exp(one["logit_scale"]) == pytest.approx(100, rel=0.01)


# shipped models


@pytest.mark.parametrize("name", MODELS)
def test_models_are_small_and_were_made_by_their_recipe(name: str) -> None:
    from safetensors.numpy import load_file

    folder = WEIGHTS_2 / name
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5_000_000
    tensors = load_file(folder / "open_clip_model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype(np.float16)}
    kept = json.loads((folder / "open_clip_config.json").read_text())
    assert kept == config(name.split("-")[0], kept["model_cfg"]["text_cfg"]["vocab_size"])
    record, recipe = json.loads((folder / "pretraining.json").read_text()), pretrain.RECIPES_2[name]
    assert all(record[key] == value for key, value in vars(recipe).items())
    assert record["steps"] == recipe.pairs // recipe.batch
    assert record["tried"] == pretrain._history(recipe)["tried"]
    assert record["loss"][-1][1] < 0.5 * record["loss"][0][1]
    assert math.exp(tensors["logit_scale"]) == pytest.approx(recipe.scale, rel=0.01)


def test_the_table_of_geometry_is_of_what_the_suite_has() -> None:
    loaded = suite.load("pocket2")
    places = health.measured_geometry(loaded)
    assert {(p.model, p.task) for p in places} == {(m.name, t.name) for m in loaded.models for t in loaded.tasks}
    kept = (geometry.path_of("pocket2").parent / "pocket2-models.csv").read_text().splitlines()[1:]
    assert [line.split(",")[0] for line in kept] == [model.name for model in loaded.models]
    for line, summary in zip(kept, geometry.summarise(places), strict=True):
        figures = [float(figure) for figure in line.split(",")[1:]]
        assert figures == pytest.approx([float(v) for k, v in vars(summary).items() if k != "model"], abs=2e-4)


def test_the_runs_measured_so_far_are_of_what_the_suite_has() -> None:
    """Of an incomplete ledger too: conditions, digests, all tasks in every run, and the accuracies before of the geometry table."""
    loaded = suite.load("pocket2")
    rows = suite_ledger(loaded)
    runs = rows.group_by("model", "technique", "seed", "trained_on").len()
    assert set(runs["len"]) == {len(loaded.tasks)}
    assert set(runs["technique"]) == {settings.name for settings in loaded.techniques}
    places = {(p.model, p.task): p.zero_shot for p in geometry.read(geometry.path_of("pocket2"))}
    own = rows.filter(pl.col("trained_on") == pl.col("evaluated_on"))
    for model, task, before in own.select("model", "trained_on", "before").unique().iter_rows():
        assert before == pytest.approx(places[model, task], abs=1e-3)
    # a run that kept the untuned weights changed nothing
    for model in loaded.models:
        for run, notes in ledger.read_notes(loaded.ledger, model.name).items():
            if notes["epoch"] == 0:
                after = rows.filter(model=run.model, technique=run.technique, seed=run.seed, trained_on=run.trained_on)
                assert (after["after"] == after["before"]).all()
                assert notes["drift"] == notes["kl"] == 0
                break
