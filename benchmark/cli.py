"""The command line. Results go to stdout, progress to stderr; each command imports what it needs when it runs."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.arguments import parser
from benchmark.errors import BenchmarkError, UsageError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 1 for a failure, 2 for wrong usage, 130 when interrupted."""
    args = parser().parse_args(argv)
    args.said = shlex.join(["python", "-m", "benchmark", *(sys.argv[1:] if argv is None else argv)])
    if getattr(args, "data", None):
        os.environ["BENCHMARK_DATA"] = str(args.data.resolve())  # the workers read it too
    try:
        COMMANDS[args.command](args)
        sys.stdout.flush()
        return 0
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where this one stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (BenchmarkError, ValueError, OSError) as problem:
        if args.debug or not _ours(problem):
            raise
        print(f"error: {problem}", file=sys.stderr)
        return 2 if isinstance(problem, UsageError) else 1


def _ours(problem: Exception) -> bool:
    """An error that the user can mend, and not a bug."""
    return isinstance(problem, BenchmarkError | OSError) or type(problem).__module__.split(".")[0] in (
        "scorers",
        "leaderboard",
    )


def _suite(args: argparse.Namespace) -> Any:
    from benchmark import embed, suite

    whole = suite.load(args.suite, args.source)
    part = whole.narrowed(args.models, args.tasks, getattr(args, "techniques", None))
    embed.list_once()
    return part.run_on(getattr(args, "device", ""), getattr(args, "precision", "fp32"))


def _cache(args: argparse.Namespace) -> Any:
    from benchmark.cache import Cache

    return Cache(args.cache)


def _out(args: argparse.Namespace, suite: Any) -> Path:
    return args.out or Path("results") / suite.name


def _say(args: argparse.Namespace, text: str) -> None:
    if not args.quiet:
        print(text, file=sys.stderr)


def _run(args: argparse.Namespace) -> None:
    import leaderboard
    from benchmark import score
    from benchmark.run import run

    suite = _suite(args)
    if args.dry_run:
        from benchmark.plan import plan

        return print(plan(suite, args.scorers, _cache(args)), end="")
    score.say_failures()
    board, paths = run(
        suite, args.scorers, _cache(args), _out(args, suite), args.jobs, args.quiet, args.said, args.figures
    )
    print(leaderboard.render(board, args.format, made=leaderboard.made(args.said)), end="")
    _say(args, f"written: {', '.join(str(path) for path in paths)}")


def _fetch(args: argparse.Namespace) -> None:
    from benchmark.embed import fetch

    fetch(_suite(args), args.quiet)
    _say(args, "fetch: everything is here")


def _embed(args: argparse.Namespace) -> None:
    from benchmark.embed import embed_suite

    made = embed_suite(_suite(args), _cache(args), args.jobs, args.quiet)
    _say(args, f"embed: {made} images encoded" if made else "embed: everything was there")


def _measure(args: argparse.Namespace) -> None:
    from tabulate import tabulate

    from benchmark import measure, suite

    whole, part = suite.load(args.suite, args.source).run_on(args.device, "fp32"), _suite(args)
    root = _cache(args).root
    if args.audit:
        found = measure.audit(whole, part, root, args.jobs, args.audit, args.seed, args.quiet)
        lines = [
            [d.run.model, d.run.technique, d.run.seed, d.run.trained_on, f"{d.in_domain:.4f}", f"{d.elsewhere:.4f}"]
            for d in found
        ]
        print(
            tabulate(
                lines,
                ["model", "technique", "seed", "trained on", "off in-domain", "off elsewhere"],
                disable_numparse=True,
            )
        )
        worst = max(d.in_domain for d in found)
        print(
            f"\n{len(found)} runs repeated: off by {sum(d.in_domain for d in found) / len(found):.4f} in-domain on average, {worst:.4f} at most"
        )
        return
    added = measure.measure(whole, part, root, args.jobs, args.quiet, args.dry_run)
    if not args.dry_run:
        _say(args, f"measure: {added} runs added to {whole.ledger}")


def _score(args: argparse.Namespace) -> None:
    from benchmark import files, score

    score.say_failures()
    if args.file:
        return _score_file(args)
    import json

    from tabulate import tabulate

    from benchmark.embed import embed_suite

    suite, cache = _suite(args), _cache(args)
    embed_suite(suite, cache, args.jobs, args.quiet)
    cells = score.score_suite(suite, args.scorers, cache, args.jobs, args.quiet).cells
    path = _out(args, suite) / "scores.csv"
    files.write(path, score.to_csv(cells))
    score.say_raised(cells)
    if args.format == "json":
        print(json.dumps([vars(cell) for cell in cells], indent=1))
    elif args.format == "text":
        lines = [[c.scorer, c.model, c.task, "–" if c.score is None else f"{c.score:.6g}", c.abstained] for c in cells]
        print(tabulate(lines, ["scorer", "model", "task", "score", "abstained because it"], disable_numparse=True))
    else:
        print(score.to_csv(cells), end="")
    _say(args, f"written: {path}")


def _score_file(args: argparse.Namespace) -> None:
    import csv
    import json

    import scorers
    from benchmark import files
    from benchmark.score import chosen

    functions = chosen(args.scorers)
    result = scorers.score_embeddings(scorers.load_embeddings(args.file), list(functions))
    if args.out:
        files.write(args.out / "scores.json", json.dumps(result, indent=1) + "\n")
        _say(args, f"written: {args.out / 'scores.json'}")
    if args.format == "json":
        print(json.dumps(result, indent=1))
    elif args.format == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["scorer", "score", "abstained"])
        for name, value in result["scores"].items():
            writer.writerow([name, "" if value is None else repr(value), result["abstained"].get(name, "")])
    else:
        from tabulate import tabulate

        lines = [
            [
                name,
                "–" if value is None else f"{value:.6g}",
                f"{result['seconds'][name] * 1000:.1f}",
                result["abstained"].get(name, ""),
            ]
            for name, value in result["scores"].items()
        ]
        print(
            tabulate(
                lines,
                ["scorer", "score", "ms", "abstained because it"],
                disable_numparse=True,
                colalign=("left", "right", "right", "left"),
            )
        )


def _rank(args: argparse.Namespace) -> None:
    import leaderboard
    from benchmark import rank, score

    if args.scores or args.gains:
        return _rank_tables(args)
    suite = _suite(args)
    path = _out(args, suite) / "scores.csv"
    if not path.exists():
        raise UsageError(
            f"{path}: there are no scores yet; `python -m benchmark score --suite {args.suite}` writes them"
        )
    rows = rank.measurements(suite)
    models, tasks = {m.name for m in suite.models}, {t.name for t in suite.tasks}
    cells = [
        score.Cell(s.scorer, s.model, s.task, s.score, seconds=s.seconds or 0.0)
        for s in leaderboard.read_scores(path)
        if not s.technique and s.model in models and s.task in tasks
    ]
    cells += rank.ledger_scores(rows, None)
    board = rank.rank(suite.name, cells, rows, _cache(args))
    if args.check:
        return _check_board(args, board)
    measured = leaderboard.measured(rows)
    table = rank.score_table(cells)
    words = rank.task_words(suite, _cache(args))
    paths = rank.publish(board, _out(args, suite), args.said, table, measured, words, args.figures)
    shown = leaderboard.only(board, args.target, args.axis)
    print(leaderboard.render(shown, args.format, made=leaderboard.made(args.said)), end="")
    _say(args, f"written: {', '.join(str(p) for p in paths)}")


def _check_board(args: argparse.Namespace, board: Any) -> None:
    from benchmark import rank

    found = rank.departures(args.check, board)
    for line in found[:20]:
        print(line)
    if len(found) > 20:
        print(f"and {len(found) - 20} more")
    if found:
        raise BenchmarkError(
            f"{args.check}: does not follow from these scores and measurements ({len(found)} departures)"
        )
    print(
        f"{args.check}: board {board.id} follows from its scores and measurements, {len(board.lines)} numbers compared"
    )


def _rank_tables(args: argparse.Namespace) -> None:
    """Anybody's scores against anybody's measurements; written to a folder only where --out names one."""
    import leaderboard
    from benchmark import rank

    if not (args.scores and args.gains):
        raise UsageError("--scores and --gains belong together: a table of scores, and a table of what was measured")
    board, table, measured, left_out = rank.rank_tables(args.scores, args.gains)
    for line in left_out:
        print(line, file=sys.stderr)
    if args.check:
        return _check_board(args, board)
    shown = leaderboard.only(board, args.target, args.axis)
    print(leaderboard.render(shown, args.format, made=leaderboard.made(args.said)), end="")
    if args.out:
        paths = rank.publish(board, args.out, args.said, table, measured, figures=args.figures)
        _say(args, f"written: {', '.join(str(path) for path in paths)}")


def _cite(args: argparse.Namespace) -> None:
    from benchmark.cite import cite

    print(cite(args.board), end="")


def _predict(args: argparse.Namespace) -> None:
    from benchmark import files, predict, rank, score
    from benchmark.embed import embed_suite

    suite, cache = _suite(args), _cache(args)
    rows = rank.measurements(suite)
    embed_suite(suite, cache, args.jobs, args.quiet)
    cells = score.score_suite(
        suite, predict.scores_for_all_techniques(args.scorers), cache, args.jobs, args.quiet
    ).cells
    found = predict.predict(suite.name, cells, rows)
    paths = [_out(args, suite) / f"predict.{form}" for form in ("md", "csv", "json")]
    for path in paths:
        files.write(path, predict.render(found, path.suffix[1:]))
    print(predict.render(found, args.format), end="")
    _say(args, f"written: {', '.join(str(path) for path in paths)}")


def _recommend(args: argparse.Namespace) -> None:
    from benchmark import cards, files, image_folder, rank, recommend, sources
    from benchmark.embed import embed_suite

    suite, cache = _suite(args), _cache(args)
    rows = rank.measurements(suite)
    skipped: list[str] = []
    if args.path.suffix == ".toml" or (not args.path.exists() and str(args.path) in cards.names()):
        card = sources.settled(cards.load(str(args.path)), args.source)
    else:
        card, skipped = image_folder.card_of(args.path, args.template, args.names)
    embed_suite(suite, cache, args.jobs, args.quiet)
    found = recommend.recommend(suite, rows, card, cache, args.jobs, args.quiet, skipped)
    folder = args.out or Path("results") / "recommend" / card.name
    paths = [folder / f"recommend.{form}" for form in ("md", "csv", "json", "png", "svg")]
    for path in paths[:3]:
        files.write(path, recommend.render(found, path.suffix[1:]))
    for path in paths[3:]:
        recommend.plot(found, path)
    print(recommend.render(found, args.format), end="")
    _say(args, f"written: {', '.join(str(path) for path in paths)}")


def _list(args: argparse.Namespace) -> None:
    from benchmark.listing import show

    show(args, lambda: _suite(args))


def _cache_command(args: argparse.Namespace) -> None:
    from benchmark.listing import show_cache

    show_cache(args, _cache(args))


def _new_card(args: argparse.Namespace) -> None:
    from benchmark.new_card import new_card

    path, counts = new_card(args.path, args.name, args.template, args.out, lambda text: _say(args, text))
    print(path)
    _say(args, f"{counts}; next: name it in a suite's `tasks`, or `python -m benchmark recommend {path}`")


def _new_scorer(args: argparse.Namespace) -> None:
    from benchmark.new_scorer import new_scorer

    for path in new_scorer(args.name, args.package):
        print(path)
    where = f"cd {args.package} && pytest" if args.package else f"pytest tests/scorers/test_{args.name}.py"
    _say(args, f"next: change the formula and its test, then `{where}`")


def _check_scorer(args: argparse.Namespace) -> None:
    import scorers

    outcomes = []
    for outcome in scorers.check_scorer(_scorer(args.name)):
        outcomes.append(outcome)
        if outcome.found:
            print(f"FAILED  {outcome.name}: {outcome.means}, but {outcome.found}; {outcome.mend}")
        else:
            print(f"ok      {outcome.name}: {outcome.means}")
    failed = [outcome.name for outcome in outcomes if outcome.found]
    if failed:
        raise BenchmarkError(f"{len(failed)} of {len(outcomes)} checks failed: {', '.join(failed)}")


def _scorer(name: str) -> Any:
    """A scorer by its name, or by module:function; modules of the working folder count."""
    import importlib

    from benchmark import score

    module, colon, function = name.partition(":")
    if not colon:
        return score.chosen([name])[name]
    sys.path.insert(0, os.getcwd())
    try:
        return getattr(importlib.import_module(module), function)
    except Exception as problem:  # a module may do anything while it is imported
        raise UsageError(f"'{name}' cannot be loaded: {type(problem).__name__}: {problem}") from None


def _pretrain(args: argparse.Namespace) -> None:
    from joblib import delayed

    from benchmark.errors import unknown
    from benchmark.parallel import parallel
    from benchmark.pocket.families import WEIGHTS, WEIGHTS_2
    from benchmark.pocket.pretrain import RECIPES, RECIPES_2, pretrain, write_vocabulary

    recipes, kept = (RECIPES, WEIGHTS) if args.generation == 1 else (RECIPES_2, WEIGHTS_2)
    for name in args.models or ():
        if name not in recipes:
            raise unknown("model", name, recipes)
    write_vocabulary()
    folder = args.out or kept
    wanted = args.models or recipes
    list(parallel((delayed(pretrain)(name, folder / name, recipes[name]) for name in wanted), args.jobs))
    print(f"pretrained models are in {folder}")


COMMANDS = {
    "run": _run,
    "fetch": _fetch,
    "embed": _embed,
    "measure": _measure,
    "score": _score,
    "rank": _rank,
    "predict": _predict,
    "recommend": _recommend,
    "cite": _cite,
    "list": _list,
    "cache": _cache_command,
    "new-card": _new_card,
    "new-scorer": _new_scorer,
    "check-scorer": _check_scorer,
    "pretrain": _pretrain,
}
