"""Dtypes and dtype policies, by name."""

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
"""The compute dtype of each Keras dtype policy, which is also the dtype of outputs."""


def compute_dtype(policy: str) -> str:
    """Return the dtype that a layer with `policy` computes in."""
    return COMPUTE_DTYPES[policy]


def full_dtype(policy: str) -> str:
    """Return the dtype of numbers that come from outside to a layer with `policy`.

    Under a mixed policy these stay float32, and are rounded only where they are used.
    """
    return "float64" if policy == "float64" else "float32"


def is_half(dtype: str) -> bool:
    """Return whether `dtype` is a 16-bit float."""
    return dtype in {"float16", "bfloat16"}


def is_float(dtype: str) -> bool:
    """Return whether `dtype` is a float."""
    return dtype in {"float16", "bfloat16", "float32", "float64"}


def promoted(dtypes: Sequence[str]) -> str:
    """Return the dtype of a mix of float dtypes, as in ``keras.ops.concatenate``."""
    distinct = set(dtypes)
    if len(distinct) == 1:
        return dtypes[0]
    return "float64" if "float64" in distinct else "float32"
