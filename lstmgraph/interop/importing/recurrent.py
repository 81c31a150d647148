"""What a recurrent layer of a Keras model is: its cells, its directions and its states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.catalogue import RECURRENT_STATES, is_recurrent

if TYPE_CHECKING:
    from collections.abc import Mapping

CELL_STATES = {"LSTMCell": ("h", "c"), "GRUCell": ("h",), "SimpleRNNCell": ("h",)}


@dataclass
class Recurrent:
    """What a recurrent layer is, whether or not it is wrapped in Bidirectional."""

    type: str
    config: Mapping[str, Any]
    merge_mode: str | None = None
    backward: Mapping[str, Any] | None = None
    """The configuration of the backward layer; None for one direction."""

    @property
    def cells(self) -> list[tuple[str, Mapping[str, Any]]]:
        """The class and configuration of each cell of an RNN."""
        return cells_of(self.config) if self.type == "RNN" else []

    @property
    def slots(self) -> tuple[str, ...]:
        """The states in Keras's order, as ports name them: ``h``, ``forward.h``, ``1.h``."""
        if self.type in RECURRENT_STATES:
            own = RECURRENT_STATES[self.type]
        else:
            cells = self.cells
            own = tuple(
                f"{number}.{slot}" if len(cells) > 1 else slot
                for number, (cell, _) in enumerate(cells, start=1)
                for slot in CELL_STATES.get(cell, ())
            )
        if self.backward is None:
            return own
        return tuple(f"{way}.{slot}" for way in ("forward", "backward") for slot in own)


def cells_of(config: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the class and configuration of each cell of an RNN's configuration."""
    cell = config.get("cell") or {}
    if cell.get("class_name") == "StackedRNNCells":
        return [(each["class_name"], each["config"]) for each in cell["config"]["cells"]]
    return [(cell.get("class_name", ""), cell.get("config", {}))]


def recurrent_of(type_: str, config: Mapping[str, Any]) -> Recurrent | None:
    """Return what a recurrent layer is; None for another layer."""
    if type_ == "Bidirectional":
        inner = config.get("layer") or {}
        if not is_recurrent(inner.get("class_name", "")):
            return None
        backward = (config.get("backward_layer") or {}).get("config")
        if backward is None:
            backward = {
                **inner["config"],
                "go_backwards": not inner["config"].get("go_backwards", False),
            }
        return Recurrent(
            inner["class_name"], inner["config"], config.get("merge_mode", "concat"), backward
        )
    return Recurrent(type_, config) if is_recurrent(type_) else None
