"""The check of an import: the model and the recipe's, with the same weights, on the same inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.importing.sampling import batches
from lstmgraph.messages.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import keras
    import numpy as np

    from lstmgraph.interop.importing.conversion import Converted
    from lstmgraph.interop.importing.sampling import Padding

    Array = np.ndarray[Any, Any]

TOLERANCE = {"float64": 1e-9, "float32": 1e-5, "float16": 2e-2, "bfloat16": 2e-1}
"""How far outputs may be apart, by the coarsest dtype in the model, in units of their size."""


@dataclass(frozen=True)
class Check:
    """What came of running both models on the same inputs."""

    ran: bool
    batches: int = 0
    largest: float = 0.0
    """The largest difference of an output."""
    output: str = ""
    """The output that differs; empty if all are equal."""
    layer: str = ""
    """The first layer, in call order, whose output differs."""
    reason: str = ""
    """Why it was not run."""
    padded: bool = True
    """Whether the batches had padding, where the model has masks."""

    @property
    def ok(self) -> bool:
        """Whether both models were run and gave the same."""
        return self.ran and not self.output

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints."""
        return {
            "ran": self.ran,
            "ok": self.ok,
            "batches": self.batches,
            "largest_difference": self.largest,
            "output": self.output or None,
            "layer": self.layer or None,
            "reason": self.reason or None,
        }

    def __str__(self) -> str:
        if not self.ran:
            return f"not checked: {self.reason}"
        if self.ok:
            number = counted(self.batches, "random batch", "random batches")
            number += "" if self.padded else " without padding"
            return f"checked: the same outputs on {number} (largest difference {self.largest:.1e})"
        where = f"; the first layer that differs is '{self.layer}'" if self.layer else ""
        return f"the output '{self.output}' differs by {self.largest:.3g}{where}"


class Differ:
    """Runs a Keras model beside the model of its recipe."""

    def __init__(
        self,
        converted: Converted,
        source: keras.Model,
        model: keras.Model,
    ) -> None:
        self.converted = converted
        self.source = source
        self.model = model

    def check(self, *, padded: bool = True) -> Check:
        """Return whether both give the same on batches of different lengths and paddings.

        Nothing is traced, which for so few batches takes longer than to run them.

        Args:
            padded: whether the batches have padding; a recipe with other masks than the model
                agrees with it only where all steps count.
        """
        import numpy as np  # noqa: PLC0415 - only where models are run

        from lstmgraph.models.runtime import visible_gpus  # noqa: PLC0415 - as above

        paddings: Sequence[Padding] = ("right", "holes", "rows") if padded else ("none",) * 3
        if visible_gpus():  # cuDNN takes no other
            paddings = ("right",) * 3 if padded else paddings
        count, largest, tolerance = len(paddings), 0.0, self.tolerance()
        for inputs in batches(self.converted.compiled, paddings):
            own = {name: np.asarray(value) for name, value in self.run_own(inputs).items()}
            for name, wanted in self.run_source(inputs).items():
                difference = apart(wanted, own[name])
                if difference > tolerance:
                    layer = self.first_layer(inputs, tolerance)
                    return Check(True, count, difference, name, layer, padded=padded)
                largest = max(largest, difference)
        return Check(True, count, largest, padded=padded)

    def tolerance(self) -> float:
        """Return how far outputs may be apart."""
        nodes = self.converted.compiled.graph.nodes
        policies = {node.dtype_policy.removeprefix("mixed_") for node in nodes}
        coarse = ("bfloat16", "float16", "float32")
        return TOLERANCE[next((each for each in coarse if each in policies), "float64")]

    def run_own(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs of the recipe's model by name."""
        found: dict[str, Array] = self.model(_tensors(inputs))
        return found

    def run_source(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs of the source by the names that the recipe gives them."""
        import keras  # noqa: PLC0415 - only where models are run
        import numpy as np  # noqa: PLC0415 - as above

        outputs = self.source(self.fed(inputs), training=False)
        names = list(self.converted.lifted.outputs)
        if isinstance(outputs, dict):
            renamed = self.converted.lifted.renamed
            back = {renamed.get(key, key): value for key, value in outputs.items()}
            return {name: np.asarray(_plain(back[name])) for name in names}
        values = keras.tree.flatten(outputs)
        return {name: np.asarray(_plain(value)) for name, value in zip(names, values, strict=True)}

    def fed(self, inputs: Mapping[str, Array]) -> Any:
        """Return inputs in the form that the source takes."""
        import keras  # noqa: PLC0415 - only where models are run

        values = _tensors(inputs)
        if isinstance(self.source, keras.Sequential):
            (value,) = values.values()
            return value
        struct = self.source.input
        tensors = keras.tree.flatten(struct)
        if len(tensors) == 1 and not isinstance(struct, dict):
            (value,) = values.values()
            return [value] if isinstance(struct, list | tuple) else value
        renamed = self.converted.lifted.renamed
        own = {}
        for tensor in tensors:
            name = tensor._keras_history.operation.name
            own[name] = values[renamed.get(name, name)]
        return keras.tree.map_structure(
            lambda tensor: own[tensor._keras_history.operation.name],
            struct,
        )

    def first_layer(self, inputs: Mapping[str, Array], tolerance: float) -> str:
        """Return the first layer of the model whose output is another in the recipe's model."""
        import keras  # noqa: PLC0415 - only where models are run
        import numpy as np  # noqa: PLC0415 - as above

        names = {old: new for new, old in self.converted.layers.items()}
        pairs = []
        own_layers = {layer.name: layer for layer in self.model.layers}
        for layer in self.source.layers:
            other = own_layers.get(names.get(layer.name, layer.name))
            if other is None or len(layer._inbound_nodes) != 1 or len(other._inbound_nodes) != 1:
                continue
            theirs, ours = (keras.tree.flatten(each.output)[0] for each in (layer, other))
            if tuple(theirs.shape) == tuple(ours.shape):
                pairs.append((layer.name, theirs, ours))
        try:
            before = keras.Model(_struct(self.source), [theirs for _, theirs, _ in pairs])
            after = keras.Model(self.model.input, [ours for _, _, ours in pairs])
            found = zip(pairs, before(self.fed(inputs)), after(_tensors(inputs)), strict=True)
            for (name, _, _), one, other in found:
                if apart(np.asarray(_plain(one)), np.asarray(_plain(other))) > tolerance:
                    return str(name)
        except (ValueError, KeyError):  # a layer of a nested model, or one that is not connected
            return ""
        return ""


def apart(one: Array, other: Array) -> float:
    """Return the largest difference of two arrays, in units of their size if that is above 1."""
    import numpy as np  # noqa: PLC0415 - only where models are run

    if one.shape != other.shape:
        return float("inf")
    if one.dtype.kind not in "fiub":
        return 0.0 if (one == other).all() else float("inf")
    one, other = (np.asarray(each, "float64") for each in (one, other))
    if not one.size:
        return 0.0
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    size = max(1.0, float(np.max(np.abs(one[np.isfinite(one)]), initial=0.0)))
    difference = np.where(same, 0.0, np.abs(one - other)) / size
    return float(np.max(np.where(np.isnan(difference), np.inf, difference)))


def _struct(model: keras.Model) -> Any:
    """Return the inputs of a model in its form; a Sequential model has none until it is called."""
    return model.inputs[0] if type(model).__name__ == "Sequential" else model.input


def _plain(tensor: Any) -> Any:
    import keras  # noqa: PLC0415 - only where models are run

    return keras.ops.convert_to_numpy(tensor) if hasattr(tensor, "dtype") else tensor


def _tensors(inputs: Mapping[str, Array]) -> dict[str, Any]:
    import keras  # noqa: PLC0415 - only where models are run

    return {
        name: keras.ops.convert_to_tensor(value) if value.dtype != object else value.astype(str)
        for name, value in inputs.items()
    }


def move_weights(
    model: keras.Model, source: Mapping[str, keras.Layer], names: Mapping[str, str]
) -> None:
    """Give the layers of the recipe's model the weights of the source's.

    Args:
        model: the recipe's model.
        source: the layers of the source, by name.
        names: the names in the source, by those in the recipe's model.

    Raises:
        ValueError: a layer has no weights in the source, or others.
    """
    from lstmgraph.models.building.carrying import saved_weights  # noqa: PLC0415 - imports Keras

    for layer in model.layers:
        own = saved_weights(layer)
        if not own:
            continue
        given = source.get(names.get(layer.name, layer.name))
        values = saved_weights(given) if given is not None else []
        if [tuple(each.shape) for each in own] != [tuple(each.shape) for each in values]:
            raise ValueError(f"the weights of '{layer.name}' have no layer of the model that fits")
        for weight, value in zip(own, values, strict=True):
            weight.assign(value)
