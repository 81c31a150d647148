"""Resolve scalars by the YAML 1.2 core schema (https://yaml.org/spec/1.2.2/#103-core-schema)."""

from __future__ import annotations

import math
import re

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

MAX_DIGITS = 100

Scalar = str | int | float | bool | None


class BadNumberError(ValueError):
    """Raised for a number that is not finite or too long."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def resolve_scalar(text: str, *, plain: bool) -> Scalar:
    """Return the value of a scalar: ``1e-3`` is a number, ``no`` is a string.

    Raises:
        BadNumberError: for infinity, not-a-number, or a number with too many digits.
    """
    if not plain:
        return text
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if text[0] not in "+-.0123456789":
        return text
    return _number(text)


def _number(text: str) -> Scalar:
    if _NOT_FINITE.fullmatch(text):
        raise BadNumberError(f"{text} is not a finite number", "write a finite number")
    integer = _INT.fullmatch(text) or _OCTAL.fullmatch(text) or _HEX.fullmatch(text)
    if not integer and not _FLOAT.fullmatch(text):
        return text
    if len(text) > MAX_DIGITS:
        raise BadNumberError(f"this number has {len(text):,} digits", "write a shorter number")
    if integer:
        return int(text) if _INT.fullmatch(text) else int(text, 0)
    value = float(text)
    if math.isinf(value):
        raise BadNumberError(f"{text} is too large for a number", "write a smaller number")
    return value
