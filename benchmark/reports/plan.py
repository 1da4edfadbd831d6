"""What a run would fetch and compute, with sizes and time, before anything starts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from tabulate import tabulate

from benchmark.embedding import jobs as embed
from benchmark.embedding.cache import Cache
from benchmark.errors import InputError
from benchmark.execution.progress import duration
from benchmark.finetuning import ledger, measure
from benchmark.models import weights
from benchmark.models.model import Model
from benchmark.scoring.selection import select_scorers
from benchmark.suites.suite import Suite
from benchmark.tasks import sources
from benchmark.tasks.cards import Card
from leaderboard.literature import sizes

SHARE = 0.5  # of a matrix product's speed, which the forward pass of a transformer reaches about


@dataclass(frozen=True)
class _Part:
    """One model or task: what there is to fetch, in words and in megabytes (None: not known), and images to encode."""

    name: str
    of: str
    fetch: str
    megabytes: float | None
    images: int


def plan(suite: Suite, scorers: Sequence[str] | None, cache: Cache) -> str:
    """Tables of models and tasks, the sums, and what the ledger lacks; nothing is fetched, encoded or written."""
    tasks = [_task(card) for card in suite.tasks]
    models = [_model(model) for model in suite.models]
    here = {(part.name, part.of) for part in (*models, *tasks) if not part.fetch}
    images = {model.name: _images(suite, model, here, cache) for model in suite.models}
    lines = [
        f"Suite '{suite.name}': models: {len(suite.models)}, tasks: {len(suite.tasks)}, {len(suite.training_tasks)} of them with train images\n",
        _table([replace(p, images=images[p.name]) for p in models], "model", "loaded as", "images to encode"),
        "",
        _table(tasks, "task", "source", "train images"),
        "",
        f"To fetch:   {_sum([p for p in (*models, *tasks) if p.fetch])}",
        f"To encode:  {sum(images.values()):,} images{_time(suite, images)}",
        f"To score:   {len(select_scorers(scorers))} scorers on {len(suite.models) * len(suite.training_tasks)} (model, task) pairs",
        f"Ledger:     {_ledger(suite)}",
    ]
    return "\n".join(lines) + "\n"


def _table(parts: list[_Part], what: str, of: str, images: str) -> str:
    return tabulate(
        [[p.name, p.of, p.fetch or "here", _mb(p.megabytes), f"{p.images:,}"] for p in parts],
        [what, of, "fetch", "MB", images],
        disable_numparse=True,
        colalign=("left", "left", "left", "right", "right"),
    )


def _model(model: Model) -> _Part:
    lacking = weights.missing_files(model)
    known = _size(model)
    return _Part(model.name, model.load, ", ".join(lacking), known[0] * 4 if lacking and known else None, 0)


def _task(card: Card) -> _Part:
    present = sources.source_of(card).present(card)
    return _Part(
        card.name,
        card.kind,
        ""
        if present
        else str(
            next((card.source[f] for f in ("hub", "url", "repo", "dataset", "path") if f in card.source), card.kind)
        ),
        card.source.get("megabytes") if not present else None,
        card.sizes["train"],
    )


def _images(suite: Suite, model: Model, here: set[tuple[str, str]], cache: Cache) -> int:
    """How many a model has still to encode: what the cache holds is looked up where model and task are here."""
    if (model.name, model.load) not in here:
        return sum(card.sizes["train"] for card in suite.tasks)
    known = [card for card in suite.training_tasks if (card.name, card.kind) in here]
    part = suite.subset([model.name], [card.name for card in known]) if known else None
    found = sum(work.images for work in embed.pending_jobs(part, cache)) if part else 0
    return found + sum(card.sizes["train"] for card in suite.training_tasks if (card.name, card.kind) not in here)


def _size(model: Model) -> tuple[float, float] | None:
    """Published millions of parameters and billions of operations; a repository of the Hub is known by the name that open_clip has for it."""
    name = model.load
    if name.startswith("hf-hub:"):
        import open_clip

        repo = name.removeprefix("hf-hub:")
        pairs = (
            (a, t)
            for a, t in open_clip.list_pretrained()
            if open_clip.get_pretrained_cfg(a, t).get("hf_hub", "") == f"{repo}/"
        )
        name = "/".join(next(pairs, (name,)))
    return sizes().get(name)


def _mb(megabytes: float | None) -> str:
    return "" if megabytes is None else f"{megabytes:,.0f}"


def _sum(parts: list[_Part]) -> str:
    if not parts:
        return "nothing"
    known = [p.megabytes for p in parts if p.megabytes is not None]
    unknown = len(parts) - len(known)
    return f"about {sum(known):,.0f} MB" + (f", and {unknown} whose size is not known" if unknown else "")


def _time(suite: Suite, images: dict[str, int]) -> str:
    """By each model's published operations per image, and the speed of a matrix product on this machine's CPU."""
    of = {model.name: size[1] for model in suite.models if (size := _size(model))}
    if not any(images[name] for name in of):
        return ""
    speed = _speed()
    seconds = sum(images[name] * each for name, each in of.items()) / (speed * SHARE)
    unknown = sum(n > 0 for name, n in images.items() if name not in of)
    more = f", without {unknown} of the models, whose size is not known" if unknown else ""
    return f", about {duration(seconds)} on this machine's CPU ({speed:.0f} GFLOP/s in a matrix product){more}; an accelerator is far faster"


def _speed() -> float:
    """Billions of float32 operations per second in a matrix product with all cores."""
    a = np.ones((1536, 1536), np.float32)
    a @ a
    started = time.perf_counter()
    for _ in range(3):
        a @ a
    return 3 * 2 * len(a) ** 3 / (time.perf_counter() - started) / 1e9


def _ledger(suite: Suite) -> str:
    if suite.published:
        return "published: " + ", ".join(f"{name} from {of}" for name, of in suite.published.items())
    runs = measure.planned_runs(suite)
    done = 0
    for model in suite.models:
        try:
            done += len(ledger.complete_runs(suite.ledger, model.name, (card.name for card in suite.tasks)) & set(runs))
        except InputError as problem:
            return str(problem)
    rest = len(runs) - done
    return f"{done} of {len(runs)} runs measured" + (
        f"; `python -m benchmark measure --suite {suite.requested or suite.name}` makes the rest" if rest else ""
    )
