"""The arrows between the packages: benchmark → scorers, benchmark → leaderboard, and no other."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def imports(path: Path) -> Iterator[str]:
    """Top-level names of everything that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("scorers", {"benchmark", "leaderboard", "torch", "open_clip", "timm", "joblib"}),
        ("leaderboard", {"benchmark", "scorers", "torch", "open_clip", "timm", "joblib"}),
    ],
)
def test_package_imports_nothing_from_beyond_its_walls(package: str, forbidden: set[str]) -> None:
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


def test_datasets_holds_cards_only() -> None:
    assert {path.suffix for path in (ROOT / "datasets").iterdir()} == {".toml"}


def test_nothing_unpickles_or_runs_data() -> None:
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
