"""Which package may import which: benchmark → scorers, benchmark → leaderboard, and inside benchmark downwards only."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BASE = {"errors", "files", "plugins", "toml_fields", "__version__"}
# the packages of benchmark from the top to the bottom; a package imports those of lower layers, and not those beside it
LAYERS = (
    {"commands"},
    {"reports"},
    {"finetuning", "scoring"},
    {"embedding"},
    {"suites"},
    {"models"},
    {"tasks"},
    {"execution"},
    BASE,
)
ALLOWED = {package: set().union(*LAYERS[depth + 1 :]) for depth, layer in enumerate(LAYERS[:-1]) for package in layer}
ALLOWED["commands"] |= {"pocket"}
ALLOWED["pocket"] = {"tasks", "execution"} | BASE
ALLOWED["cli"] = {"commands"} | BASE


def imported_modules(path: Path) -> Iterator[str]:
    """The full names of everything that a file imports, also inside functions: `from a import b` is `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports(path: Path) -> Iterator[str]:
    """The top-level names of everything that a file imports."""
    return (name.split(".")[0] for name in imported_modules(path))


def benchmark_packages(path: Path) -> set[str]:
    """The packages and modules directly inside benchmark that a file imports."""
    return {name.split(".")[1] for name in imported_modules(path) if name.startswith("benchmark.")}


def files_of(package: str) -> list[Path]:
    """The files of a package, or the one file of a module, of benchmark."""
    path = ROOT / "benchmark" / package
    return sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def test_every_package_of_benchmark_has_a_layer() -> None:
    names = {path.stem for path in (ROOT / "benchmark").iterdir() if path.suffix == ".py" or any(path.glob("*.py"))}
    assert names - {"__init__", "__main__"} == set(ALLOWED) | BASE - {"__version__"}


@pytest.mark.parametrize("package", ALLOWED)
def test_package_of_benchmark_imports_only_lower_layers(package: str) -> None:
    for path in files_of(package):
        assert benchmark_packages(path) <= ALLOWED[package] | {package}, path


@pytest.mark.parametrize("module", sorted(BASE - {"__version__"}))
def test_base_module_of_benchmark_imports_only_base_modules(module: str) -> None:
    for path in files_of(module):
        assert benchmark_packages(path) <= BASE, path


def test_command_line_is_built_without_heavy_packages() -> None:
    heavy = ["torch", "numpy", "polars", "scorers", "leaderboard", "tabulate"]
    code = f"import sys; from benchmark.cli import build_parser; build_parser(); print(set({heavy}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("scorers", {"benchmark", "leaderboard", "torch", "open_clip", "timm", "joblib"}),
        ("leaderboard", {"benchmark", "scorers", "torch", "open_clip", "timm", "joblib"}),
    ],
)
def test_package_imports_neither_the_engine_nor_its_libraries(package: str, forbidden: set[str]) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        assert not set(imports(path)) & forbidden, path


@pytest.mark.parametrize(
    "package", ["scorers", "leaderboard", "benchmark.cli", "benchmark.scoring.scoring", "benchmark.reports.run"]
)
def test_importing_does_not_load_torch(package: str) -> None:
    code = f"import sys, {package}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_datasets_contains_only_cards() -> None:
    assert {path.suffix for path in (ROOT / "datasets").iterdir()} == {".toml"}


def test_no_module_unpickles_data() -> None:
    for package in ("benchmark", "scorers", "leaderboard"):
        for path in (ROOT / package).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            assert not {"pickle", "dill", "cloudpickle", "shelve", "marshal"} & set(imports(path)), path
            for node in ast.walk(tree):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and isinstance(node.func.value, ast.Name)
                ):
                    called = f"{node.func.value.id}.{node.func.attr}"
                    assert called != "torch.load", path
                    if called == "np.load":
                        assert any(k.arg == "allow_pickle" and not k.value.value for k in node.keywords), path  # type: ignore[attr-defined]
