"""Scoring: run scorers over cached embeddings, through a cache of scores."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import leaderboard
import scorers
from benchmark.embedding import jobs as embed
from benchmark.embedding.cache import Cache, key_digest
from benchmark.embedding.jobs import Embedder
from benchmark.errors import unknown_name
from benchmark.execution.parallel import parallel
from benchmark.execution.progress import progress
from benchmark.models import weights
from benchmark.models.model import Model
from benchmark.scoring.versions import score_version
from benchmark.suites.suite import Suite
from benchmark.tasks.cards import Card

# What a scorer may need of the other models or tasks of a suite; its score then depends on them too.
POOL_NEEDS = ("label_views", "general")
ROWS, LARGE = 8192, 20_000_000  # rows of a posterior made at a time, and numbers of one that is large


@dataclass(frozen=True)
class Scored:
    """scores: columns `leaderboard.tables.SCORES`.  computed: how many of them were not in the cache."""

    scores: pl.DataFrame
    computed: int


def select_scorers(names: Sequence[str] | None) -> dict[str, Any]:
    """The scorers asked for by name (None or 'all': every one there is). Raises UsageError for unknown ones."""
    known = scorers.registry().scorers
    if names is None or list(names) == ["all"]:
        return dict(known)
    for name in names:
        if name not in known:
            raise unknown_name("scorer", name, known)
    return {name: known[name] for name in dict.fromkeys(names)}


def _posterior(images: NDArray[np.float32], words: NDArray[np.float32], scale: float) -> NDArray[Any]:
    """Softmax of the scaled similarities (N, Z), in blocks of rows; float32 where float64 would be large."""
    kind = np.float64 if len(images) * len(words) <= LARGE else np.float32
    found = np.empty((len(images), len(words)), kind)
    for start in range(0, len(images), ROWS):
        logits = scale * images[start : start + ROWS].astype(np.float64) @ words.T
        weights = np.exp(logits - logits.max(1, keepdims=True))
        found[start : start + ROWS] = weights / weights.sum(1, keepdims=True)
    return found


def _class_texts(card: Card, texts: NDArray[np.float32]) -> NDArray[np.float32]:
    if len(card.templates) == 1:
        return texts
    mean = texts.reshape(len(card.classes), len(card.templates), -1).mean(1)
    return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), np.float32)


def _general(suite: Suite, model: Model, cache: Cache) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of a model's embeddings over the train splits of all tasks of the suite, kept in the cache."""
    key = {"kind": "general", "images": [embed.image_key(model, card, "train") for card in suite.training_tasks]}

    def compute() -> dict[str, NDArray[np.float64]]:
        embedder = Embedder(model, cache)
        count, total, squares = 0, np.zeros(1), np.zeros(1)
        for card in suite.training_tasks:
            rows = embedder.images(card, "train")["image"].astype(np.float64)
            count, total, squares = count + len(rows), total + rows.sum(0), squares + (rows**2).sum(0)
        mean = total / count
        return {"mean": mean, "deviation": np.sqrt(np.maximum(squares / count - mean**2, 0))}

    found = cache.get(key, compute)
    return found["mean"], found["deviation"]


def scorer_inputs(
    suite: Suite, model: Model, card: Card, cache: Cache, needs: Iterable[str] = POOL_NEEDS
) -> "scorers.Embeddings":
    """What a scorer may read: the train split's embeddings, class texts, and the posterior over the suite's source vocabulary.

    needs: which of what the other models and tasks of the suite give (`POOL_NEEDS`) is wanted.
    """
    embedder = Embedder(model, cache)
    images, texts = embedder.images(card, "train"), embedder.texts(card.prompts())
    scale, bias = float(texts["logit_scale"]), float(texts["logit_bias"])
    source = images.get("source")
    if suite.source_vocabulary and not model.vision_only:
        words = embedder.texts(list(suite.source_vocabulary))["text"]
        source = _posterior(images["image"], words, scale)
    views = None
    if "label_views" in needs:
        views = [
            _class_texts(card, Embedder(other, cache).texts(card.prompts())["text"]) for other in _viewers(suite, model)
        ]
    return scorers.Embeddings(
        images["image"],
        images["labels"],
        text=None if model.vision_only else _class_texts(card, texts["text"]),
        source_probs=source,
        energy=images.get("energy"),
        logit_scale=None if model.vision_only else scale,
        logit_bias=bias,
        class_names=list(card.classes),
        n_parameters=int(texts["n_parameters"]),
        label_views=views,
        general=_general(suite, model, cache) if "general" in needs else None,
        seed=int(key_digest({"kind": "seed", "model": model.name, "task": card.name})[:8], 16),
    )


def _viewers(suite: Suite, model: Model) -> list[Model]:
    """The other models of a suite that embed class texts."""
    return [other for other in suite.models if other.name != model.name and not other.vision_only]


def _key(suite: Suite, model: Model, card: Card) -> dict[str, Any]:
    return {
        "kind": "scores",
        "model": model.name,  # of which the seed is a function
        "images": embed.image_key(model, card, "train"),
        "prompts": card.prompts(),
        "vocabulary": list(suite.source_vocabulary),
    }


def _wanted(suite: Suite, model: Model, names: Iterable[str]) -> dict[str, str]:
    """Under which name each scorer's result is kept: with everything but the embeddings that decides it."""
    functions = scorers.registry().scorers
    pool = {
        "label_views": lambda: [weights.fingerprint(other) for other in _viewers(suite, model)],
        "general": lambda: [embed.image_key(model, card, "train") for card in suite.training_tasks],
    }
    kept = {}
    for name in names:
        context = {need: pool[need]() for need in POOL_NEEDS if need in functions[name].spec.needs}
        suffix = f"/{key_digest({'kind': 'pool', **context})[:16]}" if context else ""
        kept[name] = f"{name}@{score_version(functions[name].spec)}{suffix}"
    return kept


def score_cell(suite: Suite, model: Model, card: Card, names: Sequence[str], root: Path) -> dict[str, Any]:
    """The named scorers' results on one (model, task): {name: {score, abstained, raised, seconds, components}}.

    Computes and keeps those that the cache lacks; another process that wants the same waits for them.
    """
    cache, key, wanted = Cache(root), _key(suite, model, card), _wanted(suite, model, names)
    with cache.lock(key):
        kept = _table(cache.read(key))
        if lacking := [name for name in names if wanted[name] not in kept]:
            needs = set().union(*(scorers.registry().scorers[name].spec.needs for name in lacking))
            result = scorers.score_embeddings(scorer_inputs(suite, model, card, cache, needs), lacking)
            kept |= {
                wanted[name]: {
                    "score": result["scores"][name],
                    "abstained": result["abstained"].get(name, ""),
                    "raised": result["raised"].get(name, ""),
                    "seconds": result["seconds"][name],
                    "components": result["components"].get(name, {}),
                }
                for name in lacking
            }
            cache.write(key, {"table": np.frombuffer(json.dumps(kept, sort_keys=True).encode(), np.uint8)})
    return {name: kept[wanted[name]] for name in names}


def _table(arrays: Mapping[str, NDArray[Any]] | None) -> dict[str, Any]:
    return {} if arrays is None else dict(json.loads(arrays["table"].tobytes()))


def score_suite(suite: Suite, names: Sequence[str] | None, cache: Cache, jobs: int = 1, quiet: bool = False) -> Scored:
    """Every (model, task, scorer) of a suite, from the cache where it is there; pool-relative scorers are combined over the models
    of each task. Scorers that read the ledger are left to ranking."""
    functions = select_scorers(names)
    direct = [name for name, function in functions.items() if "ledger" not in function.spec.needs]
    results: dict[tuple[str, str], dict[str, Any]] = {}
    todo: list[tuple[Model, Card, list[str]]] = []
    for model in suite.models:
        wanted = _wanted(suite, model, direct)
        for card in suite.training_tasks:
            kept = _table(cache.read(_key(suite, model, card)))
            results[model.name, card.name] = {name: kept[wanted[name]] for name in direct if wanted[name] in kept}
            if lacking := [name for name in direct if wanted[name] not in kept]:
                todo.append((model, card, lacking))
    if todo:
        from joblib import delayed

        made = parallel((delayed(score_cell)(suite, *item, cache.root) for item in todo), jobs)
        for (model, card, _), result in zip(todo, progress(made, len(todo), "score", quiet), strict=True):
            results[model.name, card.name] |= result
    rows: list[dict[str, Any]] = []
    for name in direct:
        for card in suite.training_tasks:
            of_models = {model.name: results[model.name, card.name][name] for model in suite.models}
            rows += _score_rows(name, functions[name], card.name, of_models)
    return Scored(leaderboard.score_table(rows), sum(len(lacking) for _, _, lacking in todo))


def _score_rows(name: str, function: Any, task: str, results: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One scorer's rows on one task; a pool-relative score is combined over the models."""
    values: dict[str, float | None] = {model: result["score"] for model, result in results.items()}
    reasons = {model: result["abstained"] for model, result in results.items()}
    raised = {model: result["raised"] for model, result in results.items()}
    if function.spec.pool:
        pool = [model for model, result in results.items() if result["components"]]
        try:
            combined = function.spec.pool([results[model]["components"] for model in pool])
            values |= {m: scorers.number(v, "the score") for m, v in zip(pool, combined, strict=True)}
            reasons |= dict.fromkeys(pool, "")
        except Exception as problem:
            values |= dict.fromkeys(pool, None)
            reasons |= dict.fromkeys(pool, scorers.reason(problem))
            raised |= dict.fromkeys(pool, scorers.raised(problem))
    return [
        {
            "scorer": name,
            "model": model,
            "task": task,
            "score": values[model],
            "abstained": reasons[model],
            "raised": raised[model],
            "seconds": result["seconds"],
        }
        for model, result in results.items()
    ]


def report_load_failures() -> None:
    """Name the scorers that are there but could not be loaded."""
    for name, reason in scorers.registry().failures.items():
        print(f"scorer '{name}' {reason}; the others go on", file=sys.stderr)


def report_raised(scores: pl.DataFrame) -> None:
    """Name on stderr the scorers that raised, with the first reason: a fault of theirs, where an abstention is none."""
    raised = scores.filter(pl.col("raised") != "")
    for (name,), rows in raised.group_by("scorer", maintain_order=True):
        print(f"scorer '{name}' abstains on {len(rows)} cells: {rows['abstained'][0]}", file=sys.stderr)
