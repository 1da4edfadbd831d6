"""The plan of a run: what would be fetched and computed, with sizes and time, before anything starts."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from benchmark.embedding.cache import Cache
from benchmark.embedding.jobs import pending_jobs
from benchmark.errors import InputError
from benchmark.execution.progress import duration
from benchmark.finetuning import ledger
from benchmark.finetuning.planning import planned_runs
from benchmark.models import weights
from benchmark.models.model import Model
from benchmark.reports.tables import format_table
from benchmark.scoring.selection import select_scorers
from benchmark.suites.suite import Suite
from benchmark.tasks import sources
from benchmark.tasks.cards import Card
from leaderboard.literature import sizes

# A transformer's forward pass reaches about half the speed of a single matrix product.
EFFICIENCY = 0.5
BYTES_PER_PARAMETER = 4  # weights are published in float32
ADDRESS_FIELDS = ("hub", "url", "repo", "dataset", "path")  # the fields of a card's source that say where it is


@dataclass(frozen=True)
class _Item:
    """A model or a task. fetch: the files to fetch, "" if none.  megabytes: their size, None if unknown.  images: to encode."""

    name: str
    origin: str
    fetch: str
    megabytes: float | None
    images: int


def plan(suite: Suite, scorers: Sequence[str] | None, cache: Cache) -> str:
    """Tables of models and tasks, the totals, and the missing runs of the ledger. Fetches, encodes and writes nothing."""
    tasks = [_task_item(card) for card in suite.tasks]
    local_tasks = {task.name for task in tasks if not task.fetch}
    models = [_model_item(suite, model, local_tasks, cache) for model in suite.models]
    pairs = len(suite.models) * len(suite.training_tasks)
    lines = [
        f"Suite '{suite.name}': models: {len(suite.models)}, tasks: {len(suite.tasks)}, {len(suite.training_tasks)} of them with train images\n",
        _table(models, "model", "loaded as", "images to encode"),
        "",
        _table(tasks, "task", "source", "train images"),
        "",
        f"To fetch:   {_total_size([*models, *tasks])}",
        f"To encode:  {sum(model.images for model in models):,} images{_encoding_time(suite, models)}",
        f"To score:   {len(select_scorers(scorers))} scorers on {pairs} (model, task) pairs",
        f"Ledger:     {_ledger_state(suite)}",
    ]
    return "\n".join(lines) + "\n"


def _table(items: Iterable[_Item], kind: str, origin: str, images: str) -> str:
    rows = [
        {
            kind: item.name,
            origin: item.origin,
            "fetch": item.fetch or "here",
            "MB": "" if item.megabytes is None else f"{item.megabytes:,.0f}",
            images: f"{item.images:,}",
        }
        for item in items
    ]
    return format_table(pl.DataFrame(rows), right=["MB", images])


def _task_item(card: Card) -> _Item:
    if sources.source_of(card).present(card):
        return _Item(card.name, card.kind, fetch="", megabytes=None, images=card.sizes["train"])
    address = next((card.source[field] for field in ADDRESS_FIELDS if field in card.source), card.kind)
    return _Item(card.name, card.kind, str(address), card.source.get("megabytes"), card.sizes["train"])


def _model_item(suite: Suite, model: Model, local_tasks: set[str], cache: Cache) -> _Item:
    """local_tasks: the tasks whose files are on this machine; only their part of the cache can be looked up."""
    missing = weights.missing_files(model)
    size = _published_size(model)
    # millions of parameters times bytes
    megabytes = size[0] * BYTES_PER_PARAMETER if missing and size else None
    # without its weights a model has no fingerprint, so nothing can be found in the cache
    local = [] if missing else [card.name for card in suite.training_tasks if card.name in local_tasks]
    remote = [card for card in suite.training_tasks if card.name not in local]
    # scorers read train images alone; the other splits are encoded to fine-tune
    images = sum(card.sizes["train"] for card in remote)
    if local:
        images += sum(work.images for work in pending_jobs(suite.subset([model.name], local), cache))
    return _Item(model.name, model.load, ", ".join(missing), megabytes, images)


def _published_size(model: Model) -> tuple[float, float] | None:
    """Millions of parameters, and billions of operations per image, as published; None if unknown."""
    name = model.load
    if name.startswith("hf-hub:"):
        import open_clip

        # the tables name models as open_clip does, ARCHITECTURE/TAG
        repository = name.removeprefix("hf-hub:")
        names = (
            f"{architecture}/{tag}"
            for architecture, tag in open_clip.list_pretrained()
            if open_clip.get_pretrained_cfg(architecture, tag).get("hf_hub", "") == f"{repository}/"
        )
        name = next(names, name)
    return sizes().get(name)


def _total_size(items: Iterable[_Item]) -> str:
    fetched = [item for item in items if item.fetch]
    if not fetched:
        return "nothing"
    megabytes = [item.megabytes for item in fetched if item.megabytes is not None]
    unknown = len(fetched) - len(megabytes)
    return f"about {sum(megabytes):,.0f} MB" + (f", and {unknown} of unknown size" if unknown else "")


def _encoding_time(suite: Suite, items: Iterable[_Item]) -> str:
    """Time to encode the images on this machine's CPU: published operations per image over the speed of a matrix product."""
    images = {item.name: item.images for item in items}
    operations = {model.name: size[1] for model in suite.models if (size := _published_size(model))}
    # nothing to estimate, so the machine is not timed either
    if not any(images[name] for name in operations):
        return ""
    speed = _matrix_product_speed()
    # 10⁹ operations over 10⁹ operations per second
    seconds = sum(images[name] * each for name, each in operations.items()) / (speed * EFFICIENCY)
    unknown = sum(count > 0 for name, count in images.items() if name not in operations)
    excluded = f", without {unknown} models of unknown size" if unknown else ""
    return f", about {duration(seconds)} on this machine's CPU ({speed:.0f} GFLOP/s in a matrix product){excluded}; an accelerator is far faster"


def _matrix_product_speed() -> float:
    """Billions of float32 operations per second on all cores."""
    a = np.ones((1536, 1536), np.float32)
    a @ a  # the first product starts the threads
    started = time.perf_counter()
    for _ in range(3):
        a @ a
    return 3 * 2 * len(a) ** 3 / (time.perf_counter() - started) / 1e9  # n³ multiplications and n³ additions each


def _ledger_state(suite: Suite) -> str:
    if suite.published:
        return "published: " + ", ".join(f"{technique} from {source}" for technique, source in suite.published.items())
    runs = set(planned_runs(suite))
    tasks = [card.name for card in suite.tasks]
    complete = 0
    for model in suite.models:
        try:
            # evaluated on every task of the suite; runs of other suites or techniques do not count
            complete += len(ledger.complete_runs(suite.ledger, model.name, tasks) & runs)
        except InputError as error:
            return str(error)  # a plan reports an unusable ledger instead of failing
    remedy = f"; `python -m benchmark measure --suite {suite.requested or suite.name}` measures the rest"
    return f"{complete} of {len(runs)} runs measured" + (remedy if complete < len(runs) else "")
