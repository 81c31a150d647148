"""Convert completed plain data, already checked, to the typed recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.catalogue import NODE_KEYS, is_recurrent, keras_arguments, layer_class
from lstmgraph.language.declaration.blocks import OPERATIONS, PlainRecipe
from lstmgraph.language.declaration.read_data import read_data
from lstmgraph.language.declaration.recipe import (
    Carried,
    Constant,
    EmptyStack,
    FromInputs,
    FromLayer,
    FromStatic,
    Inherited,
    InputDeclaration,
    LayerDeclaration,
    Learned,
    MaskByInput,
    MaskByLengths,
    MaskByValue,
    MaskForm,
    MaskFrom,
    ModelDeclaration,
    NoMask,
    RecipeDeclaration,
    RecurrentDeclaration,
    Reference,
    Runtime,
    Search,
    SingleStateForm,
    Split,
    StateForm,
    Training,
    Zeros,
    input_spec,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lstmgraph.language.declaration.blocks import PlainLayer
    from lstmgraph.messages.diagnostics import Path

    Port = Callable[[str], str]

Data = dict[str, Any]

_RECURRENT_KEYS = (
    *NODE_KEYS,
    "units",
    "depth",
    "bidirectional",
    "merge_mode",
    "return_sequences",
    "padded_output",
    "residual",
    "normalization",
    "cells",
    "initial_state",
)


def read_recipe(completed: Data, written: Mapping[str, Any]) -> RecipeDeclaration:
    """Return the typed form of a recipe that `complete` has filled in.

    Args:
        completed: the parts of the recipe without mistakes, with defaults.
        written: the recipe's data as written, which names the parts with mistakes too.
    """
    declared = {
        name
        for section in ("inputs", "layers")
        if isinstance(written.get(section), dict)
        for name in written[section]
    }
    sound = {*completed["inputs"], *completed["layers"]}
    training = completed.get("training")
    plain = PlainRecipe(completed)
    outputs = {name: _reference(port, ("outputs", name)) for name, port in plain.outputs.items()}
    models = completed.get("models", {}).items()
    return RecipeDeclaration(
        name=completed["name"] or "",
        description=completed["description"],
        inputs={
            name: InputDeclaration(
                name, input_spec(tensor), ("inputs", name), time_major=tensor["time_major"]
            )
            for name, tensor in completed["inputs"].items()
        },
        outputs=outputs,
        models={name: _model(name, data, plain.port, plain.output) for name, data in models},
        layers={name: _layer(name, layer) for name, layer in plain.layers.items()},
        runtime=Runtime(**completed["runtime"]),
        training=_training(training) if training else None,
        search=_search(completed["search"]) if "search" in completed else None,
        data=read_data(completed["data"]) if "data" in completed else None,
        broken=frozenset(declared - sound),
        written={
            name: (layer.path, layer.caller)
            for name, layer in plain.layers.items()
            if layer.path != ("layers", name)
        },
        doubled=tuple(plain.doubled),
        feedback={
            path: (_reference(first, (*path, "first")), _reference(then, (*path, "then")))
            for path, (first, then) in plain.feedback.items()
            if isinstance(first, str) and not then.endswith(".state")
        },
    )


def _model(name: str, data: Data, named: Port, given: Port) -> ModelDeclaration:
    """Return a further model, whose inputs are ports that `named` finds, and outputs `given`."""
    path: Path = ("models", name)
    if "derive" in data:
        return ModelDeclaration(name, path, derive=data["derive"])
    inputs = tuple(
        _reference(named(port), (*path, "inputs", index))
        for index, port in enumerate(data["inputs"])
    )
    states = {
        layer: _replaced_state(form, (*path, "initial_state", layer))
        for layer, form in data["initial_state"].items()
    }
    outputs = {
        output: _reference(given(port), (*path, "outputs", output))
        for output, port in data["outputs"].items()
    }
    return ModelDeclaration(name, path, None, inputs, states, outputs)


def _replaced_state(form: str | Data, path: Path) -> Zeros | FromInputs:
    if form == "zeros":
        return Zeros(path)
    return FromInputs(path, None if isinstance(form, str) else tuple(form["inputs"]))


def _training(data: Data) -> Training:
    return Training(**{"loss_weights": None, **data})


def _search(data: Data) -> Search:
    return Search(**{**data, "objective": tuple(data["objective"])})


def _reference(text: str, path: Path) -> Reference:
    layer, _, port = text.partition(".")
    return Reference(layer, port, path)


def _layer(name: str, plain: PlainLayer) -> LayerDeclaration:
    data, path = plain.data, ("layers", name)
    kind = data["type"] if data["type"] in OPERATIONS else layer_class(data["type"])
    inputs, input_names = _inputs(data["input"], (*path, "input"))
    skipped = _RECURRENT_KEYS if is_recurrent(kind) else NODE_KEYS
    common: dict[str, Any] = {
        "name": name,
        "layer": kind,
        "inputs": inputs,
        "input_names": input_names,
        "arguments": _arguments(data, skipped),
        "mask": _mask(data["mask"], (*path, "mask")),
        "dtype_policy": data["dtype_policy"],
        "path": path,
        "call": plain.call,
        "holder": plain.holder,
        "loop": plain.loop,
        "folds": plain.folds,
    }
    if not is_recurrent(kind):
        return LayerDeclaration(**common)
    if data.get("depth") == 0:
        return _empty_stack(common, kind, return_sequences=data["return_sequences"])
    states = data["initial_state"]
    return RecurrentDeclaration(
        **common,
        units=_units(data),
        bidirectional=data["bidirectional"],
        merge_mode=data.get("merge_mode"),
        return_sequences=data["return_sequences"],
        padded_output=data["padded_output"],
        residual=data.get("residual", False),
        normalization=data.get("normalization"),
        cells=tuple({**c, "type": layer_class(c["type"])} for c in data.get("cells", [])),
        initial_state=_states(states, (*path, "initial_state")),
        state_per_layer=isinstance(states, list),
    )


def _empty_stack(common: Data, kind: str, *, return_sequences: bool) -> EmptyStack:
    """Return a stack of no layers; a layer that takes a mask stands for it where it makes one."""
    passes_on = isinstance(common["mask"], Inherited | NoMask)
    layer = "Identity" if passes_on else "ActivityRegularization"
    own = {**common, "layer": layer, "arguments": keras_arguments(layer), "call": ""}
    return EmptyStack(**own, of=kind, return_sequences=return_sequences)


def _arguments(data: Data, skipped: tuple[str, ...]) -> Data:
    arguments = {key: value for key, value in data.items() if key not in skipped}
    return _with_inner_class(arguments)


def _with_inner_class(arguments: Data) -> Data:
    """Return `arguments` with Keras's class names for inner layers, at any depth."""
    inner = arguments.get("layer")
    if not isinstance(inner, dict):
        return arguments
    own = _with_inner_class(inner)
    return {**arguments, "layer": {**own, "type": layer_class(own["type"])}}


def _inputs(value: Any, path: Path) -> tuple[tuple[Reference, ...], tuple[str, ...] | None]:
    if isinstance(value, str):
        return (_reference(value, path),), None
    if isinstance(value, list):
        return tuple(_reference(v, (*path, i)) for i, v in enumerate(value)), None
    return tuple(_reference(v, (*path, k)) for k, v in value.items()), tuple(value)


def _units(data: Data) -> tuple[int, ...]:
    if "cells" in data:
        return (data["cells"][-1]["units"],)
    units = data["units"]
    return tuple(units) if isinstance(units, list) else (units,) * data["depth"]


def _mask(value: str | Data, path: Path) -> MaskForm:
    if isinstance(value, str):
        return NoMask() if value == "none" else Inherited()
    padding = value.get("padding", "any")
    if "value" in value:
        return MaskByValue(value["value"], padding)
    if "lengths" in value:
        return MaskByLengths(_reference(value["lengths"], (*path, "lengths")))
    if "input" in value:
        return MaskByInput(_reference(value["input"], (*path, "input")), padding)
    return MaskFrom(_reference(value["from"], (*path, "from")), padding)


def _states(value: Any, path: Path) -> tuple[StateForm, ...]:
    if isinstance(value, list):
        return tuple(_state(form, (*path, index)) for index, form in enumerate(value))
    return (_state(value, path),)


def _state(value: str | Data, path: Path) -> StateForm:
    if value == "carried":
        return Carried(path)
    if isinstance(value, dict) and ("h" in value or "c" in value):
        c = _single_state(value["c"], (*path, "c")) if "c" in value else None
        return Split(path, _single_state(value.get("h", "zeros"), (*path, "h")), c)
    return _single_state(value, path)


def _single_state(value: str | Data, path: Path) -> SingleStateForm:
    if value == "zeros":
        return Zeros(path)
    if value == "learned":
        return Learned(path)
    if value == "input":
        return FromInputs(path)
    if isinstance(value, str):
        return FromLayer(path, _reference(value, path))
    if "constant" in value:
        constant = value["constant"]
        return Constant(path, tuple(constant) if isinstance(constant, list) else constant)
    if "inputs" in value:
        return FromInputs(path, tuple(value["inputs"]))
    if "static" in value:
        sources = tuple(
            _reference(port, (*path, "static", i)) for i, port in enumerate(value["static"])
        )
        return FromStatic(path, sources, value.get("activation"))
    return FromLayer(path, _reference(value["from"], (*path, "from")), value.get("bridge"))
