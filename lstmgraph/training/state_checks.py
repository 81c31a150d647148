"""What the state in a checkpoint may hold: the file can come from anywhere, or be edited."""

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


def _record(properties: Mapping[str, Any], *, all_required: bool = True) -> dict[str, Any]:
    required = list(properties) if all_required else []
    own = {"type": "object", "additionalProperties": False, "required": required}
    return {**own, "properties": dict(properties)}


STATE = Draft202012Validator(
    _record(
        {
            "version": COUNT,
            "identity": _record(
                {
                    **{name: {"type": "string"} for name in ("recipe", "data", "validation")},
                    "seed": {"type": "integer", "minimum": 0, "maximum": 2**128},
                }
            ),
            "rows": {"type": "array", "minItems": 1},
            "callbacks": _record(
                {
                    name: _record({key: BEST if key == "best" else COUNT for key in keys})
                    for name, keys in STATES.items()
                },
                all_required=False,
            ),
            "stopped": {"type": "boolean"},
        }
    )
)
LONGEST_MESSAGE = 200


class OtherVersionError(ValueError):
    """A state of another version."""


def checked_values(values: Any, version: int) -> dict[str, Any]:
    """Return the values of a state, whole numbers as such.

    Raises:
        OtherVersionError: they are of another version than `version`.
        ValueError: something is missing, or of another kind.
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
    """A loop of its own: a schema takes seconds for the rows of a long training."""
    place = f"$.rows[{index}]"
    if not isinstance(row, dict) or not {"epoch", "loss", "seconds"} <= row.keys():
        raise ValueError(f"{place} is no row of an epoch")
    if row.keys() != first.keys():
        raise ValueError(f"{place} has other numbers than the row before it")
    for name, value in row.items():
        whole = isinstance(value, int) and abs(value) <= COUNT["maximum"]
        if isinstance(value, bool) or not (whole or isinstance(value, float)):
            raise ValueError(f"{place} has no number as {name[:LONGEST_MESSAGE]!r}")
    if row["epoch"] != index + 1:
        raise ValueError(f"{place} is of epoch {row['epoch']}")
    return {**row, "epoch": index + 1}


def refuse_other_arrays(
    arrays: Mapping[str, np.ndarray],
    unsaved: Mapping[str, np.ndarray],
    weights: Sequence[np.ndarray],
) -> None:
    """Refuse arrays of a checkpoint that are not those of the model.

    Args:
        arrays: those of the checkpoint.
        unsaved: the model's variables that it has to hold.
        weights: the model's weights; of the best epoch's, a checkpoint holds all or none.

    Raises:
        ValueError: one is missing, or has another shape or dtype, or there are others.
    """
    wanted = dict(unsaved)
    if any(name.startswith(WEIGHT) for name in arrays):
        wanted |= {f"{WEIGHT}{number}": weight for number, weight in enumerate(weights)}
    if odd := sorted(wanted.keys() ^ arrays.keys()):
        raise ValueError(f"the arrays are those of another model: {odd[0][:LONGEST_MESSAGE]}")
    for name, array in arrays.items():
        if (array.shape, array.dtype) != (wanted[name].shape, wanted[name].dtype):
            raise ValueError(f"{name} has shape {array.shape} and dtype {array.dtype}")
