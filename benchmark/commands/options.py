"""Options that several commands share, and the objects that commands build from them."""

import argparse
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.embedding.cache import Cache
    from benchmark.suites.suite import Suite

logger = logging.getLogger("benchmark")
TABLE_FORMATS = ("text", "md", "csv", "json")
BOARD_FORMATS = (*TABLE_FORMATS, "latex", "html")


def add_general(parser: argparse.ArgumentParser) -> None:
    """The options of every command."""
    group = parser.add_argument_group("general options")
    group.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="cache of embeddings, scores and boards (default: $BENCHMARK_CACHE, else a folder in the user's cache)",
    )
    group.add_argument("--quiet", action="store_true", help="print only warnings and errors to stderr, no progress")
    group.add_argument("--debug", action="store_true", help="print more to stderr, and the traceback of an error")


def add_data(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder of the data sets (default: $BENCHMARK_DATA, else a folder in the user's cache)",
    )


def add_suite(parser: argparse.ArgumentParser, techniques: bool = False) -> None:
    """The suite and the part of it to work on. techniques: also allow to select techniques."""
    group = parser.add_argument_group("suite options")
    group.add_argument(
        "--suite",
        default="pocket",
        metavar="SUITE",
        help="name of a suite, or path of its .toml file (default: pocket)",
    )
    group.add_argument("--models", type=names, metavar="A,B", help="models of the suite to use (default: all)")
    group.add_argument("--tasks", type=names, metavar="A,B", help="tasks of the suite to use (default: all)")
    if techniques:
        group.add_argument(
            "--techniques",
            "--technique",
            type=names,
            metavar="A,B",
            help="techniques of the suite to use (default: all)",
        )
    group.add_argument(
        "--source",
        metavar="KIND",
        help="kind of source to read tasks from, if they declare it (default: the first whose files are on this machine)",
    )
    add_data(group)


def add_scorers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scorers", type=names, metavar="A,B|all", help="scorers to compute (default: all)")
    parser.add_argument(
        "--scorer-timeout",
        type=positive_integer,
        metavar="SECONDS",
        help="limit for one scorer of another package on one model and task; above it the scorer abstains (default: 600)",
    )


def add_execution(
    parser: argparse.ArgumentParser, device: bool = True, precision: bool = True, jobs: bool = True
) -> None:
    """Where and how to compute."""
    group = parser.add_argument_group("execution options")
    if device:
        group.add_argument(
            "--device",
            default="",
            metavar="NAME",
            help="cpu, cuda, cuda:1 or mps (default: the accelerator if there is one, else cpu)",
        )
    if precision:
        group.add_argument(
            "--precision",
            choices=["fp32", "bf16", "fp16"],
            default="fp32",
            help="floating-point format of the forward pass (default: fp32)",
        )
    if jobs:
        group.add_argument(
            "--jobs",
            type=positive_integer,
            # cpu_count is None where the system does not tell
            default=os.cpu_count() or 1,
            metavar="N",
            help="number of processes (default: one per core)",
        )


def add_output(parser: argparse.ArgumentParser, formats: Iterable[str] = (), figures: bool = False) -> None:
    """Where results are written, and how they are printed."""
    group = parser.add_argument_group("output options")
    group.add_argument("--out", type=Path, metavar="DIR", help="folder for result files (default: results/SUITE)")
    if formats:
        group.add_argument(
            "--format", choices=list(formats), default="text", help="format of the printed result (default: text)"
        )
    if figures:
        group.add_argument("--figures", action="store_true", help="also draw figures for papers, as SVG and PNG")


def names(text: str) -> list[str]:
    """Names separated by commas, for `type=`."""
    result = [name.strip() for name in text.split(",") if name.strip()]
    if not result:
        raise argparse.ArgumentTypeError(f"'{text}' contains no name; give names separated by commas")
    return result


def positive_integer(text: str) -> int:
    """An integer of at least 1, for `type=`."""
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive integer")
    return int(text)


def load_suites(args: argparse.Namespace) -> "tuple[Suite, Suite]":
    """The full suite of `--suite`, and the selected part of it; both with the selected device and precision."""
    from benchmark.suites import suite

    # a command without these options computes in the default device and precision
    device, precision = getattr(args, "device", ""), getattr(args, "precision", "fp32")
    full = suite.load(args.suite, args.source)
    part = full.subset(args.models, args.tasks, getattr(args, "techniques", None))
    return full.on_device(device, precision), part.on_device(device, precision)


def load_suite(args: argparse.Namespace) -> "Suite":
    """The selected part of the suite of `--suite`."""
    return load_suites(args)[1]


def open_cache(args: argparse.Namespace) -> "Cache":
    from benchmark.embedding.cache import Cache

    return Cache(args.cache)


def output_folder(args: argparse.Namespace, suite: "Suite") -> Path:
    return args.out or Path("results") / suite.name


def log_written(paths: Iterable[Path]) -> None:
    logger.info("written: %s", ", ".join(str(path) for path in paths))


def print_board(args: argparse.Namespace, board: Any) -> None:
    """Print a board in the format of `--format`, with the command line that computes it again."""
    import leaderboard

    print(leaderboard.render(board, args.format, provenance=leaderboard.provenance(args.command_line)), end="")
