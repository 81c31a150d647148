"""Dtypes and dtype policies by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMPUTE_DTYPES: Mapping[str, str] = {
    "float32": "float32",
    "float64": "float64",
    "mixed_float16": "float16",
    "mixed_bfloat16": "bfloat16",
}
"""What a layer of each Keras dtype policy computes in, and so what it returns."""


def compute_dtype(policy: str) -> str:
    """The dtype that a layer of `policy` computes in."""
    return COMPUTE_DTYPES[policy]


def full_dtype(policy: str) -> str:
    """The dtype of numbers that a layer of `policy` is given from outside, and that no layer made.

    A mixed policy rounds them where they are used: what they are is known in float32.
    """
    return "float64" if policy == "float64" else "float32"


def is_half(dtype: str) -> bool:
    """Whether `dtype` holds real numbers of 16 bits."""
    return dtype in {"float16", "bfloat16"}


def is_float(dtype: str) -> bool:
    """Whether `dtype` holds real numbers."""
    return dtype in {"float16", "bfloat16", "float32", "float64"}


def promoted(dtypes: Sequence[str]) -> str:
    """The float dtype that a mix of float dtypes gives, as in ``keras.ops.concatenate``."""
    distinct = set(dtypes)
    if len(distinct) == 1:
        return dtypes[0]
    return "float64" if "float64" in distinct else "float32"
