"""The page in a real browser, opened from disk: controls work, names are text, and there are no serious accessibility violations."""

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from leaderboard import baselines, ledger_table, make_board, provenance, score_table, summarise_ledger
from leaderboard.output.detail_pages import ScorerDescription, TaskDescription
from leaderboard.output.page import lead, write_page

EVIL = "<img src=x onerror=\"document.body.dataset.hit='yes'\">"
MODELS, TASKS = [f"m{i}" for i in range(6)], [*(f"t{j}" for j in range(8)), "</script><b>t"]
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
AXE = Path("node_modules") / "axe-core" / "axe.min.js"
BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
DRIVER = shutil.which("chromedriver")

browser = pytest.mark.skipif(
    not (BROWSER and DRIVER and find_spec("selenium") and find_spec("axe_selenium_python")),
    reason="needs Chromium with its driver (Debian: apt-get install chromium chromium-driver), selenium and axe-selenium-python",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    before, hidden = rng.uniform(0.1, 0.6, (2, 6, 9))
    rows = []
    for k, technique in enumerate(("full", "lora")):
        for i, model in enumerate(MODELS):
            for j, task in enumerate(TASKS):
                for seed in (0, 1):
                    after = before[i, j] + 0.4 * hidden[i, j] + 0.01 * rng.normal() - 0.05 * k
                    rows.append((model, technique, seed, task, task, before[i, j], min(1, max(0, after))))
                    rows.append((model, technique, seed, task, TASKS[j - 1], 0.9, 0.9 - 0.1 * hidden[i, j]))
    m = summarise_ledger(ledger_table(rows))
    scores = []
    for name, value in (("knows", hidden), (EVIL, rng.normal(size=(6, 9))), ("constant", np.ones((6, 9)))):
        scores += [
            {"scorer": name, "model": a, "task": b, "score": float(value[i, j])}
            for i, a in enumerate(MODELS)
            for j, b in enumerate(TASKS)
        ]
    scores = pl.concat([baselines(m), score_table(scores)])
    board = make_board(scores, m, permutations=99, suite="<i>suite</i>")
    out = tmp_path_factory.mktemp("page")
    descriptions = {
        "knows": ScorerDescription("Knows.", "Knows.\n\nx < y & z.", "a higher score means more gain", "@misc{knows}")
    }
    write_page(
        out,
        board,
        scores,
        m,
        provenance=provenance(f"python -m benchmark {EVIL}"),
        scorers=descriptions,
        tasks={"t0": TaskDescription("First", ["a", "b"], ["a {c}"], "here", [("a", PNG)])},
    )
    first, second = lead(board).split("]. ")
    assert first.startswith("Under full, knows correlates best with gain over tasks: r .")
    assert second == "1 of 2 scores are informative about the gain beyond the accuracy before: knows."
    return out


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = str(BROWSER)
    flags = ("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking")
    for flag in (*flags, "disable-component-update", "disable-sync", "window-size=1200,1600"):
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def open_page(chrome: Any, path: Path) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    chrome.get(path.as_uri())
    if path.name == "index.html":
        WebDriverWait(chrome, 30).until(lambda d: d.execute_script("return document.body.dataset.ready") == "yes")


def column(chrome: Any, number: int) -> list[str]:
    return chrome.execute_script(
        f"return [...document.querySelectorAll('#board tbody tr')].map(r => r.cells[{number}].innerText)"
    )


def select(chrome: Any, control: str, option: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(chrome.find_element("id", control)).select_by_visible_text(option)


@browser
def test_the_table_can_be_sorted_filtered_and_switched(folder: Path, chrome: Any) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    open_page(chrome, folder / "index.html")
    assert set(column(chrome, 0)) == {"knows", EVIL, "constant", "headroom", "static_rank"}
    assert column(chrome, 0)[0] == "knows"
    head = chrome.find_element("css selector", "#board thead th")
    names = sorted(column(chrome, 0))
    for order in (names, names[::-1]):
        head.click()
        WebDriverWait(chrome, 10).until(lambda d, order=order: column(d, 0) == order)
    box = chrome.find_element("css selector", "input[type=search]")
    box.send_keys("know")
    assert column(chrome, 0) == ["knows"]
    full = column(chrome, 1)
    select(chrome, "technique", "lora")
    select(chrome, "target", "accuracy")
    select(chrome, "axis", "over models")
    assert "accuracy" in chrome.find_element("id", "caption").text.lower()
    assert column(chrome, 1) != full
    select(chrome, "measure", "regret@1")
    assert column(chrome, 1)[0].startswith((".", "0"))
    select(chrome, "measure", "slope")
    assert len(column(chrome, 0)) == 1


@browser
def test_the_plots_show_every_point_of_a_scorer_selected_by_keyboard(folder: Path, chrome: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    open_page(chrome, folder / "index.html")
    chrome.find_element("css selector", "button[aria-label='plot knows']").send_keys(Keys.ENTER)
    assert chrome.find_element("id", "scatter-title").text == "knows against the measurements under full"
    for place in ("gain-plot", "forgetting-plot"):
        points = chrome.execute_script(f"return document.querySelectorAll('#{place} .scatterlayer .point').length")
        assert points == 6 * 9
    hover = chrome.execute_script("return document.getElementById('gain-plot').data.at(-1).text[1]")
    assert hover == "t0, m5"
    assert "r over tasks" in chrome.find_element("id", "scatter-words").text


@browser
@pytest.mark.parametrize("width", [1200, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_errors_or_serious_accessibility_violations(
    folder: Path, chrome: Any, scheme: str, width: int
) -> None:
    import axe_selenium_python

    axe = (Path(axe_selenium_python.__file__).parent / AXE).read_text(encoding="utf-8")
    chrome.set_window_size(width, 1200)
    chrome.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    inner = folder / "page"
    pages = [folder / "index.html", *sorted((inner / "scorers").iterdir()), inner / "tasks" / "t0.html"]
    assert len(pages) == 7
    for path in pages:
        open_page(chrome, path)
        assert [entry for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"] == []
        assert chrome.execute_script("return document.body.dataset.hit") is None
        assert chrome.execute_script("return document.querySelectorAll('b, i, script:not([src])').length") == 0
        assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
        chrome.execute_script(axe)
        violations = chrome.execute_async_script("axe.run().then(arguments[0])")["violations"]
        assert [(v["id"], v["nodes"][0]["html"]) for v in violations if v["impact"] in ("serious", "critical")] == []


@browser
def test_every_scorer_and_task_has_a_page_that_is_linked(folder: Path, chrome: Any) -> None:
    open_page(chrome, folder / "index.html")
    links = chrome.execute_script(
        "return [...document.querySelectorAll('main a')].map(a => decodeURI(new URL(a.href).pathname))"
    )
    assert len(set(links)) == 5 + 9
    assert all(Path(link).is_file() for link in links)


def test_the_page_needs_no_network(folder: Path) -> None:
    for path in [folder / "index.html", *(folder / "page").glob("*/*.html")]:
        text = path.read_text(encoding="utf-8")
        assert "http://" not in text
        assert "https://" not in text
        assert "<b>t" not in text
    assert "x &lt; y &amp; z." in (folder / "page" / "scorers" / "knows.html").read_text(encoding="utf-8")
