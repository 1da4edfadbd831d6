"""Suites: models x tasks x techniques x seeds, each declared in one TOML file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import leaderboard
from benchmark.errors import SuiteError, unknown_name
from benchmark.models.model import Model
from benchmark.suites import techniques
from benchmark.tasks import cards, sources
from benchmark.tasks.cards import Card
from benchmark.toml_fields import Fields, read_toml
from leaderboard.literature import clip_sources

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class TechniqueSettings:
    """A technique of a suite, with the options that the suite sets (see `benchmark.suites.techniques`).

    families: the options of models of a family, where they differ from `options`; complete, not only the differences.
    """

    name: str
    options: dict[str, float | str]
    families: dict[str, dict[str, float | str]] = field(default_factory=dict)

    def options_of(self, model: Model) -> dict[str, float | str]:
        """The options with which this model is fine-tuned."""
        return self.families.get(model.family, self.options)


@dataclass(frozen=True)
class Suite:
    """Models x tasks x techniques x seeds, and the ledger of their runs.

    source_vocabulary: the prompts of the source classes, over which scorers of source posteriors read a dual encoder.
    cross_task_images: how many test images of every other task a fine-tuned model is evaluated on; None: all of them.
    ledger: the folder of the ledger.  published: for a suite of published measurements, technique name to SOURCE/TECHNIQUE of the
    published ledgers; its seeds are [0].  requested: the argument of `--suite`.
    """

    name: str
    description: str
    models: tuple[Model, ...]
    tasks: tuple[Card, ...]
    techniques: tuple[TechniqueSettings, ...]
    seeds: tuple[int, ...]
    source_vocabulary: tuple[str, ...]
    ledger: Path
    published: dict[str, str] = field(default_factory=dict)
    requested: str = ""
    cross_task_images: int | None = None

    def options(self, technique: str, model: str) -> dict[str, float | str]:
        """The options of a technique with which a model is fine-tuned."""
        settings = next(settings for settings in self.techniques if settings.name == technique)
        return settings.options_of(next(m for m in self.models if m.name == model))

    @property
    def training_tasks(self) -> tuple[Card, ...]:
        """The tasks with train images; the others are only evaluated on."""
        return tuple(card for card in self.tasks if not card.evaluation_only)

    def on_device(self, device: str, precision: str) -> "Suite":
        """The suite with its models on another device and in another precision."""
        # device and precision belong to a model, whose cache keys contain the precision
        return replace(self, models=tuple(replace(m, device=device, precision=precision) for m in self.models))

    def subset(
        self, models: Iterable[str] | None, tasks: Iterable[str] | None, techniques: Iterable[str] | None = None
    ) -> "Suite":
        """The suite with the named models, tasks and techniques only; None keeps all. Raises UsageError for unknown names."""
        return replace(
            self,
            models=_select("model", self.models, models),
            tasks=_select("task", self.tasks, tasks),
            techniques=_select("technique", self.techniques, techniques),
        )


def _select(kind: str, items: Sequence[Any], names: Iterable[str] | None) -> tuple[Any, ...]:
    """The items of the given names, in the order of the names."""
    if names is None:
        return tuple(items)
    by_name = {item.name: item for item in items}
    # duplicates are ignored
    names = list(dict.fromkeys(names))
    for name in names:
        if name not in by_name:
            raise unknown_name(kind, name, by_name)
    return tuple(by_name[name] for name in names)


def suite_names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str, source: str | None = None) -> Suite:
    """A suite by its name, or by the path of its file, which ends in .toml.

    source: the kind of source to take tasks from if they have it; by default the first whose files are on this machine.
    Raises SuiteError for an invalid file, UsageError for an unknown name.
    """
    # a name never ends in .toml, a path always does
    if not name.endswith(".toml") and name not in suite_names():
        raise unknown_name("suite", name, suite_names())
    return replace(read(Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml", source), requested=name)


def read(path: Path, source: str | None = None) -> Suite:
    """Read and check a suite file; relative paths in it start from its folder."""
    fields = Fields(str(path), read_toml(path, SuiteError), SuiteError)
    name = fields.take("name", str)
    # commands find a suite by its file, results and ledgers are named after it
    if name != path.stem:
        raise fields.invalid("name", f"is '{name}', but the file is {path.name}; rename one of them")
    ledger = fields.take("ledger", str, "")
    published = _read_published(fields)
    # rows of a published ledger have the seed 0
    seeds = fields.take("seeds", list, [0] if published else None)
    # type rather than isinstance, since True is an int
    if not seeds or any(type(seed) is not int for seed in seeds) or len(set(seeds)) < len(seeds):
        raise fields.invalid("seeds", f"should contain distinct integers, found {seeds!r}")
    suite = Suite(
        name=name,
        description=fields.take("description", str, ""),
        models=tuple(_read_model(path, i, table) for i, table in enumerate(fields.take("models", list))),
        # a name in `datasets/`, or a path relative to the suite file
        tasks=tuple(
            sources.resolve_source(cards.load(task, path.parent), source) for task in fields.take_strings("tasks")
        ),
        # published techniques have no hyperparameters here
        techniques=tuple(TechniqueSettings(technique, {}) for technique in published)
        or tuple(_technique(path, *item) for item in fields.take("techniques", dict).items()),
        seeds=tuple(seeds),
        source_vocabulary=_read_vocabulary(path, fields),
        # the ledgers of the built-in suites are part of the leaderboard package
        ledger=path.parent / ledger if ledger else Path(leaderboard.__file__).parent / "gains" / name,
        published=published,
        cross_task_images=_read_cross_task_images(fields),
    )
    fields.finish()
    # names are keys of the ledger and the board, where a duplicate would merge two
    for kind in ("models", "tasks", "techniques"):
        names = [item.name for item in getattr(suite, kind)]
        if not names:
            raise fields.invalid(kind, "is empty; add at least one")
        if len(set(names)) < len(names):
            raise fields.invalid(kind, f"contains '{next(n for n in names if names.count(n) > 1)}' twice")
    families = {model.family for model in suite.models} - {""}
    for technique in suite.techniques:
        for family in technique.families:
            if family not in families:
                known = ", ".join(sorted(families)) or "none; add `family` to the models"
                raise fields.invalid(
                    "techniques", f"has {technique.name}.families.{family}; families of the models: {known}"
                )
    return suite


def _read_cross_task_images(fields: Fields) -> int | None:
    if not fields.has("cross_task_images"):
        return None
    number = fields.take("cross_task_images", int)
    if number < 1:
        raise fields.invalid("cross_task_images", f"should be a whole number of at least 1, found {number!r}")
    return number


def _read_published(fields: Fields) -> dict[str, str]:
    """[published]: the suite's name of a technique to SOURCE/TECHNIQUE of the published ledgers."""
    published = fields.take("published", dict, {})
    # reading the published tables takes a while, so only if they are needed
    names = [f"{source}/{technique}" for source, technique in clip_sources()] if published else []
    for technique, name in published.items():
        if name not in names:
            raise fields.invalid("published", f"has '{technique}' as {name!r}; known: {', '.join(names)}")
    return published


def _read_vocabulary(path: Path, fields: Fields) -> tuple[str, ...]:
    """The source vocabulary: a list of texts, or the name of a task for its prompts."""
    if not fields.has("source_vocabulary"):
        return ()
    value = fields.take_any("source_vocabulary", list, str)
    if isinstance(value, str):
        # (classes x templates) texts
        return tuple(cards.load(value, path.parent).prompts())
    # an explicit empty list: no posterior of dual encoders, so scorers that need one abstain
    if not value:
        return ()
    table = Fields(fields.where, {"source_vocabulary": value}, SuiteError)
    return tuple(table.take_strings("source_vocabulary", minimum=2))


def _read_model(path: Path, i: int, table: Any) -> Model:
    if not isinstance(table, dict):
        raise SuiteError(f"{path}: [[models]] entry {i + 1}: should be a table, found {table!r}")
    fields = Fields(f"{path}: [[models]] entry {i + 1}", table, SuiteError)
    model = Model(
        name=fields.take("name", str),
        load=_resolve_local_dir(path, fields, fields.take("load", str)),
        bpe=_existing_file(path, fields, "bpe"),
        weights=_existing_file(path, fields, "weights"),
        family=fields.take("family", str, ""),
    )
    fields.finish()
    # the ledger of a model is the file MODEL.csv
    if model.name.startswith(".") or set(model.name) & set("/\\:"):
        raise fields.invalid(
            "name", f"is '{model.name}', which cannot name a file of the ledger; use no / \\ : and no dot at the start"
        )
    # a tag, a repository and a folder come with weights
    if model.weights and ("/" in model.load or "local-dir:" in model.load or "hf-hub:" in model.load):
        raise fields.invalid(
            "weights", f"excludes '{model.load}', which has its own weights; give the architecture alone as `load`"
        )
    if not model.weights and "/" not in model.load and ":" not in model.load:
        raise fields.invalid(
            "load",
            f"is '{model.load}'; give ARCHITECTURE/TAG, hf-hub:ORG/NAME, local-dir:PATH, timm:NAME, or add `weights`",
        )
    return model


def _resolve_local_dir(path: Path, fields: Fields, load: str) -> str:
    """`load` with the path of a local-dir made absolute, from the folder of the suite file."""
    prefix, separator, relative = load.partition("local-dir:")
    if not separator:
        return load
    folder = (path.parent / relative).resolve()
    # the file that timm or open_clip reads the architecture from; prefix is "timm:" or blank
    config = "config.json" if prefix == "timm:" else "open_clip_config.json"
    if not (folder / config).exists():
        raise fields.invalid(
            "load", f"is '{load}', but {folder} has no {config}; `python -m benchmark pretrain` makes the pocket models"
        )
    return f"{prefix}local-dir:{folder}"


def _existing_file(path: Path, fields: Fields, field: str) -> Path | None:
    """The absolute path of an optional field that names a file."""
    relative = fields.take(field, str, "")
    if not relative:
        return None
    file = (path.parent / relative).resolve()
    if not file.is_file():
        raise fields.invalid(field, f"is '{relative}', but there is no file {file}")
    return file


def _technique(path: Path, name: str, table: Any) -> TechniqueSettings:
    """The table [techniques.NAME]; its tables `families.FAMILY` replace some of the options for the models of a family."""
    where = f"{path}: [techniques.{name}]"
    if not isinstance(table, dict):
        raise SuiteError(f"{where}: should be a table, found {table!r}")
    common = {option: value for option, value in table.items() if option != "families"}
    families = table.get("families", {})
    if not isinstance(families, dict) or not all(isinstance(options, dict) for options in families.values()):
        raise SuiteError(f"{where}: 'families' should contain a table for each family, found {families!r}")

    def read(where: str, options: dict[str, Any]) -> dict[str, float | str]:
        return techniques.read_options(name, Fields(where, options, SuiteError))

    return TechniqueSettings(
        name,
        read(where, common),
        {
            family: read(f"{path}: [techniques.{name}.families.{family}]", common | options)
            for family, options in families.items()
        },
    )
