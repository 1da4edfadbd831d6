"""Printing data frames as text and Markdown tables."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import polars as pl


def format_table(
    table: pl.DataFrame, form: str = "text", headers: Sequence[str] | None = None, right: Iterable[str] = ()
) -> str:
    """A data frame as a table: one line per row, cells as they are.

    form: "text" or "md".  headers: of the columns (default: their names).  right: the columns of text to align to the right, where
    columns of numbers always are.
    """
    from tabulate import tabulate

    align = [
        "right" if name in set(right) or kind.is_numeric() else "left"
        for name, kind in zip(table.columns, table.dtypes, strict=True)
    ]
    return tabulate(
        table.rows(),
        list(headers or table.columns),
        "pipe" if form == "md" else "simple",
        # cells as they are: tabulate would reformat texts that look like numbers
        disable_numparse=True,
        colalign=align,
    )


def points(value: float, digits: int = 1) -> str:
    """A fraction as points of accuracy: 0.123 is 12.3."""
    return f"{100 * value:.{digits}f}".replace("-", "−")


def text_column(column: str, form: Callable[[float], str], missing: str = "–") -> pl.Expr:
    """A column of numbers as texts; null is `missing`."""
    # map_elements skips null
    return pl.col(column).map_elements(form, return_dtype=pl.String).fill_null(missing)


def null_infinities(value: Any) -> Any:
    """The value with null for numbers that are infinite or NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {key: null_infinities(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [null_infinities(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
