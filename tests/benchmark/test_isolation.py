"""Scorers from other packages: whatever they do, the run goes on, and the others' scores stay as they are."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import scorers
from benchmark.scoring import isolation

HEAD = "import os, sys, threading, time\nimport numpy as np\nfrom scorers import scorer\n"
SCORER = (
    "@scorer(needs={{'image', 'labels'}}, undirected=True, cite='me')\ndef {name}(e):\n    'A score.'\n    {body}\n"
)
BODIES = {
    "good": "return float(e.image.sum())",
    "prints": "print('[1, 2'); return 1.0",
    "exits": "sys.exit(0)",
    "aborts": "os.abort()",
    "loops": "time.sleep(60)",
    "forks": "os.fork() or time.sleep(0.2); return 2.0",
    "threads": "threading.Thread(target=time.sleep, args=(60,)).start(); return 3.0",
    "poisons": "np.asarray(e.image).setflags(write=True); e.image.fill(0); e.statistics.sums.flags.writeable = True; e.statistics.sums.fill(0); return 4.0",
    "hoards": "return float(np.zeros((2_000_000, 1_000_000)).sum())",
    "answers": "os.write(3, b'no JSON\\n'); os.write(4, b'no JSON\\n'); os.write(5, b'no JSON\\n'); return 5.0",
}
EXPECTED = {
    "prints": 1.0,
    "exits": "raised SystemExit: 0",
    "aborts": "its process ended (SIGABRT)",
    "loops": "took longer than 2 s; raise the limit with --scorer-timeout",
    "forks": 2.0,
    "threads": 3.0,
    "poisons": "raised ValueError: cannot set WRITEABLE flag to True",
    "hoards": "raised MemoryError",
    "answers": "its process wrote something that is no result",
}


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an installed package of hostile scorers, one entry point each."""
    text = HEAD + "\n".join(SCORER.format(name=name, body=body) for name, body in BODIES.items())
    (tmp_path / "hostile.py").write_text(text)
    info = tmp_path / "hostile-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile\nVersion: 1.0\n")
    points = "".join(f"{name} = hostile:{name}\n" for name in BODIES)
    (info / "entry_points.txt").write_text(f"[benchmark.scorers]\n{points}")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(isolation.TIMEOUT_VARIABLE, "2")
    monkeypatch.setattr(isolation, "_process", None)
    scorers.registry.cache_clear()
    yield tmp_path
    if isolation._process is not None:
        isolation._stop(isolation._process)
    scorers.registry.cache_clear()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_hostile_scorer_costs_only_its_own_score(
    name: str, plugins: Path, random_embeddings: Callable[..., scorers.Embeddings], capfd: pytest.CaptureFixture[str]
) -> None:
    own = ["h_score", "lfc", "iimm"]
    clean = scorers.score_embeddings(random_embeddings(), own)["scores"]
    e = random_embeddings()
    result = isolation.score(e, [own[0], name, "good", *own[1:]])
    assert list(result["scores"]) == [own[0], name, "good", *own[1:]]
    assert {key: result["scores"][key] for key in own} == clean
    assert result["scores"]["good"] == pytest.approx(float(np.asarray(e.image).sum()))
    expected = EXPECTED[name]
    if isinstance(expected, str):
        assert result["scores"][name] is None
        assert result["abstained"][name].startswith(expected)
        assert "\n" not in result["abstained"][name]
    else:
        assert result["scores"][name] == expected
    assert capfd.readouterr().out == ""  # what a scorer prints goes to stderr


def test_what_a_scorer_started_ends_with_its_process(
    plugins: Path, random_embeddings: Callable[..., scorers.Embeddings]
) -> None:
    isolation.score(random_embeddings(), ["threads", "good", "loops"])
    process = isolation._process
    assert process is None or process.poll() is not None
    assert isolation.score(random_embeddings(), ["good"])["scores"]["good"] is not None


def test_scores_as_json_of_a_file_with_hostile_scorers(plugins: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "e.npz", image=rng.normal(size=(40, 8)), labels=np.arange(40) % 4)
    words = [sys.executable, "-m", "benchmark", "score", str(tmp_path / "e.npz"), "--format", "json"]
    words += ["--scorers", "prints,loops,exits,h_score", "--scorer-timeout", "2", "--quiet"]
    root = str(Path(scorers.__file__).parents[1])
    started = time.monotonic()
    done = subprocess.run(
        words,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(plugins), root])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert time.monotonic() - started < 50
    scores = json.loads(done.stdout)["scores"]
    assert scores["prints"] == 1.0
    assert scores["loops"] is scores["exits"] is None
    assert scores["h_score"] is not None
