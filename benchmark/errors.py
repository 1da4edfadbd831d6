"""Everything that can go wrong and is not a bug. Each message is one line: what, where, how to mend.

BenchmarkError              the command ends with exit code 1
├── UsageError              it was asked for something that there is not; exit code 2
└── InputError              a file cannot be used as it stands
    ├── CardError           a task's card
    ├── SuiteError          a suite file
    └── LedgerError         a ledger of measured runs
"""

import difflib
from collections.abc import Iterable


class BenchmarkError(Exception):
    """An error that the user can mend."""


class UsageError(BenchmarkError):
    """A command, option or name that does not exist."""


class InputError(BenchmarkError):
    """A file that cannot be used."""


class CardError(InputError):
    """A task's card with a missing or wrong field."""


class SuiteError(InputError):
    """A suite file with a missing or wrong field."""


class LedgerError(InputError):
    """A ledger that does not belong to the suite, or is damaged."""


def first_line(problem: BaseException) -> str:
    """What somebody else's error says, in one line; its kind where it says nothing."""
    return str(problem).splitlines()[0] if str(problem) else type(problem).__name__


def unknown_name(what: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that is not known, with the nearest ones."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = (
        f"did you mean {' or '.join(near)}?"
        if near
        else f"known: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}"
    )
    return UsageError(f"unknown {what} '{name}': {hint} (`python -m benchmark list {what}s` shows all)")
