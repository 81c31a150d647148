"""Random recipes' data with searches in it, and every concrete data that they stand for.

``concretes`` knows nothing of dimensions: it multiplies out the data as a reader would.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterable

PLAIN = st.sampled_from([None, True, 1, 1.0, "tanh", [64, 32], {"type": "l2", "l2": 0.1}])


def _int_range(low: int, span: int, step: int | None) -> dict[str, Any]:
    search: dict[str, Any] = {"int": [low, low + span]}
    if step is not None and step <= span:
        search["step"] = step
    return search


RANGES = st.builds(_int_range, st.integers(1, 5), st.integers(0, 3), st.none() | st.integers(1, 3))
CHOICES = st.lists(PLAIN, min_size=1, max_size=3, unique_by=repr).map(lambda c: {"choice": c})
BOOLS = st.booleans().map(lambda value: {"bool": value})
SEARCHES = st.one_of(RANGES, CHOICES, BOOLS).map(lambda search: {"$search": search})


def _chosen(alternatives: list[Any]) -> dict[str, Any]:
    return {"$choose": dict(zip("abc", alternatives, strict=False)), "default": "a"}


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(_chosen),
        st.dictionaries(st.sampled_from(["rate", "kind"]), inner, max_size=2),
        st.lists(inner, max_size=2),
    )


VALUES = st.recursive(st.one_of(PLAIN, SEARCHES, SEARCHES), _nested, max_leaves=3)
DEPTHS = st.one_of(st.integers(1, 2), st.sampled_from([{"int": [1, 3]}, {"choice": [3, 1]}]))
STACKS = st.builds(
    lambda units, depth: {
        "units": {"$search": {**units, "per_layer": True}},
        "depth": depth if isinstance(depth, int) else {"$search": depth},
    },
    st.sampled_from([{"int": [1, 2]}, {"choice": [8, 4]}]),
    DEPTHS,
)
LAYERS = st.one_of(
    st.dictionaries(st.sampled_from(["activation", "rate", "depth"]), VALUES, max_size=2),
    STACKS,
    st.lists(STACKS, min_size=2, max_size=2).map(_chosen),
)
DATA = st.dictionaries(st.sampled_from(["x", "y"]), LAYERS, min_size=1, max_size=2).map(
    lambda layers: {"layers": layers}
)


def concretes(data: Any) -> list[Any]:
    """All data that `data` stands for, one for each way to choose."""
    if isinstance(data, list):
        return [list(items) for items in product(*map(concretes, data))]
    if not isinstance(data, dict):
        return [data]
    if "$choose" in data:
        return [c for alternative in data["$choose"].values() for c in concretes(alternative)]
    if "$search" in data:
        return list(searched_values(data["$search"]))
    units = data.get("units")
    if isinstance(units, dict) and units.get("$search", {}).get("per_layer"):
        values = searched_values(units["$search"])
        depths = concretes(data["depth"])
        return [{"units": list(each)} for depth in depths for each in product(values, repeat=depth)]
    inner = product(*(concretes(value) for value in data.values()))
    return [dict(zip(data, values, strict=True)) for values in inner]


def searched_values(search: dict[str, Any]) -> Iterable[Any]:
    if "int" in search:
        low, high = search["int"]
        return range(low, high + 1, search.get("step", 1))
    return search.get("choice", (False, True))
