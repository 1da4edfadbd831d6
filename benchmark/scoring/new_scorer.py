"""Template of a new scorer and its test: into this repository, or as a package of its own."""

import keyword
from pathlib import Path

import scorers
from benchmark import files
from benchmark.errors import UsageError

# templates of str.format: doubled braces are the braces of the written file
SCORER = '''\
"""{title}: the idea in one line."""

from scorers import Abstain, Embeddings, scorer


@scorer(needs={{"image", "labels"}}, predicts={{"accuracy": +1}}, baseline=True, cost="sums")
def {name}(e: Embeddings) -> float:
    """Share of the variance between the class means: replace this baseline, and `baseline=True` by `cite="key"`.

    Formula: `tr(between) / tr(total)`, the covariances of the class means and of all rows.

    Values: in 0..1.

    Orientation: a higher score predicts higher accuracy.

    Abstains: on one class, or equal rows.

    Cost: `O(C·D)` after the shared pass.

    Source: none; a baseline.
    """
    if len(e.classes) < 2:
        raise Abstain("needs at least 2 classes, found 1")
    s = e.statistics
    total = float(s.scatter.trace())
    if not total > 0:
        raise Abstain("all rows are equal")
    return float((s.counts[:, None] * (s.means - s.mean) ** 2).sum()) / total
'''
TEST = '''\
"""{name}: the contract, and agreement with its definition."""

import numpy as np
import pytest
{imports}


def test_it_passes_the_contract():
    assert [f"{{o.name}}: {{o.failure}}; {{o.remedy}}" for o in check_scorer({name}) if o.failure] == []


def test_it_equals_its_definition():
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

The transferability score `{name}` as a plugin. Once installed, it is part of `python -m benchmark run --scorers all`.

```
pip install .
python -m benchmark check-scorer {module}:{name}
pytest
```
"""


def new_scorer(name: str, package: Path | None) -> list[Path]:
    """Write a working scorer and its test; returns the paths of the files.

    package: the folder of a new package; None writes into this repository.
    Raises UsageError, before anything is written, for an invalid or existing name, or where a file exists.
    """
    # the name becomes a module and a function; the registry skips modules that start with an underscore
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_") or name != name.lower():
        raise UsageError(
            f"'{name}' is not a valid name of a scorer; give lower-case letters, digits and underscores, a letter first"
        )
    if name in scorers.registry().scorers:
        raise UsageError(f"scorer '{name}' exists already; choose another name")
    # a top-level module, so the suffix keeps it from hiding an installed one of the same name, such as `random`
    module = f"{name}_scorer" if package else f"scorers.{name}"
    fields = {"name": name, "title": name.replace("_", " ").capitalize(), "module": module}
    if package:
        fields["imports"] = f"from {module} import {name}\n\nfrom scorers import Embeddings, check_scorer"
    else:
        fields["imports"] = f"\nfrom scorers import Embeddings, check_scorer\nfrom {module} import {name}"
    fields["project"] = f"{name.replace('_', '-')}-scorer"
    if package:
        texts = {
            package / f"{module}.py": SCORER,
            package / f"test_{name}.py": TEST,
            package / "pyproject.toml": PYPROJECT,
            package / "README.md": README,
        }
    else:
        # in a clone the package lies beside pyproject.toml, in an installation it does not
        tree = Path(scorers.__file__).parent
        if not (tree.parent / "pyproject.toml").exists():
            raise UsageError(
                "the installed copy has no repository to write into; use --package DIR, or run this in a clone"
            )
        texts = {tree / f"{name}.py": SCORER, tree.parent / "tests" / "scorers" / f"test_{name}.py": TEST}
    for path in texts:
        if path.exists():
            raise UsageError(f"{path}: exists already; move it or choose another name")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, text.format(**fields))
    return list(texts)
