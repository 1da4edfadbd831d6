"""Numbers as the tables show them."""

from collections.abc import Mapping
from typing import Any

UNDEFINED = "–"
Estimate = Mapping[
    str, Any
]  # `value`, `low` and `high`: a row of `schemas.ROWS`, or a field of type `schemas.ESTIMATE`


def number(estimate: Estimate | None) -> str:
    """A value with its interval; a value without an interval is not shown."""
    if estimate is None or estimate["value"] is None or estimate["low"] is None or estimate["high"] is None:
        return UNDEFINED
    return f"{short(estimate['value'])} [{short(estimate['low'])}, {short(estimate['high'])}]"


def short(value: float) -> str:
    """Two decimals, without the zero before the point, as papers print correlations."""
    text = f"{value:.2f}"
    # also −0.00
    if float(text) == 0:
        return "0"
    # below 1 only: 10.00 contains "0." too
    if abs(float(text)) < 1:
        text = text.replace("0.", ".", 1)
    # U+2212, the minus sign, not a hyphen
    return text.replace("-", "−")


def short_or_undefined(value: float | None) -> str:
    return UNDEFINED if value is None else short(value)


def marked(estimate: Estimate | None, mark: bool) -> str:
    """A value with its interval, and an asterisk where `mark`."""
    return number(estimate) + "*" * mark


def starred(estimate: Estimate | None) -> str:
    """Marked where the interval excludes zero."""
    return marked(estimate, estimate is not None and excludes_zero(estimate))


def excludes_zero(estimate: Estimate) -> bool:
    low, high = estimate["low"], estimate["high"]
    return low is not None and high is not None and (low > 0 or high < 0)


def p_value(value: float | None) -> str:
    if value is None:
        return UNDEFINED
    return "< .001" if value < 0.001 else f"{value:.3f}".replace("0.", ".", 1)
