"""The version of a scorer: a hash of the source files that it is made of, so that a change of code makes cached scores stale."""

import ast
import hashlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import scorers
from scorers import ScorerSpec

PACKAGE = "scorers"
RUNNER = f"{PACKAGE}._run"  # turns the result of a call into a score, a reason and components


def score_version(spec: ScorerSpec) -> str:
    """Hash of the source files of a scorer, 16 hexadecimal digits.

    The files are that of its function, those that it imports, directly or through others, from its own package or from `scorers`,
    and the runner of scorers; numpy, scipy and scikit-learn are not part of it. They are read from the import statements, so that
    the version does not depend on which modules are loaded. Defaults of parameters are source code and so part of it.
    """
    return _version(spec.function.__module__, spec.function.__code__.co_filename)


def source_files(spec: ScorerSpec) -> set[Path]:
    """The source files that `score_version` reads."""
    return _files(spec.function.__module__, spec.function.__code__.co_filename)


@cache
def _version(module: str, filename: str) -> str:
    total = hashlib.sha256()
    # sorted digests: the version depends on contents alone, neither on paths nor on the order of the search
    for digest in sorted(hashlib.sha256(path.read_bytes()).digest() for path in _files(module, filename)):
        total.update(digest)
    return total.hexdigest()[:16]


def _files(module: str, filename: str) -> set[Path]:
    # the function's own file by its name too: that of a script is not found through its module, `__main__`
    files = {Path(filename).resolve()} if Path(filename).is_file() else set()
    packages = {PACKAGE, module.partition(".")[0]}
    pending, visited = [module, RUNNER], set[str]()
    while pending:
        name = pending.pop()
        if name in visited or name.partition(".")[0] not in packages:
            continue
        visited.add(name)
        if path := _source(name):
            files.add(path)
            pending += _imports(name, path)
    return files


@cache
def _source(module: str) -> Path | None:
    """The source file of a module; None where it has none."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):  # ValueError: a module without a specification, such as `__main__`
        return None
    # no source: a namespace package (no origin) or a compiled module (another suffix)
    return Path(spec.origin).resolve() if spec and spec.origin and spec.origin.endswith(".py") else None


@cache
def _imports(module: str, path: Path) -> list[str]:
    """Names of the modules that a module imports, and of names that may be modules.

    A name imported from `scorers` itself stands for the module that defines it: a scorer that calls another one depends on that
    one's module, not on all scorers.
    """
    names: list[str] = []
    for origin, name in _import_statements(module, path):
        if origin == PACKAGE and name:
            names.append(_exports().get(name, f"{PACKAGE}.{name}"))
        else:
            # `name` may be a module or an attribute of one; a module that does not exist has no source and is dropped
            names += [origin, f"{origin}.{name}"] if name else [origin]
    return names


@cache
def _exports() -> dict[str, str]:
    """The module that each name of `scorers` is imported from."""
    return {name: origin for origin, name in _import_statements(PACKAGE, Path(scorers.__file__)) if name}


def _import_statements(module: str, path: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of every `from module import name` in a file, and (module, blank) of every `import module`."""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    # the whole tree, since scorers import scipy and others inside functions
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # `from ..x import y` starts level - 1 packages above the module's own
            base = package[: len(package) - node.level + 1] if node.level else []
            yield from ((".".join([*base, *filter(None, [node.module])]), alias.name) for alias in node.names)
