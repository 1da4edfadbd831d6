"""Discovery of plugins: built-in and installed ones, and the reports of broken ones; errors keep their attributes between processes."""

import copy
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from benchmark.errors import BenchmarkError, InputError, UsageError, unknown_name
from benchmark.plugins import load_plugins
from benchmark.tasks import cards, sources
from benchmark.tasks.sources import Source, digits, npz

GROUP = "benchmark.sources"
BUILT_IN = {"digits": "benchmark.tasks.sources.digits:SOURCE"}


def install(monkeypatch: pytest.MonkeyPatch, **points: str) -> None:
    """Replace the entry points of installed packages."""
    entry_points = [metadata.EntryPoint(name, value, GROUP) for name, value in points.items()]
    monkeypatch.setattr(metadata, "entry_points", lambda group: [p for p in entry_points if p.group == group])


def test_built_in_and_installed_plugins_are_found_together(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, mine="benchmark.tasks.sources.npz:SOURCE")
    plugins = load_plugins(GROUP, Source, BUILT_IN)
    assert plugins == {"digits": digits.SOURCE, "mine": npz.SOURCE}
    assert plugins.failures == {}
    assert load_plugins(GROUP, Source, BUILT_IN, only="mine") == {"mine": npz.SOURCE}


def test_broken_plugins_are_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    install(
        monkeypatch,
        absent="no_such_module:SOURCE",
        other="pathlib:Path",
        digits="benchmark.tasks.sources.npz:SOURCE",
    )
    plugins = load_plugins(GROUP, Source, BUILT_IN)
    assert plugins == {"digits": digits.SOURCE}  # a package cannot replace a built-in source
    assert set(plugins.failures) == {"absent", "other", "digits (benchmark.tasks.sources.npz:SOURCE)"}
    assert "could not be loaded from no_such_module:SOURCE: ModuleNotFoundError" in plugins.failures["absent"]
    assert "pathlib:Path is not a benchmark.tasks.sources.base.Source" in plugins.failures["other"]
    duplicate = plugins.failures["digits (benchmark.tasks.sources.npz:SOURCE)"]
    assert "has the same name as benchmark.tasks.sources.digits:SOURCE; rename it" in duplicate
    assert not any("\n" in reason for reason in plugins.failures.values())


def test_only_the_requested_plugin_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, absent="no_such_module:SOURCE")
    assert load_plugins(GROUP, Source, BUILT_IN, only="digits").failures == {}


def test_card_of_a_broken_source_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, absent="no_such_module:SOURCE")
    sources._plugins.cache_clear()
    card = replace(cards.load("digits"), kind="absent")
    with pytest.raises(InputError, match="source 'absent' could not be loaded from no_such_module:SOURCE") as caught:
        sources.source_of(card)
    assert "\n" not in str(caught.value)
    assert "could not be loaded" in sources.describe_sources()["absent"]
    sources._plugins.cache_clear()


def test_every_source_has_a_description() -> None:
    descriptions = sources.describe_sources()
    assert {*sources.SOURCES, "pocket"} <= set(descriptions)
    assert all(descriptions.values())


@pytest.mark.parametrize(
    "error",
    [
        InputError(f"{Path('x.toml')}: is corrupt", "remove it"),
        unknown_name("model", "clop", ["clip", "siglip"]),
        UsageError("no remedy"),
    ],
)
def test_error_keeps_its_attributes_when_a_worker_returns_it(error: BenchmarkError) -> None:
    copied = copy.copy(error)  # by the protocol with which exceptions return from other processes
    assert type(copied) is type(error)
    assert (str(copied), vars(copied)) == (str(error), vars(error))
