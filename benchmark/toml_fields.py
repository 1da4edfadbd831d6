"""Reading TOML with every field checked: what is missing, of a wrong type or unknown is one line naming file and field."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from benchmark.errors import InputError

T = TypeVar("T")
_NAMES = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


def read_toml(path: Path, error: type[InputError]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise error(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise error(f"{path}: cannot be read ({problem})") from None
    except tomllib.TOMLDecodeError as problem:
        raise error(f"{path}: not valid TOML: {problem}") from None


class Fields:
    """One table of a TOML file. Take the fields one by one, then `done()`: a field nobody took is an error."""

    def __init__(self, where: str, table: Mapping[str, Any], error: type[InputError]) -> None:
        self.where, self.error = where, error
        self._left = dict(table)

    def fail(self, field: str, problem: str) -> InputError:
        return self.error(f"{self.where}: field '{field}' {problem}")

    def take(self, field: str, kind: type[T], default: T | None = None) -> T:
        if field not in self._left:
            if default is None:
                raise self.fail(field, f"is missing; add {_NAMES[kind]}")
            return default
        value = self._left.pop(field)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise self.fail(field, f"should be {_NAMES[kind]}, found {value!r}")
        return value

    def has(self, field: str) -> bool:
        return field in self._left

    def either(self, field: str, *kinds: type) -> Any:
        """A field that may be of several types."""
        if field in self._left and type(self._left[field]) in kinds:
            return self._left.pop(field)
        return self.take(field, kinds[0])

    def texts(self, field: str, *, least: int = 1, default: list[str] | None = None) -> list[str]:
        if field not in self._left and default is not None:
            return default
        values = self.take(field, list)
        for i, value in enumerate(values):
            if type(value) is not str or not value.strip():
                raise self.fail(field, f"should hold texts, but entry {i + 1} is {value!r}")
        if len(values) < least:
            raise self.fail(field, f"needs at least {least} entries, found {len(values)}")
        if len(set(values)) < len(values):
            twice = next(v for v in values if values.count(v) > 1)
            raise self.fail(field, f"names '{twice}' twice")
        return values

    def rest(self) -> dict[str, Any]:
        left, self._left = self._left, {}
        return left

    def done(self) -> None:
        if self._left:
            raise self.fail(next(iter(self._left)), "is not known here; remove it or mend its spelling")
