"""Grids of test cases: a sample in every run, all of them with ``LSTMGRAPH_EXAMPLES``."""

from __future__ import annotations

import os
from itertools import product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def sampled(*axes: Iterable[Any], turns: int = 1) -> list[tuple[Any, ...]]:
    """Return combinations with every value of every axis, each of the longest axis `turns` times.

    With ``LSTMGRAPH_EXAMPLES`` these are all combinations.
    """
    values = [list(axis) for axis in axes]
    if "LSTMGRAPH_EXAMPLES" in os.environ:
        return list(product(*values))
    longest = max(map(len, values))
    drawn = (
        tuple(each[(index + turn * place) % len(each)] for place, each in enumerate(values))
        for turn in range(turns)
        for index in range(longest)
    )
    return list(dict.fromkeys(drawn))
