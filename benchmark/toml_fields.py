"""TOML files with every field checked: a missing, unknown or mistyped field is reported in one line with the file and the field."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from benchmark.errors import CONTROL, InputError, first_line
from leaderboard.regular_files import TEXT_BYTES, read_text

T = TypeVar("T")
_TYPE_NAMES = {
    # as a user who writes TOML reads them
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


def read_toml(path: Path, error: type[InputError]) -> dict[str, Any]:
    """The content of a TOML file; raises `error` if it is missing, unreadable or not valid TOML."""
    try:
        return tomllib.loads(read_text(path, TEXT_BYTES))
    except FileNotFoundError:
        raise error(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise error(f"{path}: cannot be read ({problem})") from None
    # deep nesting and integers of thousands of digits are beyond the parser
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as problem:
        raise error(f"{path}: not valid TOML: {first_line(problem)}") from None


class Fields:
    """One table of a TOML file. Take the fields one by one, then call `finish()`, which reports fields that nobody took.

    where: the file, and the table inside it, as messages name them.  error: the exception that is raised for an invalid field.
    """

    def __init__(self, where: str, table: Mapping[str, Any], error: type[InputError]) -> None:
        self.where, self.error = where, error
        # a copy, since `take` removes the fields it returns
        self._remaining = dict(table)

    def invalid(self, field: str, problem: str) -> InputError:
        """The error for a field; the caller raises it."""
        return self.error(f"{self.where}: field '{field}' {problem}")

    def take(self, field: str, kind: type[T], default: T | None = None) -> T:
        """The value of a field. Without a default the field is required."""
        if field not in self._remaining:
            if default is None:
                raise self.invalid(field, f"is missing; add {_TYPE_NAMES[kind]}")
            return default
        value = self._remaining.pop(field)
        if kind is float and type(value) is int:  # TOML writes 1.0 as 1, too
            value = float(value)
        if type(value) is not kind:  # not isinstance, since True is an int
            raise self.invalid(field, f"should be {_TYPE_NAMES[kind]}, found {value!r}")
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and CONTROL.search(text):
                raise self.invalid(field, f"contains a control character ({text!a})")
        return value

    def take_any(self, field: str, *kinds: type) -> Any:
        """The value of a required field that may have one of several types; the error names the first."""
        if field in self._remaining and type(self._remaining[field]) in kinds:
            return self._remaining.pop(field)
        return self.take(field, kinds[0])

    def take_strings(self, field: str, *, minimum: int = 1, default: list[str] | None = None) -> list[str]:
        """A list of at least `minimum` distinct strings, none of them blank."""
        if field not in self._remaining and default is not None:
            return default
        values = self.take(field, list)
        for i, value in enumerate(values):
            if type(value) is not str or not value.strip():
                raise self.invalid(field, f"should contain non-blank strings, but entry {i + 1} is {value!r}")
        if len(values) < minimum:
            raise self.invalid(field, f"needs at least {minimum} entries, found {len(values)}")
        # duplicate classes, tasks or models would be counted twice
        if len(set(values)) < len(values):
            duplicate = next(v for v in values if values.count(v) > 1)
            raise self.invalid(field, f"contains '{duplicate}' twice")
        return values

    def has(self, field: str) -> bool:
        return field in self._remaining

    def take_all(self) -> dict[str, Any]:
        """All remaining fields, unchecked."""
        remaining, self._remaining = self._remaining, {}
        return remaining

    def finish(self) -> None:
        if self._remaining:
            raise self.invalid(next(iter(self._remaining)), "is unknown; remove it or correct its spelling")
