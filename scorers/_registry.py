"""Discovery of scorers: the files of this package, and the entry points of installed packages."""

import functools
import importlib
import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

from scorers._contract import AnyScorer, is_scorer

GROUP = "benchmark.scorers"


@dataclass
class Registry:
    """scorers: name to function, sorted by name.  failures: name of a file or entry point that was not loaded, to the reason.

    installed: names of the scorers behind entry points of installed packages.
    """

    scorers: dict[str, AnyScorer]
    failures: dict[str, str]
    installed: frozenset[str] = frozenset()


def discover(folder: Path, package: str, entry_points: bool = True) -> Registry:
    """Every scorer in the modules of a folder, and behind the entry points of installed packages. Never raises."""
    registry = Registry({}, {})
    for path in sorted(folder.glob("[!_]*.py")):
        try:
            module = importlib.import_module(f"{package}.{path.stem}")
        except KeyboardInterrupt:
            raise
        except BaseException as problem:  # SystemExit too: a plugin may not end the command
            registry.failures[path.stem] = _failure("cannot be imported", problem)
            continue
        for value in vars(module).values():
            # a scorer belongs to the module that defines it, not to those that import it
            if is_scorer(value) and value.spec.function.__module__ == module.__name__:
                _add(registry, value, str(path))
    own = set(registry.scorers)
    for point in importlib.metadata.entry_points(group=GROUP) if entry_points else ():
        try:
            value = point.load()
        except KeyboardInterrupt:
            raise
        except BaseException as problem:  # SystemExit too: a plugin may not end the command
            registry.failures[point.name] = _failure(f"cannot be loaded from {point.value}", problem)
            continue
        if is_scorer(value):
            _add(registry, value, point.value)
        else:
            registry.failures[point.name] = f"{point.value} is not a scorer; decorate it with @scorer"
    installed = frozenset(registry.scorers.keys() - own)
    return Registry(dict(sorted(registry.scorers.items())), registry.failures, installed)


def _failure(what: str, problem: BaseException) -> str:
    return f"{what}: {type(problem).__name__}: {problem}".replace("\n", " ")


def _add(registry: Registry, function: AnyScorer, origin: str) -> None:
    name = function.spec.name
    # the first one keeps the name: files come before entry points, in alphabetical order
    if registry.scorers.setdefault(name, function) is not function:
        registry.failures[f"{name} ({origin})"] = "has the name of another scorer; rename it"


@functools.cache
def registry() -> Registry:
    """The available scorers: the files of this package and the installed plugins."""
    return discover(Path(__file__).parent, "scorers")
