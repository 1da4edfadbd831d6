"""Discovery of plugins: objects that this package and installed packages declare as entry points.

Scorers, techniques, sources and image towers each have an entry-point group. An object behind an entry point declares its own
options and a one-line description.
"""

from collections.abc import Mapping
from importlib import metadata
from typing import TypeVar

from benchmark.errors import first_line

T = TypeVar("T")


class Plugins(dict[str, T]):
    """The plugins of one group, name to object.

    failures: for each plugin that is not available, its name and the reason, in one line.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failures: dict[str, str] = {}


def load_plugins(
    group: str, kind: type[T], built_in: Mapping[str, str] | None = None, *, only: str | None = None
) -> Plugins[T]:
    """Load the plugins of an entry-point group. A broken plugin never raises: it is reported in `failures`.

    kind: the type that each object must have.  built_in: the plugins of this package, name to `module:attribute` as in an entry
    point; they come first, so that no installed package can replace them.  only: load the plugin of this name alone.
    """
    # built-in plugins take the same path as installed ones
    built_in_points = [metadata.EntryPoint(name, value, group) for name, value in (built_in or {}).items()]
    points: dict[str, metadata.EntryPoint] = {}
    plugins: Plugins[T] = Plugins()
    # reading the entry points of all packages takes ten milliseconds, which a built-in plugin by its name does not need
    installed = [] if only in (built_in or {}) else metadata.entry_points(group=group)
    for point in [*built_in_points, *installed]:
        # a package that is installed twice repeats its entry points, which is harmless
        first = points.setdefault(point.name, point)
        if first.value != point.value:
            plugins.failures[f"{point.name} ({point.value})"] = (
                f"{point.value} has the same name as {first.value}; rename it"
            )
    for name, point in points.items():
        # other plugins may import large packages
        if only is not None and name != only:
            continue
        try:
            plugin = point.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # importing a module can raise anything, SystemExit too
            plugins.failures[name] = (
                f"could not be loaded from {point.value}: {type(error).__name__}: {first_line(error)}; "
                "fix or uninstall its package"
            )
            continue
        if isinstance(plugin, kind):
            plugins[name] = plugin
        else:
            plugins.failures[name] = (
                f"{point.value} is not a {kind.__module__}.{kind.__qualname__}; fix or uninstall its package"
            )
    return plugins
