"""Checks of the state in a checkpoint, which may come from anywhere or be edited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from lstmgraph.training.callbacks import STATES, WEIGHT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

COUNT: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 2**53}
BEST: dict[str, Any] = {"type": ["number", "null"]}
TEXTS = ("recipe", "data", "validation", "weights")
"""The texts of an identity; one without ``weights`` was written before there were any."""


def _record(properties: Mapping[str, Any], *optional: str) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    own = {"type": "object", "additionalProperties": False, "required": required}
    return {**own, "properties": dict(properties)}


STATE = Draft202012Validator(
    _record(
        {
            "version": COUNT,
            "identity": _record(
                {
                    **{name: {"type": "string"} for name in TEXTS},
                    "seed": {"type": "integer", "minimum": 0, "maximum": 2**128},
                },
                "weights",
            ),
            "rows": {"type": "array", "minItems": 1},
            "callbacks": _record(
                {
                    name: _record({key: BEST if key == "best" else COUNT for key in keys})
                    for name, keys in STATES.items()
                },
                *STATES,
            ),
            "stopped": {"type": "boolean"},
            "compiled": {"type": ["boolean", "null"]},
        },
        "compiled",
    )
)
LONGEST_MESSAGE = 200


class OtherVersionError(ValueError):
    """The state has another version."""


def checked_values(values: Any, version: int) -> dict[str, Any]:
    """Return the checked values of a state, with whole numbers as ``int``.

    Raises:
        OtherVersionError: The state has another version than `version`.
        ValueError: A value is missing or has another type.
    """
    if isinstance(values, dict) and values.get("version", version) != version:
        raise OtherVersionError
    error = best_match(STATE.iter_errors(values))
    if error is not None:
        raise ValueError(f"{error.json_path}: {error.message}"[:LONGEST_MESSAGE])
    return {
        **values,
        "rows": [_row(row, index, values["rows"][0]) for index, row in enumerate(values["rows"])],
        "identity": {**values["identity"], "seed": int(values["identity"]["seed"])},
    }


def _row(row: Any, index: int, first: Any) -> dict[str, float]:
    """Return a checked row; without the schema, which takes seconds for a long training."""
    place = f"$.rows[{index}]"
    if not isinstance(row, dict) or not {"epoch", "loss", "seconds"} <= row.keys():
        raise ValueError(f"{place} is not the row of an epoch")
    if row.keys() != first.keys():
        raise ValueError(f"{place} has other metrics than the first row")
    for name, value in row.items():
        whole = isinstance(value, int) and abs(value) <= COUNT["maximum"]
        if isinstance(value, bool) or not (whole or isinstance(value, float)):
            raise ValueError(
                f"{place} has a value for {name[:LONGEST_MESSAGE]!r} that is not a number"
            )
    if row["epoch"] != index + 1:
        raise ValueError(f"{place} is for epoch {row['epoch']}")
    return {**row, "epoch": index + 1}


def refuse_other_arrays(
    arrays: Mapping[str, np.ndarray],
    unsaved: Mapping[str, np.ndarray],
    weights: Sequence[np.ndarray],
) -> None:
    """Check that the arrays of a checkpoint are those of the model.

    Args:
        arrays: The arrays of the checkpoint.
        unsaved: The model's variables that the checkpoint must hold as arrays.
        weights: The model's weights; a checkpoint holds all or none of the best epoch's.

    Raises:
        ValueError: An array is missing, unexpected, or has another shape or dtype.
    """
    wanted = dict(unsaved)
    if any(name.startswith(WEIGHT) for name in arrays):
        wanted |= {f"{WEIGHT}{number}": weight for number, weight in enumerate(weights)}
    if odd := sorted(wanted.keys() ^ arrays.keys()):
        raise ValueError(f"the arrays belong to another model: {odd[0][:LONGEST_MESSAGE]}")
    for name, array in arrays.items():
        if (array.shape, array.dtype) != (wanted[name].shape, wanted[name].dtype):
            raise ValueError(f"{name} has shape {array.shape} and dtype {array.dtype}")
