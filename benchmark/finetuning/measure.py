"""Measuring: fine-tune, evaluate on every task, and add the outcome to the ledger."""

import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmark.embedding.cache import Cache
from benchmark.embedding.jobs import embed_suite, single_thread
from benchmark.errors import InputError, LedgerError, UsageError, unknown_name
from benchmark.execution.parallel import parallel
from benchmark.execution.progress import duration, progress
from benchmark.finetuning import ledger
from benchmark.finetuning.conditions import conditions
from benchmark.finetuning.ledger import Run
from benchmark.suites.suite import Suite
from benchmark.tasks.cards import SPLITS


def planned_runs(suite: Suite) -> list[Run]:
    """Every run of the suite: seed by seed, each a whole ledger, and in it model by model, so that a worker seldom changes its model."""
    return [
        Run(model.name, technique.name, seed, card.name)
        for seed in suite.seeds
        for model in suite.models
        for technique in suite.techniques
        for card in suite.tasks
        if not card.evaluation_only
    ]


def check_conditions(suite: Suite) -> None:
    """Raise LedgerError where a run of the suite was measured under other conditions than those that the suite declares now."""
    made_under: dict[tuple[str, str, str], dict[str, Any]] = {}  # the same for every seed
    wanted = {}
    for run in planned_runs(suite):
        place = run.model, run.technique, run.trained_on
        if place not in made_under:
            made_under[place] = conditions(suite, *place)
        wanted[run] = made_under[place]
    for model in suite.models:
        for run in sorted(ledger.incomplete_runs(suite.ledger, model.name)):
            raise LedgerError(
                f"{ledger.rows_path(suite.ledger, model.name)}: run {run.technique}/{run.seed}/{run.trained_on} lacks rows, as an "
                "interruption leaves it; `python -m benchmark measure` completes it"
            )
        made = ledger.runs(suite.ledger, model.name)
        for run in wanted:
            for what, value in wanted[run].items() if run in made else ():
                if made[run].get(what) != value:
                    raise LedgerError(
                        f"{ledger.runs_path(suite.ledger, model.name)}: run {run.technique}/{run.seed}/{run.trained_on} was measured "
                        f"with other {what.replace('_', ' ')} ({_short(made[run].get(what))}) than there are now ({_short(value)}); "
                        "restore them, or move the ledger away and measure again"
                    )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def pending_runs(suite: Suite, everything: Suite) -> list[Run]:
    """Runs that the ledger lacks. Repairs torn files, and refuses a ledger that was measured under other conditions."""
    done: set[Run] = set()
    for model in suite.models:
        ledger.repair(suite.ledger, model.name)
        done |= ledger.complete_runs(suite.ledger, model.name, (card.name for card in everything.tasks))
    check_conditions(suite)
    return [run for run in planned_runs(suite) if run not in done]


@dataclass(frozen=True)
class RunResult:
    run: Run
    before: dict[str, float]
    after: dict[str, float]
    notes: dict[str, Any]


_benches: dict[tuple[Any, ...], Any] = {}


def _bench(suite: Suite, model_name: str, root: Path) -> Any:
    """This process's workbench for a model; it keeps one, since runs come model by model."""
    from benchmark.finetuning.workbench import Workbench

    model = next(model for model in suite.models if model.name == model_name)
    key = (model, tuple(card.name for card in suite.tasks), root)
    if key not in _benches:
        _benches.clear()
        _benches[key] = Workbench(model, suite.tasks, Cache(root))
    return _benches[key]


def measure_run(suite: Suite, run: Run, root: Path) -> RunResult:
    """Fine-tune once and evaluate on every task of the suite. Deterministic on one machine."""
    single_thread()
    from benchmark.finetuning import techniques

    bench = _bench(suite, run.model, root)
    card = next(card for card in suite.tasks if card.name == run.trained_on)
    options = next(technique.options for technique in suite.techniques if technique.name == run.technique)
    before = bench.before
    started = time.process_time()
    tuned = techniques.known_techniques()[run.technique](bench, card, options, run.seed)
    notes = {
        **conditions(suite, run.model, run.technique, run.trained_on),
        "steps": tuned.steps,
        "trained_parameters": tuned.trained,
        "val": [round(v, 4) for v in tuned.curve],
        "seconds": round(time.process_time() - started, 2),  # of the one core that a run has
        "device": tuned.device,
        "precision": tuned.precision,
        "versions": {name: version(name).split("+")[0] for name in ("torch", "open_clip_torch", "timm", "numpy")},
    }
    return RunResult(run, before, tuned.after, notes)


def _outcomes(suite: Suite, runs: list[Run], root: Path, jobs: int) -> Iterator[RunResult]:
    from joblib import delayed

    yield from parallel((delayed(measure_run)(suite, run, root) for run in runs), jobs, ordered=False)


def measure(suite: Suite, narrowed: Suite, root: Path, jobs: int, quiet: bool = False, dry: bool = False) -> int:
    """Measure every run of `narrowed` that the ledger of `suite` lacks; returns how many were added."""
    if suite.published:
        raise UsageError(f"suite '{suite.name}' reads a published ledger, so there is nothing to measure")
    _check_can_be_measured(narrowed)
    todo = pending_runs(narrowed, suite)
    total = len(planned_runs(narrowed))
    if dry or not todo:
        print(f"measure: {len(todo)} of {total} runs left{_estimate(narrowed, suite, todo, jobs)}", file=sys.stderr)
        return 0
    # first, so that the workers of one model do not wait for each other
    embed_suite(replace(suite, models=narrowed.models), Cache(root), jobs, quiet, splits=SPLITS)
    added = 0
    for outcome in progress(_outcomes(suite, todo, root, jobs), len(todo), "measure", quiet):
        added += ledger.append(suite.ledger, outcome.run, outcome.before, outcome.after, outcome.notes)
    return added


def _estimate(narrowed: Suite, suite: Suite, todo: list[Run], jobs: int) -> str:
    """How long they will take, by the mean seconds of each technique's runs so far; of a new technique, by those of all."""
    spent: dict[str, list[float]] = {}
    for model in narrowed.models:
        for run, notes in ledger.runs(suite.ledger, model.name).items():
            spent.setdefault(run.technique, []).append(notes["seconds"])
    if not spent or not todo:
        return ""
    every = [seconds for several in spent.values() for seconds in several]
    means = {technique: sum(several) / len(several) for technique, several in spent.items()}
    total = sum(means.get(run.technique, sum(every) / len(every)) for run in todo)
    return f", about {duration(total / jobs)} with {jobs} jobs"


def _check_can_be_measured(suite: Suite) -> None:
    from benchmark.finetuning import techniques

    known = techniques.known_techniques()
    for technique in suite.techniques:
        if technique.name not in known:
            raise unknown_name("technique", technique.name, known)
    for model in suite.models:
        if model.vision_only:
            raise InputError(
                f"model '{model.name}' is vision-only: without texts it has no zero-shot accuracy, and so no gain; "
                "leave it out with --models, or rank its scores against accuracies of your own with `rank --scores --gains`"
            )


@dataclass(frozen=True)
class Deviation:
    """How far a repeated run is off: accuracy after tuning, in-domain and the mean over all tasks, as absolute differences."""

    run: Run
    in_domain: float
    elsewhere: float


def audit(
    suite: Suite, narrowed: Suite, root: Path, jobs: int, k: int, seed: int, quiet: bool = False
) -> list[Deviation]:
    """Repeat k runs drawn by chance from the ledger and compare."""
    check_conditions(narrowed)
    recorded: dict[Run, dict[str, float]] = {}
    for model in narrowed.models:
        for *run, task, after in ledger.rows(suite.ledger, model.name).drop("before").iter_rows():
            recorded.setdefault(Run(*run), {})[task] = after
    known = [run for run in planned_runs(narrowed) if run in recorded]
    if not known:
        raise LedgerError(
            f"{suite.ledger}: nothing measured yet for these models and tasks; run `python -m benchmark measure` first"
        )
    chosen = sorted(random.Random(seed).sample(known, min(k, len(known))))
    deviations = []
    for outcome in progress(_outcomes(suite, chosen, root, jobs), len(chosen), "audit", quiet):
        off = {
            task: abs(after - recorded[outcome.run][task])
            for task, after in outcome.after.items()
            if task in recorded[outcome.run]
        }
        home = off.pop(outcome.run.trained_on)
        deviations.append(Deviation(outcome.run, home, sum(off.values()) / max(1, len(off))))
    return sorted(deviations, key=lambda d: d.run)
