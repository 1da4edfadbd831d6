"""Writing a new scorer with its test: into this tree, or as a small package of its own."""

import keyword
from pathlib import Path

import scorers
from benchmark.errors import UsageError

SCORER = '''\
"""{title}: say in one line what the idea is."""

from scorers import Abstain, Embeddings, scorer


@scorer(needs={{"image", "labels"}}, predicts={{"accuracy": +1}}, cite="")
def {name}(e: Embeddings) -> float:
    """Share of the variance that lies between the class means: replace this baseline by your score.

    tr(between)/tr(total), in 0..1. Read from the shared sums: O(C·D).

    Source: where the score comes from.
    """
    if len(e.classes) < 2:
        raise Abstain("needs at least 2 classes, found 1")
    s = e.statistics
    total = float(s.scatter.trace())
    if not total > 0:
        raise Abstain("all rows are alike")
    return float((s.counts[:, None] * (s.means - s.mean) ** 2).sum()) / total
'''
TEST = '''\
"""{name}: the contract, and what it is by definition."""

import numpy as np
import pytest
{imports}


def test_it_keeps_the_contract():
    assert [f"{{o.name}}: {{o.found}}; {{o.mend}}" for o in check_scorer({name}) if o.found] == []


def test_it_is_what_its_definition_says():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 5)), np.arange(30) % 3
    means = np.stack([x[y == c].mean(0) for c in y])
    assert {name}(Embeddings(x, y)) == pytest.approx(means.var(0).sum() / x.var(0).sum())
'''
PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{project}"
version = "0.1.0"
description = "The transferability score {name}"
requires-python = ">=3.11"
dependencies = ["transferability-benchmark"]

[project.entry-points."benchmark.scorers"]
{name} = "{module}:{name}"

[tool.hatch.build.targets.wheel]
only-include = ["{module}.py"]
"""
README = """\
# {project}

The transferability score `{name}` as a plugin. Once installed, `python -m benchmark run --scorers all` has it.

```
pip install .
python -m benchmark check-scorer {module}:{name}
pytest
```
"""


def new_scorer(name: str, package: Path | None) -> list[Path]:
    """Write a working scorer and its test; returns the files. Raises UsageError, before anything is written, where that cannot be."""
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_") or name != name.lower():
        raise UsageError(
            f"'{name}' cannot be a scorer's name; give lower-case letters, digits and underscores, a letter first"
        )
    if name in scorers.registry().scorers:
        raise UsageError(f"there is a scorer '{name}' already; choose another name")
    module = f"{name}_scorer" if package else f"scorers.{name}"
    fields = {"name": name, "title": name.replace("_", " ").capitalize(), "module": module}
    if package:
        fields["imports"] = f"from {module} import {name}\n\nfrom scorers import Embeddings, check_scorer"
    else:
        fields["imports"] = f"\nfrom scorers import Embeddings, {', '.join(sorted(['check_scorer', name]))}"
    fields["project"] = f"{name.replace('_', '-')}-scorer"
    if package:
        texts = {
            package / f"{module}.py": SCORER,
            package / f"test_{name}.py": TEST,
            package / "pyproject.toml": PYPROJECT,
            package / "README.md": README,
        }
    else:
        tree = Path(scorers.__file__).parent
        if not (tree.parent / "pyproject.toml").exists():
            raise UsageError(
                "this is an installed copy and no clone to write into; use --package DIR, or run this in a clone"
            )
        texts = {tree / f"{name}.py": SCORER, tree.parent / "tests" / "scorers" / f"test_{name}.py": TEST}
    for path in texts:
        if path.exists():
            raise UsageError(f"{path}: is there already; move it away or choose another name")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(**fields), encoding="utf-8")
    return list(texts)
