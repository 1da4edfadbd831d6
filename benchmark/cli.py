"""The command line: builds the parser from the command modules, runs one command, and turns errors into exit codes.

Results go to stdout; progress, warnings and errors to stderr.
"""

import argparse
import io
import logging
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from types import ModuleType

from benchmark import __version__
from benchmark.commands import (
    cache,
    check_scorer,
    cite,
    embed,
    fetch,
    measure,
    new_card,
    new_scorer,
    options,
    predict,
    pretrain,
    rank,
    recommend,
    run,
    score,
)
from benchmark.commands import (
    list as list_,
)
from benchmark.errors import CONTROL, BenchmarkError, UsageError, first_line

PROGRAM = "python -m benchmark"
# in the order of `--help`: the pipeline, what is built on it, then tools
COMMANDS: dict[str, ModuleType] = {
    "run": run,
    "fetch": fetch,
    "embed": embed,
    "measure": measure,
    "score": score,
    "rank": rank,
    "predict": predict,
    "recommend": recommend,
    "cite": cite,
    "list": list_,
    "cache": cache,
    "new-card": new_card,
    "new-scorer": new_scorer,
    "check-scorer": check_scorer,
    "pretrain": pretrain,
}
OVERVIEW = """\
examples:
  python -m benchmark run --scorers all              embed, score and rank; print the board
  python -m benchmark run --scorers iimm,logme --models clip-things,clip-signs
  python -m benchmark score my_embeddings.npz --format json
  python -m benchmark measure --dry-run              how much fine-tuning is left to do
  python -m benchmark recommend my_images            which model and technique for a folder of images
  python -m benchmark list scorers
  python -m benchmark list tasks --health            can the suite distinguish scores?
"""
INTERRUPTED = 130  # the exit code that shells give to Control-C


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line, with one subparser per command."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Which transferability score predicts the effect of fine-tuning?",
        epilog=OVERVIEW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(dest="command", metavar="command", required=True)
    for name, command in COMMANDS.items():
        examples = "\n".join(f"  {PROGRAM} {example}" for example in command.EXAMPLES)
        subparser = subparsers.add_parser(
            name,
            help=command.HELP,
            description=command.HELP,
            epilog=f"{'examples' if len(command.EXAMPLES) > 1 else 'example'}:\n{examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(subparser)
        options.add_general(subparser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 1 for a failure, 2 for wrong usage, 130 when interrupted."""
    for stream in (sys.stdout, sys.stderr):
        # a terminal without Unicode gets escapes, not an error
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # a closed stream is None
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    args = build_parser().parse_args(argv)
    args.command_line = shlex.join([*PROGRAM.split(), *(sys.argv[1:] if argv is None else argv)])
    configure_logging(quiet=args.quiet, debug=args.debug)
    if getattr(args, "data", None):
        os.environ["BENCHMARK_DATA"] = str(args.data.resolve())  # workers read it too
    if getattr(args, "scorer_timeout", None):
        os.environ["BENCHMARK_SCORER_TIMEOUT"] = str(args.scorer_timeout)  # and this
    try:
        COMMANDS[args.command].run(args)
        sys.stdout.flush()
        return 0
    except KeyboardInterrupt:
        print("interrupted; the same command continues from here", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # the reader of stdout has closed it, as `head` does; nothing more can be printed there
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if args.debug:
            raise
        print(printable(f"error: {error}" if _is_reported(error) else _unexpected(error)), file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except SystemExit as error:  # of a plugin: nothing here ends the process
        print(f"error: a plugin called sys.exit({error.code!r}); --debug shows where", file=sys.stderr)
        if args.debug:
            traceback.print_exc()
        return 1


def _is_reported(error: Exception) -> bool:
    """Whether an error is one that a user can fix: its message is one line, and a traceback would add nothing."""
    if isinstance(error, BenchmarkError | OSError):
        return True
    # imported here, since they load numpy
    from leaderboard import LeaderboardError
    from scorers import Abstain, EmbeddingsError

    return isinstance(error, LeaderboardError | EmbeddingsError | Abstain)


def _unexpected(error: Exception) -> str:
    """An error that no part of the program expected, as one line."""
    return f"error: {type(error).__name__}: {first_line(error)}; this may be a bug: please report it with the output of --debug"


def printable(text: str) -> str:
    """The text with escapes in place of control characters, which names of files can contain and a terminal would obey."""
    return CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


class _Printable(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def configure_logging(*, quiet: bool, debug: bool) -> None:
    """Print the messages of the logger `benchmark` to stderr as they are; replaces the handler of an earlier call."""
    logger = logging.getLogger("benchmark")
    handler = logging.StreamHandler()  # of the present sys.stderr
    handler.setFormatter(_Printable("%(message)s"))
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG if debug else logging.WARNING if quiet else logging.INFO)
