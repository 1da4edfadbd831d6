"""The decorator, the discovery of scorers, and running many of them."""

import builtins
import inspect
import json
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import scorers
from scorers import Abstain, Embeddings, discover, score_embeddings, scorer

IMAGE = Embeddings(np.eye(4), [0, 0, 1, 1])
CORE_SCORERS = [
    "iimm",
    "iimm_inter",
    "iimm_intra",
    "modality_gap",
    "text_alignment",
    "logme",
    "leep",
    "nce",
    "h_score",
    "h_score_shrunk",
    "gbc_diagonal",
    "gbc_spherical",
    "transrate",
    "sfda",
    "ncti",
    "lfc",
    "knn",
    "zero_shot_accuracy",
    "headroom",
    "static_rank",
    "n_parameters",
    "random",
]


def test_core_scorers_are_registered_and_exported() -> None:
    assert set(CORE_SCORERS) <= set(scorers.registry().scorers)
    assert not scorers.registry().failures
    for name in CORE_SCORERS:
        assert getattr(scorers, name) is scorers.registry().scorers[name]


@pytest.mark.parametrize("name", sorted(scorers.registry().scorers))
def test_every_scorer_has_a_summary_and_a_source(name: str) -> None:
    spec = scorers.registry().scorers[name].spec
    assert spec.summary.endswith(".")
    assert spec.cite or spec.baseline
    assert all(parameter for parameter in spec.parameters)


def test_every_citation_has_a_reference() -> None:
    cited = {f.spec.cite for f in scorers.registry().scorers.values()} - {""}
    entries = re.findall(r"^@\w+\{(\w+),$", scorers.bibtex(), re.M)
    assert sorted(cited) == sorted(entries)
    assert list(scorers.references()) == entries
    assert "".join(scorers.references().values()) == scorers.bibtex()


def test_a_missing_input_abstains_with_the_reason() -> None:
    with pytest.raises(Abstain, match="needs class text embeddings"):
        scorers.iimm(IMAGE)
    with pytest.raises(Abstain, match="needs a posterior over a source vocabulary"):
        scorers.leep(IMAGE)
    with pytest.raises(Abstain, match="needs the model's measured ranks on other tasks"):
        scorers.static_rank(IMAGE)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (float("nan"), "the score is nan"),
        (float("inf"), "the score is inf"),
        ("0.5", "raised TypeError: the score should be one number, but is '0.5'"),
        (np.ones(3), "raised TypeError: the score should be one number"),
        (None, "raised TypeError: the score should be one number, but is None"),
        (True, "raised TypeError"),
        (ZeroDivisionError("oh\nno"), "raised ZeroDivisionError: oh no"),
        (SystemExit(0), "raised SystemExit: 0"),
        (GeneratorExit(), "raised GeneratorExit"),
        (Abstain("too little"), "too little"),
    ],
)
def test_a_scorer_without_a_finite_number_abstains_and_the_others_run_on(outcome: object, reason: str) -> None:
    @scorer(needs={"image"})
    def odd(e: Embeddings) -> object:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    @scorer(needs={"image"})
    def even(e: Embeddings) -> float:
        return 2

    result = score_embeddings(IMAGE, functions={"odd": odd, "even": even})
    assert result["scores"] == {"odd": None, "even": 2.0}
    assert result["abstained"]["odd"].startswith(reason)
    assert "\n" not in result["abstained"]["odd"]
    assert result["raised"] == ({"odd": reason.split()[1].rstrip(":")} if reason.startswith("raised") else {})
    assert set(result["seconds"]) == {"statistics", "odd", "even"}


POISONS = {
    "statistics": lambda e: e.statistics.sums.__isub__(1.0),
    "gram": lambda e: e.statistics.gram.fill(0),
    "eigenvalues": lambda e: e.gram_eigen[0].fill(0),
    "scatter": lambda e: e.scatter_eigen[1].fill(0),
    "energy": lambda e: e.energy.fill(0),
    "classes": lambda e: e.y.fill(0),
    "attribute": lambda e: setattr(e, "labels", e.labels[::-1]),
    "memo": lambda e: e.remember("nleep/diag", lambda: np.zeros(3)).fill(1),
    "views": lambda e: e.label_views.clear(),
    "views' rows": lambda e: e.label_views[0].fill(0),
}


@pytest.mark.parametrize("poison", POISONS)
def test_a_scorer_cannot_change_what_others_read(poison: str, random_embeddings: Callable[..., Embeddings]) -> None:
    @scorer(needs={"image"})
    def poisoner(e: Embeddings) -> float:
        POISONS[poison](e)
        return 1.0

    others = ["h_score", "logme", "lfc", "gbc_diagonal", "pactran", "energy"]
    registered = scorers.registry().scorers
    functions = {"poisoner": poisoner} | {name: registered[name] for name in others if name in registered}
    clean, poisoned = (score_embeddings(random_embeddings(), functions=f) for f in (registered, functions))
    for name in functions.keys() - {"poisoner"}:
        assert poisoned["scores"][name] == clean["scores"][name]
    if poison != "views":  # a list of its own
        assert poisoned["raised"]["poisoner"] in ("ValueError", "AttributeError")


def test_a_pool_relative_scorer_abstains_and_shows_its_components(random_embeddings: Callable[..., Embeddings]) -> None:
    result = score_embeddings(random_embeddings(n=100, d=70), ["ncti"])
    assert result["scores"] == {"ncti": None}
    assert set(result["components"]["ncti"]) == {"ncc", "seli", "vc"}
    assert "pool" in result["abstained"]["ncti"]


def test_invalid_declarations_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"needs \['texts'\]: unknown"):
        scorer(needs={"texts"})
    with pytest.raises(ValueError, match="predicts"):
        scorer(needs={"image"}, predicts={"gains": 1})
    with pytest.raises(ValueError, match="predicts"):
        scorer(needs={"image"}, predicts={"gain": 2})


def test_a_scorer_cannot_be_undirected_and_predict() -> None:
    with pytest.raises(ValueError, match="undirected"):
        scorer(needs={"image"}, predicts={"gain": 1}, undirected=True)


def test_a_star_import_shadows_no_builtin_or_standard_module() -> None:
    assert not {*dir(builtins), *sys.stdlib_module_names} & set(scorers.__all__)
    assert all(hasattr(scorers, name) for name in scorers.__all__)


def test_a_scorer_is_documented_and_pickled_as_a_function() -> None:
    assert inspect.signature(scorers.parc).parameters["dimensions"].default == 32
    assert pickle.loads(pickle.dumps(scorers.logme)) is scorers.logme


SECTIONS = ["Formula", "Values", "Orientation", "Abstains", "Cost", "Source"]


@pytest.mark.parametrize("name", sorted(scorers.registry().scorers))
def test_every_docstring_has_the_sections_of_a_reference_page(name: str) -> None:
    spec = scorers.registry().scorers[name].spec
    paragraphs = (inspect.getdoc(spec.function) or "").split("\n\n")
    headings = [paragraph.partition(":")[0] for paragraph in paragraphs[1:]]
    assert [heading for heading in headings if heading != "Options"] == SECTIONS
    assert ("Options" in headings) == bool(spec.parameters)


def test_time_of_shared_statistics_is_reported_separately(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    import scorers._embeddings as module

    original = module.statistics

    def slow(*arguments: object) -> object:
        time.sleep(0.05)
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "statistics", slow)
    seconds = score_embeddings(Embeddings(np.eye(4), [0, 0, 1, 1]), ["h_score", "lfc"])["seconds"]
    assert seconds["statistics"] >= 0.05 > max(seconds["h_score"], seconds["lfc"])


PLUGIN = (
    "from scorers import scorer\n\n@scorer(needs={'image'}, cite='me')\ndef mine(e):\n    'Mine.'\n    return e.d\n"
)


def test_files_of_a_folder_are_scorers_and_broken_ones_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "dropped"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "mine.py").write_text(PLUGIN)
    (folder / "broken.py").write_text("import nothing_of_this_name")
    (folder / "wrong.py").write_text("def (")
    (folder / "again.py").write_text(PLUGIN)
    (folder / "leaves.py").write_text("import sys\nsys.exit(0)")
    monkeypatch.syspath_prepend(tmp_path)
    discovered = discover(folder, "dropped", entry_points=False)
    assert discovered.scorers["mine"](IMAGE) == 4
    assert discovered.failures["broken"].startswith("cannot be imported: ModuleNotFoundError")
    assert "SyntaxError" in discovered.failures["wrong"]
    assert discovered.failures["leaves"] == "cannot be imported: SystemExit: 0"
    assert any("has the name of another" in reason for reason in discovered.failures.values())


def test_a_new_file_is_discovered_and_can_import_other_scorers_by_name(tmp_path: Path) -> None:
    root = Path(scorers.__file__).parent
    shutil.copytree(root, tmp_path / "scorers", ignore=shutil.ignore_patterns("__pycache__"))
    uses = "from scorers import logme, sfda, scorer\n\n@scorer(needs={{'image', 'labels'}})\ndef {0}(e):\n    'Mine.'\n    return logme(e) + sfda(e)\n"
    for name in ("a_first", "z_last"):
        (tmp_path / "scorers" / f"{name}.py").write_text(uses.format(name))
    code = (
        "import numpy as np, scorers\n"
        "e = scorers.Embeddings(np.random.default_rng(0).normal(size=(40, 4)), np.arange(40) % 2)\n"
        "found = scorers.registry().scorers\n"
        "assert found['a_first'](e) == found['z_last'](e) == scorers.logme(e) + scorers.sfda(e)\n"
        "assert not scorers.registry().failures\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_installed_plugins_are_discovered_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_package.py").write_text(PLUGIN + "\nnothing = 1\n")
    info = tmp_path / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[benchmark.scorers]\nmine = my_package:mine\ngone = my_package:gone\nnothing = my_package:nothing\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    discovered = discover(tmp_path / "none", "none")
    assert discovered.scorers["mine"](IMAGE) == 4
    assert "AttributeError" in discovered.failures["gone"]
    assert "is not a scorer" in discovered.failures["nothing"]


def test_a_plugin_is_part_of_all_scorers(tmp_path: Path) -> None:
    (tmp_path / "my_package.py").write_text(
        PLUGIN + "\n@scorer(needs={'image'})\ndef bad(e):\n    return float('nan')\n"
    )
    info = tmp_path / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[benchmark.scorers]\nmine = my_package:mine\nbad = my_package:bad\ngone = my_package:gone\n"
    )
    np.savez(tmp_path / "e.npz", image=np.eye(4), labels=[0, 0, 1, 1])
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", "score", "e.npz", "--scorers", "all", "--format", "json"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    result = json.loads(done.stdout)
    assert result["scores"]["mine"] == 4
    assert result["abstained"]["bad"] == "the score is nan"
    assert result["scores"]["h_score"] is not None
    assert "scorer 'gone' cannot be loaded" in done.stderr
