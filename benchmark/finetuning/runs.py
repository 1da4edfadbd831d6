"""Performing runs: fine-tune once, evaluate on every task; several runs in parallel."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.embedding.cache import Cache
from benchmark.embedding.jobs import single_thread
from benchmark.errors import InputError
from benchmark.execution.parallel import parallel
from benchmark.finetuning.conditions import conditions
from benchmark.finetuning.ledger import Run
from benchmark.suites.suite import Suite
from benchmark.suites.techniques import load_techniques

if TYPE_CHECKING:
    from benchmark.finetuning.workbench import Workbench

PACKAGES = ("torch", "open_clip_torch", "timm", "numpy")  # whose versions a run's notes record


@dataclass(frozen=True)
class RunResult:
    """before, after: test accuracy on every task.  notes: the conditions, and how the run was made."""

    run: Run
    before: dict[str, float]
    after: dict[str, float]
    notes: dict[str, Any]


# A worker process keeps the workbench of the model that it used last: it holds all decoded images of the suite, and runs come
# model by model.
_workbenches: dict[tuple[Any, ...], "Workbench"] = {}


def _workbench(suite: Suite, model_name: str, root: Path) -> "Workbench":
    from benchmark.finetuning.workbench import Workbench

    model = next(model for model in suite.models if model.name == model_name)
    key = (model, tuple(card.name for card in suite.tasks), suite.cross_task_images, root)
    # one at a time: two models' decoded images may not fit into memory
    if key not in _workbenches:
        _workbenches.clear()
        _workbenches[key] = Workbench(model, suite.tasks, Cache(root), cross_task_images=suite.cross_task_images)
    return _workbenches[key]


def perform_run(suite: Suite, run: Run, root: Path) -> RunResult:
    """Fine-tune once and evaluate on every task of the suite. Deterministic on one machine.

    root: the folder of the cache.
    """
    single_thread()
    bench = _workbench(suite, run.model, root)
    card = next(card for card in suite.tasks if card.name == run.trained_on)
    options = suite.options(run.technique, run.model)
    # embeddings come from the cache here, so that the clock below measures fine-tuning alone
    before = bench.before(card)
    started = time.process_time()
    try:
        result = load_techniques()[run.technique](bench, card, options, run.seed)
    except SystemExit as error:  # it would end the worker, and with it the other runs
        raise InputError(f"technique '{run.technique}' called sys.exit({error.code!r})", "fix its package") from None
    # step 0 competes on the same images as the epochs: val, never test
    untuned = bench.zero_shot_accuracy(card, "val")
    epoch = selected_epoch(result.curve, untuned=untuned if options.get("selection") == "untuned too" else None)
    notes = {
        **conditions(suite, run.model, run.technique, run.trained_on),
        "steps": result.steps,
        "trained_parameters": result.trained,
        "val": [round(value, 4) for value in result.curve],
        "val_untuned": round(untuned, 4),
        "epoch": epoch,  # whose weights were kept; 0: those from before training
        "drift": _round(result.drift if epoch else 0.0),
        "kl": _round(result.kl if epoch else 0.0),
        "seconds": round(time.process_time() - started, 2),  # of the one core that a run has
        "device": result.device,
        "precision": result.precision,
        "versions": {name: version(name).split("+")[0] for name in PACKAGES},
    }
    # a run that kept the untuned weights changed nothing: gain and forgetting are 0
    return RunResult(run, before, result.after if epoch else dict(before), notes)


def _round(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def selected_epoch(curve: Sequence[float], *, untuned: float | None = None) -> int:
    """The first epoch with the best val accuracy, counted from 1; 0 where no epoch is better than the untuned model."""
    # a tie goes to the earlier weights, and to the untuned model first
    best = max(curve)
    return 0 if untuned is not None and best <= untuned else list(curve).index(best) + 1


def perform_runs(suite: Suite, runs: Sequence[Run], root: Path, jobs: int) -> Iterator[RunResult]:
    """Several runs in `jobs` processes; each result as soon as it is there."""
    from joblib import delayed

    # unordered: a ledger row is written as soon as its run ends
    yield from parallel((delayed(perform_run)(suite, run, root) for run in runs), jobs, ordered=False)
