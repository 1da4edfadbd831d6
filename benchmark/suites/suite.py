"""Suites: models x tasks x techniques x seeds, each declared in one TOML file."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import leaderboard
from benchmark.errors import SuiteError, unknown_name
from benchmark.models.model import Model
from benchmark.tasks import cards, sources
from benchmark.tasks.cards import Card
from benchmark.toml_fields import Fields, read_toml
from leaderboard.literature import clip_sources

OPTIONS = (
    *("rate", "weight_decay", "momentum", "clip", "batch", "accumulate", "epochs", "patience", "warmup"),
    *("ratio", "reduction", "rank", "scale", "deviation", "biases"),
)
WHOLE = ("batch", "accumulate", "epochs", "patience", "reduction", "rank")
CHOICES = {"optimizer": ("adamw", "sgd"), "schedule": ("cosine", "constant"), "precision": ("fp32", "bf16")}
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
FOLDER = Path(__file__).parent


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
    published: dict[str, str] = field(default_factory=dict)
    requested: str = ""  # what `--suite` was given

    @property
    def training_tasks(self) -> tuple[Card, ...]:
        """The tasks that have train images; the others are evaluated on only."""
        return tuple(card for card in self.tasks if not card.evaluation_only)

    def on_device(self, device: str, precision: str) -> "Suite":
        """The same suite with its models on another device and in another precision."""
        return replace(self, models=tuple(replace(m, device=device, precision=precision) for m in self.models))

    def subset(
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
            raise unknown_name(what, name, by_name)
    return tuple(by_name[name] for name in dict.fromkeys(wanted))


def suite_names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str, source: str | None = None) -> Suite:
    """A suite by name, or by the path of its file (ending in .toml). Raises SuiteError, or UsageError for an unknown name.

    source: the kind of source that tasks are taken from where they have it; by default the first whose files are here.
    """
    if not name.endswith(".toml") and name not in suite_names():
        raise unknown_name("suite", name, suite_names())
    return replace(read(Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml", source), requested=name)


def read(path: Path, source: str | None = None) -> Suite:
    fields = Fields(str(path), read_toml(path, SuiteError), SuiteError)
    name = fields.take("name", str)
    if name != path.stem:
        raise fields.fail("name", f"is '{name}', but the file is called {path.name}; make them agree")
    ledger = fields.take("ledger", str, "")
    published = _published(fields)
    seeds = fields.take("seeds", list, [0] if published else None)
    if not seeds or any(type(seed) is not int for seed in seeds) or len(set(seeds)) < len(seeds):
        raise fields.fail("seeds", f"should hold different whole numbers, found {seeds!r}")
    suite = Suite(
        name=name,
        description=fields.take("description", str, ""),
        models=tuple(_model(path, i, table) for i, table in enumerate(fields.take("models", list))),
        tasks=tuple(sources.resolve_source(cards.load(task, path.parent), source) for task in fields.texts("tasks")),
        techniques=tuple(Technique(technique, {}) for technique in published)
        or tuple(_technique(path, *item) for item in fields.take("techniques", dict).items()),
        seeds=tuple(seeds),
        source_vocabulary=_vocabulary(path, fields),
        ledger=path.parent / ledger if ledger else Path(leaderboard.__file__).parent / "gains" / name,
        published=published,
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


def _published(fields: Fields) -> dict[str, str]:
    """Instead of techniques to measure: the suite's name for each, and which SOURCE/TECHNIQUE of the published ledgers it is."""
    given = fields.take("published", dict, {})
    known = [f"{source}/{technique}" for source, technique in clip_sources()] if given else []
    for name, of in given.items():
        if of not in known:
            raise fields.fail("published", f"has '{name}' as {of!r}; known: {', '.join(known)}")
    return given


def _vocabulary(path: Path, fields: Fields) -> tuple[str, ...]:
    """The texts themselves, or the prompts of the task that is named."""
    given = fields.either("source_vocabulary", list, str) if fields.has("source_vocabulary") else []
    if isinstance(given, str):
        return tuple(cards.load(given, path.parent).prompts())
    return (
        tuple(Fields(fields.where, {"source_vocabulary": given}, SuiteError).texts("source_vocabulary", least=2))
        if given
        else ()
    )


def _model(path: Path, i: int, table: Any) -> Model:
    if not isinstance(table, dict):
        raise SuiteError(f"{path}: [[models]] entry {i + 1}: should be a table, found {table!r}")
    fields = Fields(f"{path}: [[models]] entry {i + 1}", table, SuiteError)
    model = Model(
        fields.take("name", str),
        _resolved(path, fields, fields.take("load", str)),
        _file(path, fields, "bpe"),
        _file(path, fields, "weights"),
    )
    fields.done()
    if model.name.startswith(".") or set(model.name) & set("/\\:"):
        raise fields.fail(
            "name", f"is '{model.name}', which names no file of a ledger; leave out / \\ : and a dot in front"
        )
    if model.weights and ("/" in model.load or "local-dir:" in model.load or "hf-hub:" in model.load):
        raise fields.fail(
            "weights", f"stands beside '{model.load}', which has weights of its own; give the bare architecture"
        )
    if not model.weights and "/" not in model.load and ":" not in model.load:
        raise fields.fail(
            "load",
            f"is '{model.load}'; give ARCHITECTURE/TAG, hf-hub:ORG/NAME, local-dir:PATH, timm:NAME, or `weights` beside it",
        )
    return model


def _resolved(path: Path, fields: Fields, load: str) -> str:
    """`load` with a relative local-dir resolved against the suite file."""
    prefix, found, where = load.partition("local-dir:")
    if not found:
        return load
    folder = (path.parent / where).resolve()
    config = "config.json" if prefix == "timm:" else "open_clip_config.json"
    if not (folder / config).exists():
        raise fields.fail(
            "load", f"is '{load}', but {folder} has no {config}; `python -m benchmark pretrain` makes the pocket models"
        )
    return f"{prefix}local-dir:{folder}"


def _file(path: Path, fields: Fields, field: str) -> Path | None:
    given = fields.take(field, str, "")
    if not given:
        return None
    found = (path.parent / given).resolve()
    if not found.is_file():
        raise fields.fail(field, f"is '{given}', but there is no {found}")
    return found


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
