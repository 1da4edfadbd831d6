"""Choose a learning rate for every technique and family of a suite on development tasks: python tools/learning_rates.py [SUITE]

Development tasks are the cards in benchmark/suites/<suite>/development; none of them is in the suite. Every rate of a grid is tried on
every development task, with the models of a family in turn. The rate of a family is the one with the highest mean val accuracy; where
that is the lowest or highest rate tried, the grid is extended. Test images and scores are not read.

Writes leaderboard/learning_rates/<suite>.csv, one row per trial, and prints the rates for the suite file. Resumable.
"""

import csv
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from joblib import delayed

import leaderboard
from benchmark.embedding.cache import Cache
from benchmark.embedding.jobs import single_thread
from benchmark.execution.parallel import parallel
from benchmark.execution.progress import progress
from benchmark.finetuning.workbench import Workbench
from benchmark.suites import suite
from benchmark.suites.suite import FOLDER, Suite
from benchmark.suites.techniques import load_techniques
from benchmark.tasks import cards

STEPS_PER_DECADE = 2
# exponents of the first grid, in steps: rate = 10^(step / STEPS_PER_DECADE), so -8 is 1e-4
FIRST_GRID = {
    "full": range(-9, -4),
    "bitfit": range(-6, -1),
    "attention": range(-8, -3),
    "lora": range(-6, -1),
    "clip_adapter": range(-7, -2),
    "linear_probe": range(-6, -1),
}


@dataclass(frozen=True)
class Trial:
    """val: the best val accuracy of the run, the untuned model's included, as in `selection = "untuned too"`.  seconds: of one core."""

    family: str
    technique: str
    rate: float
    task: str
    model: str
    untuned: float
    val: float
    seconds: float


def path_of(name: str) -> Path:
    return Path(leaderboard.__file__).parent / "learning_rates" / f"{name}.csv"


def read(name: str) -> list[Trial]:
    path = path_of(name)
    if not path.exists():
        return []
    kinds = {field.name: field.type for field in fields(Trial)}
    with path.open(newline="") as file:
        return [Trial(**{k: kinds[k](v) for k, v in row.items()}) for row in csv.DictReader(file)]  # type: ignore[operator]


def append(name: str, trial: Trial) -> None:
    path = path_of(name)
    path.parent.mkdir(exist_ok=True)
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Trial)], lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(asdict(trial))


def rate_of(step: int) -> float:
    return float(f"{10 ** (step / STEPS_PER_DECADE):.2g}")


def means(trials: Sequence[Trial], family: str, technique: str) -> dict[float, float]:
    """Mean val accuracy over the development tasks by rate, in rising order of rates."""
    mine = [trial for trial in trials if (trial.family, trial.technique) == (family, technique)]
    by_rate = {rate: [t.val for t in mine if t.rate == rate] for rate in sorted({t.rate for t in mine})}
    return {rate: sum(values) / len(values) for rate, values in by_rate.items()}


def best_rate(accuracies: dict[float, float]) -> float:
    """The rate with the highest accuracy; of equal ones the lowest."""
    return max(accuracies, key=lambda rate: (round(accuracies[rate], 6), -rate))


def try_rate(of: Suite, family: str, technique: str, rate: float, number: int) -> Trial:
    """Fine-tune on development task `number`, with the family's models in turn over the tasks."""
    single_thread()
    card = development_tasks(of.name)[number]
    models = [model for model in of.models if model.family == family]
    model = models[number % len(models)]
    settings = next(settings for settings in of.techniques if settings.name == technique)
    bench = Workbench(model, [card], Cache())
    started = time.process_time()
    result = load_techniques()[technique](bench, card, {**settings.options, "rate": rate}, 0)
    seconds = round(time.process_time() - started, 2)
    untuned = round(bench.zero_shot_accuracy(card, "val"), 6)
    val = round(max(untuned, *result.curve), 6)
    return Trial(family, technique, rate, card.name, model.name, untuned, val, seconds)


def development_tasks(name: str) -> list[cards.Card]:
    folder = FOLDER / name / "development"
    return [cards.load(path.name, folder) for path in sorted(folder.glob("*.toml"))]


def steps_to_try(of: Suite, trials: Sequence[Trial]) -> Iterator[tuple[str, str, int]]:
    """(family, technique, step of the grid) that has to be tried next: the first grid, or one step beyond an edge."""
    for family in sorted({model.family for model in of.models}):
        for settings in of.techniques:
            accuracies = means(trials, family, settings.name)
            grid = FIRST_GRID[settings.name]
            tried = [s for s in range(min(grid) - 8, max(grid) + 9) if rate_of(s) in accuracies]
            yield from ((family, settings.name, step) for step in grid)
            if tried and set(grid) <= set(tried):
                best = best_rate(accuracies)
                if best == rate_of(min(tried)):
                    yield family, settings.name, min(tried) - 1
                if best == rate_of(max(tried)):
                    yield family, settings.name, max(tried) + 1


def pending(of: Suite, trials: Sequence[Trial]) -> list[tuple[str, str, float, int]]:
    done = {(t.family, t.technique, t.rate, t.task) for t in trials}
    tasks = development_tasks(of.name)
    return [
        (family, technique, rate_of(step), number)
        for family, technique, step in steps_to_try(of, trials)
        for number, card in enumerate(tasks)
        if (family, technique, rate_of(step), card.name) not in done
    ]


def main(name: str = "pocket2") -> None:
    of = suite.load(name)
    while calls := pending(of, read(name)):
        results = parallel((delayed(try_rate)(of, *call) for call in calls), os.cpu_count() or 1, ordered=False)
        for trial in progress(results, len(calls), "learning rates", False):
            append(name, trial)
    trials = read(name)
    for settings in of.techniques:
        for family in sorted({model.family for model in of.models}):
            accuracies = means(trials, family, settings.name)
            row = ", ".join(f"{rate:g}: {value:.3f}" for rate, value in accuracies.items())
            print(f"{settings.name} {family} {best_rate(accuracies):g}  ({row})")


if __name__ == "__main__":
    main(*sys.argv[1:])
