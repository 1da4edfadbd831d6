"""Suites: models x tasks x techniques x seeds, each declared in one TOML file."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import leaderboard
from benchmark import cards
from benchmark.cards import Card
from benchmark.errors import SuiteError, unknown
from benchmark.fields import Fields, read_toml

OPTIONS = (
    *("rate", "weight_decay", "momentum", "batch", "accumulate", "epochs", "patience", "warmup"),
    *("ratio", "reduction", "rank", "scale"),
)
WHOLE = ("batch", "accumulate", "epochs", "patience", "reduction", "rank")
CHOICES = {"optimizer": ("adamw", "sgd"), "precision": ("fp32", "bf16")}
# what the techniques of this package train; the functions themselves, and torch with them, are in `techniques`
BUILT_IN = {
    "full": "everything: both towers and the scale",
    "bitfit": "the biases of the transformer blocks of both towers",
    "attention": "the input projections of self-attention in the transformer blocks of both towers",
    "lora": "low-rank changes of the query and value projections in the transformer blocks of both towers",
    "clip_adapter": "two bottleneck adapters on the frozen towers' embeddings",
    "linear_probe": "a linear classifier on the frozen image embeddings",
}
TECHNIQUES_GROUP = "benchmark.techniques"
FOLDER = Path(__file__).parent / "suites"


@dataclass(frozen=True)
class Model:
    """A model as the suite names it. `load` is what open_clip loads; a relative local-dir is resolved against the suite file."""

    name: str
    load: str
    bpe: Path | None


@dataclass(frozen=True)
class Technique:
    """A way to fine-tune, with its hyperparameters (optimizer, learning rate, weight decay, batch, epochs, warm-up share)."""

    name: str
    options: dict[str, float | str]


@dataclass(frozen=True)
class Suite:
    name: str
    description: str
    models: tuple[Model, ...]
    tasks: tuple[Card, ...]
    techniques: tuple[Technique, ...]
    seeds: tuple[int, ...]
    source_vocabulary: tuple[str, ...]
    ledger: Path

    def narrowed(
        self, models: Iterable[str] | None, tasks: Iterable[str] | None, techniques: Iterable[str] | None = None
    ) -> "Suite":
        """The same suite with only the named models, tasks and techniques; raises UsageError for unknown ones."""
        return replace(
            self,
            models=_named("model", self.models, models),
            tasks=_named("task", self.tasks, tasks),
            techniques=_named("technique", self.techniques, techniques),
        )


def _named(what: str, things: Sequence[Any], wanted: Iterable[str] | None) -> tuple[Any, ...]:
    if wanted is None:
        return tuple(things)
    by_name = {thing.name: thing for thing in things}
    for name in wanted:
        if name not in by_name:
            raise unknown(what, name, by_name)
    return tuple(by_name[name] for name in dict.fromkeys(wanted))


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Suite:
    """A suite by name, or by the path of its file (ending in .toml). Raises SuiteError, or UsageError for an unknown name."""
    if name.endswith(".toml"):
        return read(Path(name))
    if name not in names():
        raise unknown("suite", name, names())
    return read(FOLDER / f"{name}.toml")


def read(path: Path) -> Suite:
    fields = Fields(str(path), read_toml(path, SuiteError), SuiteError)
    name = fields.take("name", str)
    if name != path.stem:
        raise fields.fail("name", f"is '{name}', but the file is called {path.name}; make them agree")
    ledger = fields.take("ledger", str, "")
    seeds = fields.take("seeds", list)
    if not seeds or any(type(seed) is not int for seed in seeds) or len(set(seeds)) < len(seeds):
        raise fields.fail("seeds", f"should hold different whole numbers, found {seeds!r}")
    suite = Suite(
        name=name,
        description=fields.take("description", str, ""),
        models=tuple(_model(path, i, table) for i, table in enumerate(fields.take("models", list))),
        tasks=tuple(cards.load(task, path.parent) for task in fields.texts("tasks")),
        techniques=tuple(_technique(path, *item) for item in fields.take("techniques", dict).items()),
        seeds=tuple(seeds),
        source_vocabulary=tuple(fields.texts("source_vocabulary", least=2, default=[])),
        ledger=path.parent / ledger if ledger else Path(leaderboard.__file__).parent / "gains" / name,
    )
    fields.done()
    named: dict[str, tuple[Any, ...]] = {"models": suite.models, "tasks": suite.tasks, "techniques": suite.techniques}
    for what, things in named.items():
        found = [thing.name for thing in things]
        if not found:
            raise fields.fail(what, "is empty")
        if len(set(found)) < len(found):
            raise fields.fail(what, f"names '{next(n for n in found if found.count(n) > 1)}' twice")
    return suite


def _model(path: Path, i: int, table: Any) -> Model:
    if not isinstance(table, dict):
        raise SuiteError(f"{path}: [[models]] entry {i + 1}: should be a table, found {table!r}")
    fields = Fields(f"{path}: [[models]] entry {i + 1}", table, SuiteError)
    load_name, bpe = fields.take("load", str), fields.take("bpe", str, "")
    if load_name.startswith("local-dir:"):
        where = (path.parent / load_name.removeprefix("local-dir:")).resolve()
        if not (where / "open_clip_config.json").exists():
            raise fields.fail(
                "load",
                f"is '{load_name}', but {where} has no open_clip_config.json; `python -m benchmark pretrain` makes the pocket models",
            )
        load_name = f"local-dir:{where}"
    elif not load_name.startswith("hf-hub:"):
        raise fields.fail("load", f"is '{load_name}'; give local-dir:PATH or hf-hub:ORG/NAME")
    model = Model(fields.take("name", str), load_name, (path.parent / bpe).resolve() if bpe else None)
    if model.bpe and not model.bpe.exists():
        raise fields.fail("bpe", f"is '{bpe}', but there is no {model.bpe}")
    fields.done()
    return model


def _technique(path: Path, name: str, table: Any) -> Technique:
    options: dict[str, float | str] = {}
    for key, value in (table if isinstance(table, dict) else {}).items():
        where = f"{path}: [techniques.{name}]: field '{key}'"
        if key in CHOICES:
            if value not in CHOICES[key]:
                raise SuiteError(f"{where} is {value!r}; give one of {', '.join(CHOICES[key])}")
            options[key] = value
            continue
        if type(value) not in (int, float):
            raise SuiteError(f"{where} should be a number, found {value!r}")
        if key not in OPTIONS:
            raise SuiteError(f"{where} is not known; known: {', '.join([*CHOICES, *OPTIONS])}")
        if not math.isfinite(value) or value < 0:
            raise SuiteError(f"{where} is {value}; give a number of at least 0")
        if key in WHOLE and (value != int(value) or value < 1):
            raise SuiteError(f"{where} is {value}; give a whole number of at least 1")
        options[key] = float(value)
    for key in ("rate", "batch", "epochs"):
        if not options.get(key):
            raise SuiteError(f"{path}: [techniques.{name}]: field '{key}' is missing or not above 0")
    return Technique(name, options)
