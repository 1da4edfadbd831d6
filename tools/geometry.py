"""Measure where a suite's models put images and texts: python tools/geometry.py [SUITE]

Writes leaderboard/geometry/<suite>.csv, a row for every model and task, and <suite>-models.csv, the same summed up for every model.
"""

import sys

import numpy as np

import scorers
from benchmark.embedding.cache import Cache
from benchmark.embedding.embedder import Embedder
from benchmark.finetuning.workbench import Workbench
from benchmark.models.encoder import Encoder
from benchmark.models.model import Model
from benchmark.pocket.corpus import pairs
from benchmark.pocket.pretrain import RECIPES_2
from benchmark.reports import geometry
from benchmark.reports.geometry import Place
from benchmark.suites import suite
from benchmark.suites.suite import Suite
from benchmark.tasks.fingerprint import task_fingerprint

AMONG, DRAWS = 256, 8  # captions that compete, as in a batch of pretraining, and how often


def own_corpus(model: Model) -> float:
    """Share of pictures of new pairs of the model's own corpus whose caption it ranks first; equal captions are one."""
    # the first generation and released models have no corpus here
    if model.name not in RECIPES_2:
        return float("nan")
    recipe, encoder, hits = RECIPES_2[model.name], Encoder(model), 0
    for draw in range(DRAWS):
        images, captions = pairs(recipe.mixture, f"held-out/{recipe.mixture}/{draw}", AMONG, recipe.corpus)
        texts = np.asarray(encoder.encode_texts(captions))
        # (AMONG,); scale and bias do not change the order
        best = (encoder.encode(images)["image"] @ texts.T).argmax(1)
        # the text counts, not the row
        hits += sum(captions[k] == caption for k, caption in zip(best, captions, strict=True))
    return hits / (AMONG * DRAWS)


def measure(of: Suite, model: Model, cache: Cache) -> list[Place]:
    bench, embedder = Workbench(model, of.tasks, cache), Embedder(model, cache)
    functions = scorers.registry().scorers
    own, weights, before = (
        own_corpus(model),
        geometry.weights_name(model),
        {card.name: bench.zero_shot_accuracy(card, "test") for card in of.tasks},
    )
    places = []
    for card in of.training_tasks:
        images = embedder.images(card, "train")
        e = scorers.Embeddings(images["image"], images["labels"], text=bench.texts(card).numpy())
        gap, inter, intra = (float(functions[k](e)) for k in ("modality_gap", "iimm_inter", "iimm_intra"))
        # identity of the row: health ignores it once weights or task have changed
        name = f"{weights}-{task_fingerprint(card)[:8]}"
        place = model.name, card.name, len(card.classes), bench.scale, bench.bias
        places.append(Place(*place, gap, inter, intra, before[card.name], own, name))
    return places


def main(name: str = "pocket2") -> None:
    of, cache = suite.load(name), Cache()
    places = [place for model in of.models for place in measure(of, model, cache)]
    path = geometry.path_of(of.name)
    geometry.write(path, places)
    geometry.write(path.with_name(f"{of.name}-models.csv"), geometry.summarise(places))
    print(f"{path}: {len(places)} rows")


if __name__ == "__main__":
    main(*sys.argv[1:])
