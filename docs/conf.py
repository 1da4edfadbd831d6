"""Sphinx configuration: `tox -e docs`, or sphinx-build -W --keep-going -n docs build/docs."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = (ROOT / "benchmark" / "__init__.py").read_text(encoding="utf-8")

project = "transferability-benchmark"
author = "the transferability-benchmark contributors"
copyright = f"2026, {author}"
# read without importing the package, so that the site builds without torch
release = next(
    ast.literal_eval(node.value)
    for node in ast.parse(SOURCE).body
    if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__version__"
)
extensions = ["myst_parser"]
exclude_patterns = ["build"]
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = project
