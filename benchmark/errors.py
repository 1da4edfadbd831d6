"""Errors that are not bugs. Each message is one line: what is wrong, where, and how to fix it.

BenchmarkError              the command ends with exit code 1
├── UsageError              an unknown command, option or name; exit code 2
└── InputError              a file that cannot be used as it is
    ├── CardError           a task card
    ├── SuiteError          a suite file
    └── LedgerError         a ledger of measured runs

Messages are for people. What code needs to know is in the attributes of the exception.
"""

import difflib
import re
from collections.abc import Iterable

# characters that a terminal may take for a command; tab and line end are none
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class BenchmarkError(Exception):
    """An error that the user can fix.

    problem: what is wrong, and where.  remedy: how to fix it, or "".  The message is `problem; remedy`.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        # a question mark already ends its sentence
        separator = " " if problem.endswith("?") else "; "
        # a name or a value from a file may contain a line end
        problem, remedy = ("\\n".join(text.splitlines()) for text in (problem, remedy))
        # one argument only: exceptions are rebuilt from `args` when a worker process returns them
        super().__init__(f"{problem}{separator}{remedy}" if remedy else problem)
        self.problem, self.remedy = problem, remedy


class UsageError(BenchmarkError):
    """An unknown command, option or name.

    suggestions: the closest known names, best first.
    """

    def __init__(self, problem: str, remedy: str = "", suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(problem, remedy)
        self.suggestions = suggestions


class InputError(BenchmarkError):
    """A file that cannot be used as it is."""


class CardError(InputError):
    """A task card with a missing or invalid field."""


class SuiteError(InputError):
    """A suite file with a missing or invalid field."""


class LedgerError(InputError):
    """A ledger that does not belong to the suite, or is corrupt."""


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, or its type if the message is empty."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def unknown_name(kind: str, name: str, known_names: Iterable[str]) -> UsageError:
    """The error for an unknown model, task, scorer, ...; it suggests the closest known names.

    Its `problem` names the suggestions, or the first known names if none is close; its `remedy` is the command that lists all names.
    """
    names = sorted(known_names)
    # 0.5 suggests transposed and missing letters, but no unrelated names
    suggestions = tuple(difflib.get_close_matches(name, names, n=3, cutoff=0.5))
    hint = (
        f"did you mean {' or '.join(suggestions)}?"
        if suggestions
        else f"known: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}"
    )
    return UsageError(f"unknown {kind} '{name}': {hint}", f"`python -m benchmark list {kind}s` shows all", suggestions)
