"""Tables of what there is: models, tasks, scorers, techniques, sources, suites, and the entries of the cache."""

import argparse
import importlib.metadata
from collections.abc import Callable
from typing import Any

from tabulate import tabulate

from benchmark import suite as suites
from benchmark.cache import Cache
from benchmark.errors import BenchmarkError
from benchmark.suite import Suite


def show(args: argparse.Namespace, chosen: Callable[[], Suite]) -> None:
    """What `list` was asked for; the suite is read only where it is part of the answer."""
    if args.what == "suites":
        lines = [[name, suites.load(name).description] for name in suites.names()]
        print(tabulate(lines, ["suite", "what it is"]))
    elif args.what == "scorers":
        import scorers
        from benchmark import score

        if args.bibtex:
            print(scorers.bibtex(), end="")
            return
        found = scorers.registry()
        lines = [
            [
                name,
                ", ".join(sorted(f.spec.needs)),
                ", ".join(f"{'+' if sign > 0 else '−'}{t}" for t, sign in f.spec.predicts.items()),
                f.spec.cost,
                f.spec.cite,
                f.spec.summary,
            ]
            for name, f in found.scorers.items()
        ]
        print(tabulate(lines, ["scorer", "needs", "predicts", "cost", "citation", "what it is"]))
        score.say_failures()
    elif args.what == "tasks":
        _tasks(args, chosen())
    elif args.what == "sources":
        from benchmark import sources

        print(tabulate(sorted(sources.known().items()), ["source", "what it is"]))
    elif args.what == "techniques":
        installed = {
            point.name: point.value for point in importlib.metadata.entry_points(group=suites.TECHNIQUES_GROUP)
        }
        known = suites.BUILT_IN | installed
        options = {t.name: t.options for t in chosen().techniques}
        lines = [
            [name, known.get(name, "not known here"), _words(options.get(name, {}))]
            for name in dict.fromkeys([*options, *known])
        ]
        print(tabulate(lines, ["technique", "what it is", f"hyperparameters in {args.suite}"]))
    else:
        print(tabulate([[m.name, m.load] for m in chosen().models], ["model", "loaded as"]))


def _words(options: dict[str, Any]) -> str:
    return ", ".join(f"{k} {v if isinstance(v, str) else f'{v:g}'}" for k, v in options.items())


def _tasks(args: argparse.Namespace, suite: Suite) -> None:
    if not args.health:
        lines = [
            [c.name, c.title, c.group, len(c.classes), "/".join(str(n) for n in c.sizes.values()), c.templates[0]]
            for c in suite.tasks
        ]
        print(tabulate(lines, ["task", "what it shows", "group", "classes", "train/val/test", "prompt"]))
        return
    from benchmark import health, rank

    unmeasured = not suite.published and not suite.ledger.is_dir() and health.places(suite)
    rows = [] if unmeasured else rank.measurements(suite)  # before there is a ledger, there may be geometry
    techniques = sorted({row.technique for row in rows})
    print(
        tabulate(
            health.table(suite, rows),
            [
                "task",
                "what it shows",
                "group",
                "classes",
                "zero-shot",
                "over models",
                *(f"gain, {k}" for k in techniques),
            ],
            disable_numparse=True,
        )
    )
    checks = health.check(suite, rows)
    print(
        "\n"
        + tabulate(
            [[c.what, c.found, c.asked, "yes" if c.holds else "NO"] for c in checks],
            ["health of the suite", "found", "asked", "holds"],
            disable_numparse=True,
        )
    )
    if shares := health.variance(rows):
        print("\nThe gains vary with: " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items()))


def show_cache(args: argparse.Namespace, cache: Cache) -> None:
    entries = list(cache.entries())
    if args.what == "ls":
        lines = [
            [e.path.stem[:12], e.key.get("kind", "damaged"), str(_about(e.key)), f"{e.bytes / 1024:.0f}"]
            for e in entries
        ]
        print(tabulate(lines, ["entry", "kind", "of", "KiB"], disable_numparse=True))
        print(f"\n{len(entries)} files, {sum(e.bytes for e in entries) / 2**20:.1f} MiB in {cache.root}")
    elif args.what == "verify":
        bad = [e for e in entries if not e.sound]
        for e in bad:
            print(f"damaged: {e.path}")
        print(f"{len(entries) - len(bad)} files are sound, {len(bad)} damaged")
        if bad:
            raise BenchmarkError(
                f"{len(bad)} damaged files in {cache.root}; `python -m benchmark cache prune` removes them, and they are made again when needed"
            )
    else:
        gone = [e.path for e in entries if args.all or not e.sound] + cache.leftovers()
        for path in gone:
            path.unlink(missing_ok=True)
        print(f"{len(gone)} files removed from {cache.root}")


def _about(key: dict[str, Any]) -> str:
    images = key.get("images")
    task = key.get("task") or (images.get("task") if isinstance(images, dict) else None) or {}
    if "name" in task:
        return str(task["name"])
    if "suite" in key:
        return str(key["suite"])
    return f"{len(images)} tasks" if isinstance(images, list) else f"{len(key.get('texts', []))} texts"
