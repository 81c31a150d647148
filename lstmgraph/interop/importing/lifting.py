"""Lifting of a Keras model: its calls, with what each reads in a recipe's terms."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.importing.arguments import identifier, policy_name
from lstmgraph.interop.importing.blocks import block_model, given_mask, output_mask
from lstmgraph.interop.importing.expressions import (
    Constant,
    Expression,
    Filled,
    Fold,
    Join,
    Mask,
    Port,
    Repeat,
    RowIds,
    Shape,
    Step,
    Value,
    Zeros,
)
from lstmgraph.interop.importing.lifted import Block, Lifted, Node, Problem
from lstmgraph.interop.importing.masks import CallMasks, is_marking
from lstmgraph.interop.importing.operations import lifted_operation
from lstmgraph.interop.importing.recurrent import Recurrent, recurrent_of
from lstmgraph.interop.inlining import inlined
from lstmgraph.interop.keras_masks import takes_mask
from lstmgraph.interop.keras_model import (
    Call,
    KerasModel,
    Layer,
    Tensor,
    depth_of,
    tensors_in,
)
from lstmgraph.interop.reading.known import MODELS
from lstmgraph.keras_facts.catalogue import is_recurrent, layer_traits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ATTENTION = {
    "Attention": ("inputs",),
    "AdditiveAttention": ("inputs",),
    "MultiHeadAttention": ("query", "value", "key"),
    "GroupQueryAttention": ("query", "value", "key"),
}
MASK_ARGUMENTS = ("mask", "query_mask", "value_mask", "key_mask")


def lift(model: KerasModel, kept: frozenset[int] = frozenset()) -> Lifted:
    """Return `model`, whose nested models are inlined, in a recipe's terms.

    Args:
        model: the model.
        kept: those of `KerasModel.shared` whose nested models are not inlined, as they are blocks.
    """
    return _Lifting(model, kept).lifted()


class _Lifting:
    def __init__(
        self,
        model: KerasModel,
        kept: frozenset[int] = frozenset(),
        block_names: dict[Any, str] | None = None,
        *,
        has_given_mask: bool = False,
    ) -> None:
        self.model = model
        self.kept = kept
        self.block_names = {} if block_names is None else block_names
        """The names of blocks so far, by what tells them apart; one for all levels."""
        self.has_given_mask = has_given_mask
        """Whether the call of a block gives its input a mask."""
        self.values: dict[Tensor, Value] = {}
        self.nodes: list[Node] = []
        self.problems: list[Problem] = []
        self.taken: set[str] = set()
        self.names: dict[tuple[str, int], str] = {}
        self.own_names: dict[str, str] = {}
        self.called_again = {call.layer for call in model.calls if call.index}
        self.renamed: dict[str, str] = {}
        self.shapes: dict[Port, Shape] = {}
        self.time_major: set[str] = set()
        self.input_layers: dict[str, Layer] = {}
        self.made: dict[Any, Value] = {}
        self.given_masks: dict[str, Mask] = {}
        self.notes: list[str] = []
        self.masking: dict[str, str] = {}
        self.masks = CallMasks(model, self.values, inputs_masked=has_given_mask)

    def lifted(self) -> Lifted:
        model = self.model
        self._name_all()
        inputs: dict[str, Value] = {}
        order = [tensor.layer for tensor in tensors_in(model.inputs)]
        for name in dict.fromkeys([*order, *model.layers]):
            layer = model.layers[name]
            if layer.type == "InputLayer":
                own = self.names[name, 0]
                tensor = Tensor(name)
                shape = tuple(layer.config.get("batch_shape") or model.shapes.get(tensor) or ())
                dtype = str(layer.config.get("dtype") or "float32")
                if "float" in dtype and self._holds_ids(tensor):
                    self.notes.append(f"the input '{own}' is int32, as it holds ids; was {dtype}")
                    dtype = "int32"
                mask = given_mask(own) if self.has_given_mask else None
                value = Value(Port(own), mask, shape, dtype)
                self.values[tensor] = inputs[own] = value
                self.shapes[Port(own)] = shape
                self.input_layers[own] = layer
        for call in model.calls:
            layer = model.layers[call.layer]
            if layer.is_operation:
                self._operation(call, layer)
            else:
                self._layer(call, layer)
        outputs = self._outputs()
        name = identifier(model.name or "model", set())
        return Lifted(
            name,
            inputs,
            self.input_layers,
            self.nodes,
            outputs,
            self.problems,
            self.renamed,
            self.shapes,
            self.time_major,
            self.given_masks,
            self.notes,
            self.masking,
        )

    def _holds_ids(self, tensor: Tensor) -> bool:
        """Return whether only embeddings, and the masks of their ids, read an input."""
        readers = [call for call in self.model.calls if tensor in call.tensors()]
        types = {_innermost(self.model.layers[call.layer]) for call in readers}
        is_output = tensor in tensors_in(self.model.outputs)
        return "Embedding" in types <= {"Embedding", "NotEqual"} and not is_output

    def _name_all(self) -> None:
        """Give every layer the name that the recipe has, which is its own wherever it may be."""
        layers = [each for each in self.model.layers.values() if not each.is_operation]
        good = {each.name for each in layers if identifier(each.name, set()) == each.name}
        for layer in layers:
            name = identifier(layer.name, self.taken | (good - {layer.name}))
            self.taken.add(name)
            self.names[layer.name, 0] = self.own_names[layer.name] = name
            if name != layer.name:
                self.renamed[layer.name] = name

    def problem(self, layer: str, code: str, message: str, hint: str = "") -> None:
        found = Problem(layer, code, message, hint)
        if found not in self.problems:
            self.problems.append(found)

    # --- operations ---

    def _operation(self, call: Call, layer: Layer) -> None:
        arguments = tuple(self._read(each) for each in call.arguments)
        keywords = tuple((key, self._read(each)) for key, each in call.keywords.items())
        count = self._outputs_of(call)
        for output in range(count):
            tensor = Tensor(call.layer, call.index, output)
            shape, dtype = self.model.shapes.get(tensor), self.model.dtypes.get(tensor, "")
            value = lifted_operation(self, layer, arguments, dict(keywords), output, shape, dtype)
            self.values[tensor] = replace(value, mask=self.masks.carried(call, output))

    def _outputs_of(self, call: Call) -> int:
        own = [
            tensor.output
            for tensor in (*self.model.shapes, *self._all_read)
            if tensor.layer == call.layer and tensor.call == call.index
        ]
        return max(own, default=0) + 1

    @property
    def _all_read(self) -> list[Tensor]:
        if not hasattr(self, "_read_tensors"):
            self._read_tensors = [t for call in self.model.calls for t in call.tensors()]
            self._read_tensors += list(tensors_in(self.model.outputs))
        return self._read_tensors

    def _read(self, argument: Any) -> Any:
        """Return an argument with the value of each tensor in its place."""
        if isinstance(argument, Tensor):
            if argument not in self.values:  # of a layer of which the recipe has fewer outputs
                self.problem(argument.layer, "M203", f"its output {argument.output} is read")
                return Value(Port(argument.layer), None, self.model.shapes.get(argument))
            return self.values[argument]
        if isinstance(argument, list | tuple):
            return tuple(self._read(each) for each in argument)
        if isinstance(argument, dict):
            return {key: self._read(each) for key, each in argument.items()}
        return argument

    # --- layers ---

    def _layer(self, call: Call, layer: Layer) -> None:
        arguments = [self._read(each) for each in call.arguments]
        keywords = {key: self._read(each) for key, each in call.keywords.items()}
        keywords = {
            key: each for key, each in keywords.items() if each is not None and key != "training"
        }
        alias = self._alias(call, layer, arguments)
        if alias is not None:
            self.values[Tensor(call.layer, call.index)] = alias
            return
        type_ = layer.type
        model = block_model(layer)
        unknown = "" if model is not None else _without_name(type_, layer.config)
        if unknown:
            self.problem(
                layer.name,
                "M201",
                f"{unknown} is no layer that a recipe can name",
                _instead(unknown),
            )
            self._give(call, Node(self._name(call), layer))
            return
        own = self.own_names[layer.name]
        first = 0 if call.index else self._call_of_own_name(layer)
        if first:
            del self.names[layer.name, 0]
        if not call.index:
            self.names[layer.name, first] = own
        if (call.layer, call.index) not in self.names or not call.index:
            self._name_after_states(call, keywords)
        if not (call.index or first) and self.names[layer.name, 0] != own:
            # The second call is the one that has the layer's own name.
            self.names[layer.name, 1 if layer.name in self.called_again else 0] = own
        node = Node(self._name(call), layer, call.index, policy=policy_name(layer.config))
        if node.name != own:
            node.holder = own
        if model is not None:
            self._block(call, node, model, arguments, keywords)
        elif node.recurrent is not None and type_ != "TimeDistributed":
            self._recurrent(call, node, arguments, keywords)
        else:
            self._plain(call, node, arguments, keywords)
        self.nodes.append(node)

    def _name(self, call: Call) -> str:
        key = (call.layer, call.index)
        if key not in self.names:
            own = identifier(f"{self.own_names[call.layer]}_{call.index + 1}", self.taken)
            self.taken.add(own)
            self.names[key] = own
        return self.names[key]

    def _call_of_own_name(self, layer: Layer) -> int:
        """Return the call that has a layer's own name: its states are made by layers named so."""
        for call in self.model.calls:
            states = tensors_in(call.keywords.get("initial_state")) if call.index else ()
            if call.layer == layer.name and any(
                self.model.layers[state.layer].type in ("Dense", "Concatenate")
                and state.layer.startswith(f"{layer.name}_")
                for state in states
            ):
                return call.index
        return 0

    def _name_after_states(self, call: Call, keywords: dict[str, Any]) -> None:
        """Give a further call the name that the layers of its initial state have before theirs."""
        states, layer = keywords.get("initial_state"), self.model.layers[call.layer]
        recurrent = recurrent_of(layer.type, layer.config)
        given = _flat(states) if states is not None else []
        for slot, value in zip(recurrent.slots if recurrent else (), given, strict=False):
            own = value.expression.layer if isinstance(value.expression, Port) else ""
            base = own.removesuffix(f"_{slot.replace('.', '_')}")
            is_made = any(
                node.name == own and node.layer.type in ("Dense", "Embedding")
                for node in self.nodes
            )
            if base != own and is_made and base not in self.taken:
                self.taken.add(base)
                self.names[call.layer, call.index] = base
                return

    def _alias(self, call: Call, layer: Layer, arguments: list[Any]) -> Value | None:
        """Return what a layer passes on that only carries a mask, or changes a dtype back."""
        own = self._passed_on(layer, arguments)
        if own is None:
            return None
        value: Value = arguments[0]
        mask = self.masks.carried(call)
        if mask and isinstance(own, Port):
            self.given_masks[own.layer] = mask
            self.masking[own.layer] = layer.name
        return replace(value, expression=own, mask=mask)

    def _passed_on(self, layer: Layer, arguments: list[Any]) -> Expression | None:
        if not is_marking(layer.name) or not arguments or not isinstance(arguments[0], Value):
            return None
        own: Expression = arguments[0].expression
        type_ = layer.type
        inner = (layer.config.get("layer") or {}).get("class_name")
        if type_ == "Masking":
            return own.source if isinstance(own, Filled) else None
        if type_ == "TimeDistributed" and inner == "Identity":
            return own.source if isinstance(own, Filled) else own
        is_plain = type_ == "Rescaling" and layer.config.get("scale") == 1.0
        is_cast = type_ == "Identity" and layer.name.endswith(".float32")
        return own if is_plain or is_cast else None

    def _block(
        self,
        call: Call,
        node: Node,
        model: KerasModel,
        arguments: list[Any],
        keywords: dict[str, Any],
    ) -> None:
        """Set what a call of a model reads that a recipe has as a block."""
        (value,) = _flat(arguments or list(keywords.values()))[:1]
        node.filled = _filled(value.expression)
        node.inputs = [replace(value, expression=_unfilled(value.expression))]
        node.mask = self.masks.received(call)
        node.block = self._lifted_block(node, model)
        if node.layer.model is not None:
            self.masks.add_made_inside(call, output_mask(node.block, node))
        self._give(call, node)

    def _lifted_block(self, node: Node, model: KerasModel) -> Block:
        """Return a nested model in a recipe's terms, under a name that no layer has."""
        key = model.shared if model.shared is not None else id(model)
        if key not in self.block_names:
            taken = {*self.taken, *self.block_names.values()}
            name = identifier(model.name, set())
            name = identifier(f"{name}_block" if name in taken else name, taken)
            self.block_names[key] = name
        inner = node.layer.config.get("layer") or {}
        configs = [node.layer.config, inner.get("config") or {}]
        frozen = any(each.get("trainable") is False for each in configs)
        own = _Lifting(
            inlined(model, self.kept, frozen=frozen),
            self.kept,
            self.block_names,
            has_given_mask=node.mask is not None,
        )
        name = self.block_names[key]
        return Block(name, node.layer.name, own.lifted(), depth_of(node.layer))

    def _recurrent(
        self, call: Call, node: Node, arguments: list[Any], keywords: dict[str, Any]
    ) -> None:
        names = ("sequence", "initial_state", "mask", "training")
        given = {**dict(zip(names, arguments, strict=False)), **keywords}
        sequence: Any = given.get("sequence", given.get("sequences", given.get("inputs")))
        states = given.get("initial_state")
        if isinstance(sequence, tuple):  # Keras 2 lists the states behind the sequence
            sequence, *rest = sequence
            states = states or tuple(rest) or None
        node.mask, node.lost = self.masks.received(call), self.masks.lost(call)
        node.filled = _filled(sequence.expression)
        expression, node.folds = _unfolded_input(_unfilled(sequence.expression))
        node.inputs = [Value(expression, sequence.mask, sequence.shape, sequence.dtype)]
        if states is not None:
            node.states = [each.expression for each in _flat(states)]
        self._give(call, node)

    def _plain(
        self, call: Call, node: Node, arguments: list[Any], keywords: dict[str, Any]
    ) -> None:
        type_ = node.layer.type
        names: Sequence[str] = layer_traits(type_)["call"]
        for key in MASK_ARGUMENTS:
            keywords.pop(key, None)
        given = {**dict(zip(names, arguments, strict=False))}
        for key in list(keywords):
            if key in names:
                given[key] = keywords.pop(key)
        given = {key: each for key, each in given.items() if each is not None}
        first = given.get(names[0], next(iter(given.values()), None))
        values: list[Value]
        if isinstance(first, tuple):
            values, node.reads_list = [each for each in first if isinstance(each, Value)], True
        else:
            values = [each for each in given.values() if isinstance(each, Value)]
            if len(values) > 1 or list(given) != list(names[:1]):
                node.input_names = tuple(given)
        node.filled = next((m for each in values if (m := _filled(each.expression))), None)
        node.inputs = [Value(_unfilled(v.expression), v.mask, v.shape, v.dtype) for v in values]
        node.keywords = {
            key: keywords.pop(key) for key in ("use_causal_mask", "reverse") if keywords.get(key)
        }
        keywords.pop("return_attention_scores", None)
        for key in keywords:
            self.problem(node.layer.name, "M203", f"its call has the argument `{key}`")
        node.mask = self.masks.received(call) if takes_mask(type_) else node.filled
        node.lost = self.masks.lost(call)
        if type_ in ATTENTION:
            node.mask, node.input_masks = None, self.masks.of_attention(call)
        if any(isinstance(v.expression, Fold) for v in node.inputs):
            unfolded = [_unfolded_input(value.expression) for value in node.inputs]
            node.folds = max(axes for _, axes in unfolded)
            if type_ == "TimeDistributed" and not node.holder:
                node.folds, node.one_step = 0, True
            node.inputs = [
                Value(own, v.mask, v.shape, v.dtype)
                for (own, _), v in zip(unfolded, node.inputs, strict=True)
            ]
        self._give(call, node)

    def _give(self, call: Call, node: Node) -> None:
        """Set the values of a call's outputs."""
        recurrent = node.recurrent
        ports = [Port(node.name)]
        if recurrent is not None:
            config = recurrent.config
            ports = [Port(node.name, "sequence" if config.get("return_sequences") else "last")]
            ports += [Port(node.name, f"state.{slot}") for slot in recurrent.slots]
        elif node.layer.type in ATTENTION:
            ports.append(Port(node.name, "scores"))
        for output, port in enumerate(ports):
            tensor = Tensor(call.layer, call.index, output)
            shape = self.model.shapes.get(tensor)
            own = self.masks.carried(call, output)
            self.values[tensor] = Value(port, own, shape, self.model.dtypes.get(tensor, ""))
            if shape is not None:
                self.shapes.setdefault(port, tuple(shape))

    def make(self, type_: str, config: Mapping[str, Any], inputs: list[Value], **own: Any) -> Value:
        """Return the output of a layer that stands for an operation, made once."""
        key = (type_, repr(sorted(config.items())), tuple(value.expression for value in inputs))
        if key not in self.made:
            name = identifier(_snake(type_), self.taken)
            self.taken.add(name)
            layer = Layer(name, type_, {"name": name, **config})
            node = Node(
                name, layer, inputs=inputs, policy=own.get("policy", "float32"), is_made=True
            )
            node.reads_list = bool(layer_traits(type_)["multiple_inputs"])
            self.nodes.append(node)
            self.made[key] = Value(Port(name), None, own.get("shape"), own.get("dtype", ""))
            if own.get("shape"):
                self.shapes[Port(name)] = tuple(own["shape"])
        return self.made[key]

    # --- outputs ---

    def _outputs(self) -> dict[str, Value]:
        outputs, given = self.model.outputs, {}
        if isinstance(outputs, dict):
            pairs = list(outputs.items())
        else:
            tensors = list(tensors_in(outputs))
            pairs = [(self._output_name(tensor), tensor) for tensor in tensors]
        taken: set[str] = set()
        for name, tensor in pairs:
            own = identifier(name, taken)
            taken.add(own)
            if own != name and isinstance(outputs, dict):
                self.renamed[name] = own
            for each in tensors_in(tensor):
                given[own] = self._read(each)
        return given

    def _output_name(self, tensor: Tensor) -> str:
        expression = self._read(tensor).expression
        if isinstance(expression, Port):
            if expression.output in ("", "last", "sequence"):
                return expression.layer
            return str(expression).replace(".", "_")
        return tensor.layer


def _innermost(layer: Layer) -> str:
    """Return the class of a layer, or of that in TimeDistributed, at any depth."""
    type_, config = layer.type, layer.config
    while type_ == "TimeDistributed":
        inner = config.get("layer") or {}
        type_, config = inner.get("class_name", ""), inner.get("config") or {}
    return type_


def _known_layers() -> frozenset[str]:
    from lstmgraph.resources import KERAS_SCHEMA, read_schema  # noqa: PLC0415 - read when used

    return frozenset(read_schema(KERAS_SCHEMA)["x-layer-names"].values())


def _without_name(type_: str, config: Mapping[str, Any]) -> str:
    """Return the layer, or that in it, that no recipe can name; empty if a recipe can."""
    inner = config.get("layer") or {}
    own, inside = inner.get("class_name", ""), inner.get("config") or {}
    if type_ == "Bidirectional":
        return "" if recurrent_of(type_, config) else f"Bidirectional of {own}"
    if is_recurrent(type_):
        return ""
    if type_ not in _known_layers():
        return type_
    return _without_name(own, inside) if type_ == "TimeDistributed" and own not in MODELS else ""


def _instead(type_: str) -> str:
    if type_ == "Lambda":
        return "a recipe names no code: write what it computes with Keras's own layers"
    return "use layers that Keras has in its place, or keep that part of the model in Python"


def _snake(name: str) -> str:
    from lstmgraph.interop.importing.arguments import spelling  # noqa: PLC0415 - short

    return spelling(name)


def _flat(values: Any) -> list[Value]:
    if isinstance(values, Value):
        return [values]
    return [value for each in values for value in _flat(each)]


def _filled(expression: Expression) -> Mask | None:
    return expression.mask if isinstance(expression, Filled) else None


def _unfilled(expression: Expression) -> Expression:
    if isinstance(expression, Filled):
        return _unfilled(expression.source)
    if isinstance(expression, Join):
        return Join(tuple(_unfilled(part) for part in expression.parts))
    if isinstance(expression, Fold):
        return Fold(_unfilled(expression.source), expression.axes)
    if isinstance(expression, Repeat):
        return Repeat(_unfilled(expression.source), expression.along, expression.axis)
    return expression


def _unfolded_input(expression: Expression) -> tuple[Expression, int]:
    """Return an input before it was folded, and how many axes were folded into the batch."""
    if isinstance(expression, Fold):
        return expression.source, expression.axes
    if isinstance(expression, Join) and any(isinstance(each, Fold) for each in expression.parts):
        pairs = [_unfolded_input(part) for part in expression.parts]
        return Join(tuple(part for part, _ in pairs)), max(axes for _, axes in pairs)
    return expression, 0


__all__ = [
    "Constant",
    "Lifted",
    "Node",
    "Problem",
    "Recurrent",
    "RowIds",
    "Step",
    "Zeros",
    "lift",
    "recurrent_of",
]
