"""Scoring a suite: scorers over cached embeddings, through a cache of scores."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

import leaderboard
import scorers
from benchmark.embedding.cache import Cache, Key, key_digest
from benchmark.embedding.keys import Keys
from benchmark.execution.parallel import parallel
from benchmark.execution.progress import progress
from benchmark.models.model import Model
from benchmark.scoring import isolation
from benchmark.scoring.inputs import POOL_NEEDS, scorer_inputs, text_models
from benchmark.scoring.selection import select_scorers
from benchmark.scoring.versions import score_version
from benchmark.suites.suite import Suite
from benchmark.tasks.cards import Card

Result = dict[str, Any]  # of one scorer on one (model, task): score, abstained, raised, seconds, components


@dataclass(frozen=True)
class ScoredSuite:
    """scores: columns `leaderboard.tables.SCORES`.  computed: how many of them the cache was missing."""

    scores: pl.DataFrame
    computed: int


def score_suite(
    suite: Suite,
    names: Sequence[str] | None,
    cache: Cache,
    jobs: int = 1,
    quiet: bool = False,
    *,
    keys: Keys | None = None,
) -> ScoredSuite:
    """Every (model, task, scorer) of a suite, computed where the cache is missing it.

    The components of pool-relative scorers are combined over the models of each task. Scorers that read the ledger are left out.
    """
    keys = keys or Keys()
    # a score that reads the ledger depends on technique and target too, which the record of a cell does not have
    selected = {name: scorer for name, scorer in select_scorers(names).items() if "ledger" not in scorer.spec.needs}
    # (model, task) to scorer to result
    results: dict[tuple[str, str], dict[str, Result]] = {}
    # a cell with all scorers that it is missing, so that its inputs are read once
    pending: list[tuple[Model, Card, list[str]]] = []
    for model in suite.models:
        entries = _entry_names(suite, model, selected, keys)
        for card in suite.training_tasks:
            # one record per cell, an entry per scorer: a changed scorer leaves the entries of the others valid
            stored = cache.read_record(_key(suite, model, card, keys)) or {}
            results[model.name, card.name] = {n: stored[entries[n]] for n in selected if entries[n] in stored}
            if missing := [name for name in selected if entries[name] not in stored]:
                pending.append((model, card, missing))
    if pending:
        from joblib import delayed

        calls = (delayed(score_cell)(suite, *item, root=cache.root, keys=keys) for item in pending)
        computed = progress(parallel(calls, jobs), len(pending), "score", quiet)
        # `parallel` yields in the order of the calls
        for (model, card, _), result in zip(pending, computed, strict=True):
            results[model.name, card.name] |= result
    rows: list[dict[str, Any]] = []
    # models innermost: a pool-relative score needs all models of a task at once
    for name, scorer in selected.items():
        for card in suite.training_tasks:
            of_models = {model.name: results[model.name, card.name][name] for model in suite.models}
            rows += _score_rows(name, scorer, card.name, of_models)
    return ScoredSuite(leaderboard.score_table(rows), sum(len(missing) for _, _, missing in pending))


def score_cell(
    suite: Suite, model: Model, card: Card, names: Sequence[str], *, root: Path, keys: Keys | None = None
) -> dict[str, Result]:
    """The results of the named scorers on one (model, task), computed where the cache at `root` is missing them.

    Another process that asks for the same cell waits for them.
    """
    keys = keys or Keys()
    cache, key = Cache(root), _key(suite, model, card, keys)
    entries = _entry_names(suite, model, names, keys)
    stored = cache.read_record(key) or {}
    # without the lock first, so that a warm cache may be read-only
    if all(entries[name] in stored for name in names):
        return {name: stored[entries[name]] for name in names}
    with cache.lock(key):
        # read under the lock: another process may have added entries while this one waited
        stored = cache.read_record(key) or {}
        if missing := [name for name in names if entries[name] not in stored]:
            needs = set().union(*(scorers.registry().scorers[name].spec.needs for name in missing))
            inputs = scorer_inputs(suite, model, card, cache, needs, keys=keys)
            result = isolation.score(inputs, missing)
            stored |= {entries[name]: _result(result, name) for name in missing}
            cache.write_record(key, stored)
    return {name: stored[entries[name]] for name in names}


def _result(result: scorers.Result, name: str) -> Result:
    return {
        "score": result["scores"][name],
        "abstained": result["abstained"].get(name, ""),
        "raised": result["raised"].get(name, ""),
        "seconds": result["seconds"][name],
        "components": result["components"].get(name, {}),
    }


def _key(suite: Suite, model: Model, card: Card, keys: Keys) -> Key:
    """The key of the record of all scores of one (model, task)."""
    return {
        "kind": "scores",
        "model": model.name,  # the seed of stochastic scorers is a function of it
        "images": keys.images(model, card, "train"),
        "prompts": card.prompts(),
        "vocabulary": list(suite.source_vocabulary),
    }


def _entry_names(suite: Suite, model: Model, names: Iterable[str], keys: Keys) -> dict[str, str]:
    """The name under which each scorer's result is stored in a record: the scorer, its version and the pool that it depends on."""
    registered = scorers.registry().scorers
    # functions, so that other models are hashed only for a scorer that reads them
    pool = {
        "label_views": lambda: [keys.model(other) for other in text_models(suite, model)],
        "general": lambda: [keys.images(model, card, "train") for card in suite.training_tasks],
    }
    entries = {}
    for name in names:
        spec = registered[name].spec
        context = {need: pool[need]() for need in POOL_NEEDS if need in spec.needs}
        # part of the name, so that a smaller suite does not read scores that were computed with a larger pool
        suffix = f"/{key_digest({'kind': 'pool', **context})[:16]}" if context else ""
        entries[name] = f"{name}@{score_version(spec)}{suffix}"
    return entries


def _score_rows(name: str, scorer: scorers.AnyScorer, task: str, results: Mapping[str, Result]) -> list[dict[str, Any]]:
    """One scorer's rows on one task; a pool-relative score is combined over the models."""
    # the score of a pool-relative scorer is None here; its terms are in `components`, empty where it abstained
    values: dict[str, float | None] = {model: result["score"] for model, result in results.items()}
    reasons = {model: result["abstained"] for model, result in results.items()}
    raised = {model: result["raised"] for model, result in results.items()}
    if scorer.spec.pool:
        pool = [model for model, result in results.items() if result["components"]]
        try:
            combined = isolation.combine(name, [results[model]["components"] for model in pool])
            values |= {model: scorers.number(v, "the score") for model, v in zip(pool, combined, strict=True)}
            # the runner gives each model alone a reason for having no score
            reasons |= dict.fromkeys(pool, "")
        except Exception as error:  # a scorer may raise anything
            values |= dict.fromkeys(pool, None)
            reasons |= dict.fromkeys(pool, scorers.reason(error))
            raised |= dict.fromkeys(pool, scorers.raised(error))
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
