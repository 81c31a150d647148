"""Calls in Keras 2's form: ``[["encoder", 1, 0, {"training": false}]]``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.interop.keras_model import Call, Constant, Layer
from lstmgraph.interop.reading.tf_functions import operation_of
from lstmgraph.interop.reading.values import PLAIN, ValueFormError, tensor_of

if TYPE_CHECKING:
    from collections.abc import Mapping

CONSTANT = "_CONSTANT_VALUE"
TAKES_STATES = ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional")
TAKES_STATES_TOO = "ConvLSTM"


class OldCalls:
    """Reads the calls of one model.

    Each of the first argument's tensors stands with all other arguments of the call.
    """

    def __init__(self, first: Mapping[str, int]) -> None:
        self.first = first
        """The index of the first call of each layer."""

    def call(self, layer: Layer, index: int, node: Any) -> Call:
        """Return one call of a layer.

        Raises:
            ValueFormError: it cannot be read.
        """
        value, keywords = self._arguments(node)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        takes_states = layer.type in TAKES_STATES or layer.type.startswith(TAKES_STATES_TOO)
        if takes_states and isinstance(value, list) and value:
            # Keras 2 turns `layer(x, initial_state=[h, c])` into `layer([x, h, c])`.
            value, *states = value
            keywords = {**keywords, "initial_state": states}
        return Call(layer.name, index, (value,), keywords)

    def operation(
        self, name: str, index: int, function: Any, node: Any
    ) -> tuple[Layer | None, Call]:
        """Return the operation in place of a function of TensorFlow, if there is one, and its call.

        Raises:
            ValueFormError: the call cannot be read.
        """
        value, keywords = self._arguments(node)
        found = operation_of(function, value, keywords)
        if found is None:
            return None, Call(name, index, (value,), keywords)
        layer = Layer(name, found.type, found.config, is_operation=True)
        return layer, Call(name, index, found.arguments)

    def _arguments(self, node: Any) -> tuple[Any, dict[str, Any]]:
        """Return the first argument of a call and its others by name."""
        found: list[Any] = []
        value = self._first(node, found)
        keywords = found[0] if found else {}
        if not isinstance(keywords, dict):
            raise ValueFormError("its arguments are not a mapping")
        return value, {str(key): self._keyword(item) for key, item in keywords.items()}

    def _first(self, value: Any, keywords: list[Any]) -> Any:
        if isinstance(value, list):
            if len(value) in (3, 4) and isinstance(value[0], str):
                if len(value) == 4:
                    keywords.append(value[3])
                if value[0] == CONSTANT:
                    return _constant(value[2])
                return self._tensor(value[:3])
            return [self._first(item, keywords) for item in value]
        if isinstance(value, dict):
            return {str(key): self._first(item, keywords) for key, item in value.items()}
        raise ValueFormError("it does not say which call a tensor comes from")

    def _keyword(self, value: Any) -> Any:
        if isinstance(value, list):
            if len(value) in (3, 4) and isinstance(value[0], str):
                return self._tensor(value[:3])
            return [self._keyword(item) for item in value]
        if isinstance(value, dict):
            return {str(key): self._keyword(item) for key, item in value.items()}
        if isinstance(value, PLAIN):
            return value
        raise ValueFormError(f"a value is a Python {type(value).__name__}")

    def _tensor(self, history: Any) -> Any:
        return tensor_of(history, offset=self.first.get(history[0], 0))


def _constant(value: Any) -> Any:
    """Return a fixed argument: a number, or a tensor, of which Keras 2 keeps no dtype."""
    if isinstance(value, PLAIN):
        return value
    level = [value]
    while level:
        if not all(isinstance(item, (*PLAIN, list)) for item in level):
            raise ValueFormError("a fixed tensor holds something other than numbers")
        level = [item for each in level if isinstance(each, list) for item in each]
    return Constant(value, "float32")
