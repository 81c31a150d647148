"""What Python programs give in place of a recipe's text, as the plain data that text has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from lstmgraph.language.text.document import MAX_NODES
from lstmgraph.language.text.nodes import MAX_DEPTH
from lstmgraph.messages.wording import shortened
from lstmgraph.root_error import LstmgraphError

MAX_BITS = 4096
"""Of a whole number: Python refuses to write out one that is much longer."""
LONGEST = 60


class PlainDataError(LstmgraphError, ValueError):
    """A value that no recipe can hold, such as a function; the message says where it stands."""


def plain_data(value: Any, name: str = "") -> Any:
    """Return a copy of `value` of dictionaries, lists, texts, numbers, booleans and None alone.

    Tuples become lists, paths become texts, and scalars of NumPy become numbers of Python.

    Args:
        value: what a recipe, or a part of it, is to hold.
        name: where it stands, such as ``layers.encoder.units``.

    Raises:
        PlainDataError: something else is in it, or it is too large, or it holds itself.
    """
    return _Copying().copy(value, name, 0)


class _Copying:
    def __init__(self) -> None:
        self.count = 0

    def copy(self, value: Any, name: str, depth: int) -> Any:
        self.count += 1
        if self.count > MAX_NODES:
            raise PlainDataError(f"a recipe holds at most {MAX_NODES:,} values")
        if depth > MAX_DEPTH:
            raise PlainDataError(
                f"{_where(name)} is nested more than {MAX_DEPTH} deep, or holds itself"
            )
        if isinstance(value, Mapping):
            return {
                _key(key, name): self.copy(item, f"{name}.{key}" if name else str(key), depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.copy(item, f"{name}.{i}", depth + 1) for i, item in enumerate(value)]
        return _scalar(value, name)


def _key(key: Any, name: str) -> str:
    if not isinstance(key, str):
        kind = type(key).__name__
        raise PlainDataError(
            f"{_where(name)} has the key {_shown(key)} of type {kind}: keys are texts"
        )
    return str.__str__(key)


def _scalar(value: Any, name: str) -> Any:
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()  # of NumPy, TensorFlow and JAX
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise PlainDataError(f"{_where(name)} is a number of too many digits")
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    kind = type(value).__name__
    fix = "; write its `.tolist()`" if hasattr(value, "tolist") else ""
    raise PlainDataError(f"{_where(name)} is of type {kind}, which no recipe can hold{fix}")


def _where(name: str) -> str:
    return f"`{_shown(name)}`" if name else "the mapping"


def _shown(value: Any) -> str:
    return shortened(str(value), LONGEST)
