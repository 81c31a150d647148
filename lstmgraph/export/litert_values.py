"""The values that tensors inside a LiteRT file have while it runs."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lstmgraph.export.litert_tensors import read_subgraphs

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from lstmgraph.export.samples import Arrays


class Recorder:
    """Runs a file and keeps the value of every tensor of its main graph."""

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert.interpreter import (  # noqa: PLC0415 - in an extra
            Interpreter,
            OpResolverType,
        )

        self.interpreter = Interpreter(
            model_content=content,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        self.runner = self.interpreter.get_signature_runner()
        graph = read_subgraphs(content)[0]
        self.tensors = {
            graph.tensors[number].name: (number, graph.tensors[number])
            for operator in graph.operators
            for number in operator.outputs
            if graph.tensors[number].scale is not None or graph.tensors[number].dtype == "FLOAT32"
        }
        """By name, what operators compute in float32, or in multiples of one number."""

    def values(self, batch: Arrays, names: Iterable[str]) -> Arrays:
        """Return the values of tensors with these names for a batch, by name, in float64.

        LiteRT frees some whose size is open, which are left out.
        """
        self.runner(**batch)
        found = {}
        for name in names:
            number, tensor = self.tensors[name]
            with suppress(ValueError):  # "Tensor data is null"
                found[name] = (self.stored(number) - tensor.zero_point) * (tensor.scale or 1.0)
        return found

    def stored(self, number: int) -> np.ndarray:
        """Return what a tensor holds after the last batch, in float64."""
        values: np.ndarray = self.interpreter.get_tensor(number).astype("float64")
        return values
