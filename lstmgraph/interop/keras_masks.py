"""Follow the implicit masks of an existing Keras model by Keras's own rules, without Keras.

Keras hangs a mask on a tensor. A layer's call is given the mask of its input only if that input is
the call's one tensor argument; what the output carries is for ``compute_mask`` to say. The rules
are those of ``Layer.__call__`` and the layers of Keras 3.15, and a differential test compares
them. They are rules of a run: what Keras decides while it builds a model has no effect on masks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from lstmgraph.interop.execution import Place, flat, flat_tensors, in_running_order
from lstmgraph.interop.keras_model import Constant, Tensor, tensors_in
from lstmgraph.keras_facts.catalogue import RECURRENT_STATES, layer_traits
from lstmgraph.keras_facts.dtypes import COMPUTE_DTYPES
from lstmgraph.resources import KERAS_SCHEMA, read_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lstmgraph.interop.keras_model import Call, KerasModel, Layer

Scope = tuple[Place, ...]
"""The calls of nested models, from the outermost, in which something stands; () for the model."""

MaskKind = Literal["embedding", "masking", "given", "outside", "or", "joined", "step"]

ChangeKind = Literal[
    "not_received",  # several tensor arguments: Keras fills no mask in, and the call reads padding
    "operation",  # an operation of keras.ops, arithmetic and slices included
    "unsupported",  # a layer that passes no mask on; Keras warns
    "unmasked",  # merged with an input that has no mask
    "dot",
    "cleared",  # MultiHeadAttention takes the masks off the tensors that it reads
    "ignored",  # MultiHeadAttention overwrites an explicit query_mask
    "replaced",  # by a mask that the layer makes
    "or",  # of different masks: a step counts where any of them says so
    "inside",  # made inside TimeDistributed, and lost
    "ended",  # used, and the output has no time steps
]


@dataclass(frozen=True, eq=False)
class Mask:
    """A mask; two are equal if they are the same object, which `KerasMasks` sees to."""

    kind: MaskKind
    tensor: Tensor | None = None
    """The ids or features that it is made from, or the mask itself if it is given."""
    place: Place | None = None
    """The call that made it: of an Embedding, a Masking, or a layer that merges."""
    scope: Scope = ()
    """Where `tensor` and `place` stand."""
    parts: tuple[Mask | None, ...] = ()
    """Of a merged mask, those of the inputs."""
    value: Any = 0
    """The ``mask_value`` of a Masking layer."""

    def origins(self) -> list[Mask]:
        """Return the masks that this one is made of, which no call merged, each once."""
        found: dict[Mask, None] = {}
        way, seen = [self], {self}
        while way:
            mask = way.pop()
            if not mask.parts:
                found[mask] = None
            for part in reversed(mask.parts):
                if part and part not in seen:
                    seen.add(part)
                    way.append(part)
        return list(found)


@dataclass(frozen=True)
class MaskChange:
    """A place where a mask is lost or changed."""

    kind: ChangeKind
    masks: tuple[Mask, ...]
    """The masks as they were."""
    tensor: Tensor | None = None
    """The tensor that had it, where there is one."""
    warns: bool = False
    """Whether Keras warns of it when it runs."""


@dataclass(frozen=True)
class CallMasks:
    """The masks of one call, when it runs."""

    call: Call
    layer: Layer
    scope: Scope
    carried: Mapping[Tensor, Mask]
    """The masks on the tensors that the call reads, before it runs."""
    received: Mapping[str, Any]
    """What ``mask``, ``query_mask`` and the like are, explicit or filled in, by the argument;
    nested as the inputs are; an argument that is None is left out."""
    filled: bool
    """Whether `received` is what Keras fills in, now or when the model was built."""
    used: tuple[Mask, ...]
    """The masks that change what the call computes."""
    outputs: tuple[Mask | None, ...]
    """Of each output in Keras's order; outputs at the end that have none may be left out."""
    changes: tuple[MaskChange, ...]

    @property
    def place(self) -> Place:
        """Return the layer's name, and which of its calls this is."""
        return self.call.layer, self.call.index


@dataclass(frozen=True)
class KerasMasks:
    """The masks of a model and of the models nested in it."""

    calls: Sequence[CallMasks]
    """In the order in which Keras runs them; a nested model's call comes after those inside it."""
    outputs: tuple[Mask | None, ...]
    """Of each output of the model in Keras's order: what losses and metrics see."""
    by_place: Mapping[tuple[Scope, Place], CallMasks] = field(repr=False, default_factory=dict)

    def of(self, call: Call, scope: Scope = ()) -> CallMasks | None:
        """Return the masks of a call; None for one that no output needs."""
        return self.by_place.get((scope, (call.layer, call.index)))


def keras_masks(model: KerasModel, *, inputs_masked: bool = False) -> KerasMasks:
    """Return which mask every call gets and uses, what its outputs carry, and where masks go.

    Args:
        model: the model.
        inputs_masked: whether its inputs have masks, of the kind "outside": a layer that calls the
            model gives them.
    """
    run = _Run()
    given = flat_tensors(model.inputs)
    masks = [Mask("outside", tensor) if inputs_masked else None for tensor in given]
    inputs = {tensor: run.tensor(mask) for tensor, mask in zip(given, masks, strict=True)}
    tensors = run.through(model, (), inputs)
    outputs = tuple(run.masks[tensors[t]] for t in flat_tensors(model.outputs))
    by_place = {(found.scope, found.place): found for found in run.calls}
    return KerasMasks(run.calls, outputs, by_place)


RECURRENT = frozenset({*RECURRENT_STATES, "RNN", "Bidirectional"})
"""Layers whose call is ``(sequences, initial_state, mask, training)``."""
CONV_LSTM = frozenset({"ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"})
NESTED = frozenset({"Functional", "Sequential", "Model"})
MERGES = frozenset({"Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"})
READS_MASKS = frozenset({"Maximum", "Minimum", "Multiply"})
"""Merges whose numbers depend on the masks, too."""
ATTENTION = frozenset({"MultiHeadAttention", "GroupedQueryAttention"})

_SEQUENCES = ("sequences", "initial_state", "mask", "training")
_INPUTS = ("inputs", "mask")
_TRAINED = ("inputs", "training", "mask")
_QUERY = ("query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask")
_SIGNATURES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys((*RECURRENT, *CONV_LSTM), _SEQUENCES),
    **dict.fromkeys(
        ("Attention", "AdditiveAttention", "GlobalAveragePooling1D", "Softmax"), _INPUTS
    ),
    **dict.fromkeys(("BatchNormalization", "TimeDistributed", *NESTED), _TRAINED),
    **dict.fromkeys(ATTENTION, _QUERY),
}
"""The arguments of ``call`` by position, of layers that take a mask; the first of others is all."""
_SAME_OBJECT = frozenset({"Array", "Cast", "Conj", "Conjugate", "ConvertToTensor", "Real"})
"""Operations that return their input itself, with its mask, where there is nothing to do."""
_MOVES = frozenset({"Moveaxis", "Swapaxes"})


def takes_mask(layer: str) -> bool:
    """Return whether the ``call`` of a Keras class has an argument ``mask``."""
    return "mask" in _SIGNATURES.get(layer, ())


def passes_mask(layer: str) -> bool:
    """Return whether a layer that is neither recurrent nor a merge hands its input's mask on."""
    if layer == "GroupedQueryAttention":
        return True
    definition = read_schema(KERAS_SCHEMA)["$defs"].get(layer)
    return bool(definition and layer_traits(layer)["supports_masking"])


def is_tensor(value: Any) -> bool:
    """Return whether an argument's leaf is a tensor: one of the graph, or a constant."""
    return isinstance(value, (Tensor, Constant))


def _is_tensors(value: Any) -> bool:
    """Return whether Keras counts an argument as a tensor argument: tensors, or nested ones."""
    if is_tensor(value):
        return True
    if not isinstance(value, (list, tuple, dict)) or not value:
        return False
    items = value.values() if isinstance(value, dict) else value
    return all(item is None or _is_tensors(item) for item in items)


def bound_arguments(call: Call, layer: Layer) -> dict[str, Any]:
    """Return the arguments of a call by name; positional ones that have no known name by number."""
    names = _SIGNATURES.get(layer.type, ("inputs",))
    positional = {
        names[i] if i < len(names) else str(i): value for i, value in enumerate(call.arguments)
    }
    return {**positional, **call.keywords}


@dataclass(frozen=True)
class _Unlike:
    """Which numbers of a tensor differ from a value."""

    item: int
    tensor: Tensor
    value: Any


@dataclass(frozen=True)
class _Features:
    """Masks repeated along the features and joined, of which ``any`` makes a mask of steps."""

    masks: tuple[Mask | None, ...]
    axis: int = -1


class _Run:
    """One symbolic run: tensors are objects, on which masks hang."""

    def __init__(self) -> None:
        self.masks: list[Mask | None] = []  # by object
        self.dtypes: list[str | None] = []  # by object
        self.calls: list[CallMasks] = []
        self.known: dict[tuple[Any, ...], Mask] = {}
        self.meanings: dict[int, Any] = {}
        """What operations compute that make masks, by object: Keras writes them into the graph
        when it fills a mask in while a model is built, and so do people."""
        self.cleared: dict[int, Mask] = {}

    def tensor(self, mask: Mask | None, dtype: str | None = None) -> int:
        """Return a new tensor object."""
        self.masks.append(mask)
        self.dtypes.append(dtype)
        return len(self.masks) - 1

    def mask(self, kind: MaskKind, item: int | None, **parts: Any) -> Mask:
        """Return the mask that is made of an object, or of parts; the same one for the same."""
        key = (kind, item, _hashable(parts.get("value")), parts.get("parts"))
        return self.known.setdefault(key, Mask(kind, **parts))

    def joined(
        self, masks: Sequence[Mask | None], place: Place, scope: Scope, *, features: bool
    ) -> Mask | None:
        """Return the mask of Concatenate: along features, a step counts where any of them does."""
        present = [mask for mask in masks if mask]
        if not present:
            return None
        if features and None not in masks:
            return self.merged(present, place, scope)
        kind: MaskKind = "or" if features else "joined"
        return self.mask(kind, None, place=place, scope=scope, parts=tuple(masks))

    def merged(self, masks: Iterable[Mask], place: Place, scope: Scope) -> Mask:
        """Return the OR of masks."""
        distinct: dict[Mask | None, None] = {}
        for mask in masks:
            distinct |= dict.fromkeys(mask.parts if mask.kind == "or" else (mask,))
        if len(distinct) == 1 and (one := next(iter(distinct))):
            return one
        key = ("or", frozenset(distinct))
        return self.known.setdefault(
            key, Mask("or", place=place, scope=scope, parts=tuple(distinct))
        )

    def through(
        self, model: KerasModel, scope: Scope, inputs: dict[Tensor, int]
    ) -> dict[Tensor, int]:
        """Run the calls of a model; return the objects of all its tensors."""
        tensors = dict(inputs)
        for tensor, dtype in model.dtypes.items():
            if tensor in tensors and self.dtypes[tensors[tensor]] is None:
                self.dtypes[tensors[tensor]] = dtype
        read: dict[Place, int] = {}
        for tensor in (
            *(t for call in model.calls for t in call.tensors()),
            *tensors_in(model.outputs),
        ):
            place = tensor.layer, tensor.call
            read[place] = max(read.get(place, 0), tensor.output + 1)
        frame = _Frame(model, scope, tensors, read)
        for call in in_running_order(model):
            if all(tensor in tensors for tensor in call.tensors()):
                _CallRun(self, frame, call).finish()
        return tensors


@dataclass(frozen=True)
class _Frame:
    """One run of one model: its tensors' objects, and how many outputs of each call are read."""

    model: KerasModel
    scope: Scope
    tensors: dict[Tensor, int]
    read: Mapping[Place, int]


class _CallRun:
    """One call in a run."""

    def __init__(self, run: _Run, frame: _Frame, call: Call) -> None:
        self.run = run
        self.model = frame.model
        self.call = call
        self.scope = frame.scope
        self.tensors = frame.tensors
        self.read = frame.read
        self.layer = self.model.layers[call.layer]
        self.type = self.layer.type
        self.place: Place = (call.layer, call.index)
        self.arguments = bound_arguments(call, self.layer)
        self.carried = {t: m for t in call.tensors() if (m := run.masks[self.tensors[t]])}
        self.changes: list[MaskChange] = []
        self.used: list[Mask] = []

    def finish(self) -> None:
        """Run the call, and keep what it did."""
        for tensor in dict.fromkeys(self.call.tensors()):
            lost = self.run.cleared.get(self.tensors[tensor])
            if lost and tensor not in self.carried:
                self.change("cleared", lost, tensor)
        received: Mapping[str, Any] = {}
        filled = True
        if self.layer.is_operation:
            objects = self.operation()
            self.run.meanings[objects[0]] = self.meaning()
        else:
            received, filled = self.received()
            objects = self.call_layer(received)
        for index, item in enumerate(objects):
            self.tensors[Tensor(*self.place, index)] = item
        outputs = tuple(self.run.masks[item] for item in objects)
        # Outputs of which nothing is known here: states, and what operations return.
        self.run.calls.append(
            CallMasks(
                self.call,
                self.layer,
                self.scope,
                self.carried,
                {name: value for name, value in received.items() if any(flat(value))},
                filled or self.as_filled(received),
                tuple(dict.fromkeys(self.used)),
                outputs,
                tuple(self.changes),
            )
        )

    def as_filled(self, received: Mapping[str, Any]) -> bool:
        """Return whether an explicit mask is the one that the input carries.

        Keras writes the masks that it fills in while a model is built into many calls.
        """
        mask = received.get("mask")
        return mask is not None and mask == self.carried_by(self.first())

    def change(
        self, kind: ChangeKind, masks: Mask | Iterable[Mask | None], tensor: Tensor | None = None
    ) -> None:
        """Note that masks are lost or changed here."""
        lost = (masks,) if isinstance(masks, Mask) else tuple(dict.fromkeys(m for m in masks if m))
        if lost:
            self.changes.append(MaskChange(kind, lost, tensor, warns=kind == "unsupported"))

    # -- operations

    def operation(self) -> list[int]:
        """Return the outputs of an operation: objects without masks, or its input itself."""
        count = self.count()
        read = flat_tensors((self.call.arguments, dict(self.call.keywords)))
        if len(read) >= 1 and self.returns_input(read[0]):
            return [self.tensors[read[0]]]
        for tensor, mask in self.carried.items():
            self.change("operation", mask, tensor)
        return [self.new(None, index) for index in range(count)]

    def returns_input(self, tensor: Tensor) -> bool:
        """Return whether the operation returns `tensor` itself."""
        dtype = self.dtype(tensor)
        if self.type in _SAME_OBJECT:
            wanted = next((v for v in self.plain() if isinstance(v, str)), None)
            wanted = wanted or self.layer.config.get("dtype")
            return wanted is None or (isinstance(wanted, str) and wanted == dtype)
        if self.type in _MOVES:
            axes = [v for v in self.plain() if isinstance(v, (int, list, tuple))]
            names = ("source", "destination", "axis1", "axis2")
            axes += [self.layer.config[n] for n in names if n in self.layer.config]
            return len(axes) == 2 and axes[0] == axes[1]
        return False

    def plain(self) -> list[Any]:
        """Return the arguments that are no tensors."""
        values = [*self.call.arguments[1:], *self.call.keywords.values()]
        return [value for value in values if not any(isinstance(v, Tensor) for v in flat(value))]

    def option(self, name: str, default: Any) -> Any:
        """Return an argument of an operation."""
        return self.call.keywords.get(name, self.layer.config.get(name, default))

    def meaning(self) -> Any:
        """Return the mask that an operation computes, or what is part of one; None for others.

        The forms are those of ``compute_mask`` of Embedding, Masking and the layers that merge.
        """
        read = flat_tensors((self.call.arguments, dict(self.call.keywords)))
        items = [self.tensors[tensor] for tensor in read]
        known = [self.run.meanings.get(item) for item in items]
        if self.type == "NotEqual" and len(read) == 1:
            number = next((v for v in self.plain() if isinstance(v, (int, float))), None)
            return None if number is None else _Unlike(items[0], read[0], number)
        if self.type in {"ZerosLike", "OnesLike"}:
            return self.type
        if self.type == "ExpandDims":
            mask = self.explicit(read[0]) if self.option("axis", None) == -1 else None
            return _Features((mask,)) if mask else None
        if self.type == "LogicalOr" and len(read) == 2:
            if isinstance(known[0], _Features) and known[1] == "ZerosLike":
                return known[0]
            masks = [self.explicit(tensor) for tensor in read]
            return self.run.merged(masks, self.place, self.scope)
        if self.type == "Concatenate":
            parts: list[Mask | None] = []
            for each in known:
                if not isinstance(each, _Features) and each != "OnesLike":
                    return None
                parts += each.masks if isinstance(each, _Features) else [None]
            return _Features(tuple(parts), self.option("axis", -1))
        if self.type == "Any" and known and self.is_over_last(read[0]):
            (whole,) = known[:1]
            if isinstance(whole, _Unlike):
                parts_ = {"tensor": whole.tensor, "scope": self.scope, "value": whole.value}
                return self.run.mask("masking", whole.item, **parts_)
            if isinstance(whole, _Features):
                features = whole.axis != 1
                return self.run.joined(whole.masks, self.place, self.scope, features=features)
        return None

    def is_over_last(self, tensor: Tensor) -> bool:
        """Return whether an operation goes over the last axis of `tensor`, from either end."""
        axis, shape = self.option("axis", None), self.model.shapes.get(tensor)
        if isinstance(axis, (list, tuple)) and len(axis) == 1:
            (axis,) = axis
        return bool(axis == -1 or (shape is not None and axis == len(shape) - 1))

    # -- layers

    def received(self) -> tuple[dict[str, Any], bool]:
        """Return the masks that the call gets by argument, and whether Keras filled them in."""
        given = {name: value for name, value in self.arguments.items() if _is_tensors(value)}
        names: tuple[str, ...] = ("mask",) if takes_mask(self.type) else ()
        if self.type in ATTENTION:
            names = ("query_mask", "value_mask", "key_mask")
        explicit = {name: self.explicit(given[name]) for name in names if name in given}
        if len(given) == 1 and names == ("mask",):
            ((_, value),) = given.items()
            return {"mask": self.carried_by(value)}, True
        if len(given) > 1 and self.type in ATTENTION:
            for name, value in given.items():
                if f"{name}_mask" in names and f"{name}_mask" not in explicit:
                    explicit[f"{name}_mask"] = self.carried_by(value)
            return explicit, not any(name in given for name in names)
        return explicit, not explicit

    def carried_by(self, value: Any) -> Any:
        """Return the masks of nested tensors, nested in the same way."""
        if isinstance(value, Tensor):
            return self.carried.get(value)
        if isinstance(value, dict):
            return {key: self.carried_by(value[key]) for key in sorted(value, key=str)}
        if isinstance(value, (list, tuple)):
            return [self.carried_by(item) for item in value]
        return None

    def explicit(self, value: Any) -> Any:
        """Return explicit masks as `Mask`, nested in the same way."""
        if isinstance(value, (list, tuple)):
            return [self.explicit(item) for item in value]
        if isinstance(value, dict):
            return {key: self.explicit(value[key]) for key in sorted(value, key=str)}
        if value is None:
            return None
        if not isinstance(value, Tensor):
            return Mask("given", place=self.place, scope=self.scope)
        item = self.tensors[value]
        meaning = self.run.meanings.get(item)
        if isinstance(meaning, Mask):
            return meaning
        if isinstance(meaning, _Unlike) and meaning.value == 0:
            parts = {"tensor": meaning.tensor, "scope": self.scope, "value": 0}
            return self.run.mask("embedding", meaning.item, **parts)
        return self.run.mask("given", item, tensor=value, scope=self.scope)

    def first(self) -> Any:
        """Return the first argument of the call."""
        return next(iter(self.arguments.values()), None)

    def previous(self, received: Mapping[str, Any]) -> Any:
        """Return what Keras gives to ``compute_mask``: the call's mask, or the first input's."""
        by_position = len(self.call.arguments) > 2 and "mask" not in self.call.keywords
        mask = received.get("mask")
        if mask is not None and not (by_position and _is_tensors(self.arguments.get("mask"))):
            return mask
        return self.carried_by(self.first())

    def call_layer(self, received: Mapping[str, Any]) -> list[int]:
        """Return the outputs of a layer, with their masks."""
        previous = self.previous(received)
        incoming = [mask for mask in flat(previous) if mask]
        if self.type in RECURRENT or self.type in CONV_LSTM:
            return self.recurrent(received, previous)
        if self.layer.model is not None:
            return self.nested(self.layer.model, received)
        if self.type in ATTENTION:
            return self.multi_head(received, previous)
        if self.type in {"Embedding", "ReversibleEmbedding"}:
            return [self.embedding(incoming)]
        if self.type == "Masking":
            self.change("replaced", incoming)
            (tensor,) = flat_tensors(self.first())[:1] or (None,)
            value = self.layer.config.get("mask_value", 0.0)
            return [self.made("masking", tensor, value=value)]
        if self.type in MERGES:
            return [self.merge(flat_tensors(self.first()))]
        if self.type == "Concatenate":
            return [self.concatenate(flat_tensors(self.first()))]
        if self.type in {"Attention", "AdditiveAttention"}:
            return self.attention(received)
        return self.other(received, previous)

    def other(self, received: Mapping[str, Any], previous: Any) -> list[int]:
        """Return the outputs of a layer without rules of its own."""
        incoming = [mask for mask in flat(previous) if mask]
        if self.type == "Dot":
            self.change("dot", incoming)
            return [self.new(None)]
        if self.type == "GlobalAveragePooling1D":
            self.used += [mask for mask in flat(received.get("mask")) if mask]
            self.change("ended", incoming)
            return [self.new(None)]
        if self.type == "TimeDistributed":
            self.distributed(received)
        elif takes_mask(self.type):
            self.used += [mask for mask in flat(received.get("mask")) if mask]
        if not passes_mask(self.type):
            self.change("unsupported", incoming)
            return [self.new(None, index) for index in range(self.count())]
        masks = list(flat(previous))
        return [self.new(m, i) for i, m in enumerate(masks[: self.count()] or [None])]

    def recurrent(self, received: Mapping[str, Any], previous: Any) -> list[int]:
        """Return the outputs of a recurrent layer: all steps carry the mask, states do not."""
        mask = next(iter(flat(received.get("mask"))), None)
        if mask:
            self.used.append(mask)
        (sequence,) = flat_tensors(self.first())[:1] or (None,)
        on_input = self.carried.get(sequence) if sequence else None
        if on_input and not mask:
            self.change("not_received", on_input, sequence)
        handed_on = next(iter(flat(previous)), None)
        config = self.config()
        if not config.get("return_sequences"):
            self.change("ended", [mask])
            handed_on = None
        outputs = [self.new(handed_on)]
        apart = self.type == "Bidirectional" and self.layer.config.get("merge_mode") is None
        if apart:
            outputs.append(self.new(handed_on, 1))
        return outputs + [self.new(None, index) for index in range(len(outputs), self.count())]

    def config(self) -> Mapping[str, Any]:
        """Return the configuration of the recurrent layer, that of the one that a wrapper wraps."""
        return wrapped(self.layer)[1] if self.type == "Bidirectional" else self.layer.config

    def nested(self, model: KerasModel, received: Mapping[str, Any]) -> list[int]:
        """Return the outputs of a nested model; its masks are those that its own layers leave."""
        inner = flat_tensors(model.inputs)
        first = self.first()
        given = given_to(model, first, inner)
        masks = list(flat(received.get("mask")))
        objects: dict[Tensor, int] = {}
        for index, (name, tensor) in enumerate(zip(inner, given, strict=False)):
            item = self.tensors[tensor]
            wanted = model.dtypes.get(name)
            if wanted and (dtype := self.run.dtypes[item]) and dtype != wanted:
                item = self.run.tensor(None, wanted)
            mask = masks[index] if index < len(masks) else None
            if mask:
                self.run.masks[item] = mask
            objects[name] = item
        before = len(self.run.calls)
        tensors = self.run.through(model, (*self.scope, self.place), objects)
        outer = {mask for mask in masks if mask}
        self.used += [m for inside in self.run.calls[before:] for m in inside.used if m in outer]
        return [
            tensors[tensor] if tensor in tensors else self.new(None)
            for tensor in flat_tensors(model.outputs)
        ]

    def multi_head(self, received: Mapping[str, Any], previous: Any) -> list[int]:
        """Return the outputs of attention with heads, which takes the masks off what it reads."""
        query = flat_tensors(self.arguments.get("query", self.first()))[:1]
        on_query = self.carried.get(query[0]) if query else None
        clears = self.type == "MultiHeadAttention"
        given = received.get("query_mask")
        if clears and given and given is not on_query:
            self.change("ignored", given)
        masks = [
            on_query if clears else given,
            *(received.get(f"{n}_mask") for n in ("value", "key")),
        ]
        self.used += [mask for mask in masks if isinstance(mask, Mask)]
        if clears:
            for name in ("query", "value", "key"):
                for tensor in flat_tensors(self.arguments.get(name)):
                    self.clear(tensor)
        handed_on = next(iter(flat(previous)), None)
        return [self.new(handed_on)] + [self.new(None, i) for i in range(1, self.count())]

    def clear(self, tensor: Tensor) -> None:
        """Take the mask off a tensor, unless the layer converts it to another dtype first."""
        item = self.tensors[tensor]
        mask, dtype = self.run.masks[item], self.dtype(tensor)
        own = layer_dtype(self.layer)
        if mask and not (dtype and own and "float" in dtype and dtype != own):
            self.run.masks[item] = None
            self.run.cleared[item] = mask

    def attention(self, received: Mapping[str, Any]) -> list[int]:
        """Return the outputs of Attention, which carry the query's mask."""
        mask = received.get("mask")
        masks = list(mask)[:2] if isinstance(mask, (list, tuple)) else []
        self.used += [each for each in masks if each]
        handed_on = masks[0] if masks else None
        return [self.new(handed_on)] + [self.new(None, i) for i in range(1, self.count())]

    def embedding(self, incoming: list[Mask]) -> int:
        """Return the output of an Embedding: its own mask, or none."""
        read = flat_tensors(self.first())[:1]
        reverse = self.arguments.get("reverse") or (
            self.type == "ReversibleEmbedding" and True in self.plain()
        )
        if not self.layer.config.get("mask_zero") or reverse or not read:
            self.change("unsupported", incoming)
            return self.new(None)
        self.change("replaced", incoming)
        return self.made("embedding", read[0])

    def made(self, kind: MaskKind, tensor: Tensor | None, value: Any = 0) -> int:
        """Return an output whose mask the layer makes from `tensor`."""
        item = self.tensors[tensor] if tensor else None
        parts = {"tensor": tensor, "place": self.place, "scope": self.scope, "value": value}
        return self.new(self.run.mask(kind, item, **parts))

    def merge(self, inputs: list[Tensor]) -> int:
        """Return the output of Add and the like: masked if all inputs are."""
        if len(inputs) == 1:
            return self.tensors[inputs[0]]
        masks = [self.carried.get(tensor) for tensor in inputs]
        present = [mask for mask in masks if mask]
        if self.type in READS_MASKS:
            self.used += present
        if len(present) < len(masks):
            self.change("unmasked", present)
            return self.new(None)
        merged = self.run.merged(present, self.place, self.scope)
        if len(set(present)) > 1:
            self.change("or", present)
        return self.new(merged)

    def concatenate(self, inputs: list[Tensor]) -> int:
        """Return the output of Concatenate: a step counts where any feature of it counts."""
        masks = [self.carried.get(tensor) for tensor in inputs]
        present = [mask for mask in masks if mask]
        if not present:
            return self.new(None)
        axis = self.layer.config.get("axis", -1)
        ranks = [len(self.model.shapes[t]) for t in inputs if t in self.model.shapes]
        along_features = axis == -1 or (ranks and axis == ranks[0] - 1)
        if along_features and len(set(masks)) > 1:
            self.change("or", present)
        features = bool(along_features)
        return self.new(self.run.joined(masks, self.place, self.scope, features=features))

    def distributed(self, received: Mapping[str, Any]) -> None:
        """Note what happens inside TimeDistributed: a mask is used, or made and lost."""
        inner, config = wrapped(self.layer)
        if takes_mask(inner):
            self.used += [mask for mask in flat(received.get("mask")) if mask]
        makes = inner == "Masking" or (inner == "Embedding" and config.get("mask_zero"))
        (tensor,) = flat_tensors(self.first())[:1] or (None,)
        if makes:
            kind: MaskKind = "masking" if inner == "Masking" else "embedding"
            value = config.get("mask_value", 0)
            parts = {"tensor": tensor, "place": self.place, "scope": self.scope, "value": value}
            self.change("inside", Mask(kind, **parts), tensor)

    # -- tensors

    def count(self) -> int:
        """Return how many outputs of the call are known: those that are read, and one."""
        return max(1, self.read.get(self.place, 0))

    def new(self, mask: Mask | None, output: int = 0) -> int:
        """Return a new tensor object for an output of the call."""
        stated = self.model.dtypes.get(Tensor(*self.place, output))
        own = None if self.layer.is_operation else layer_dtype(self.layer)
        return self.run.tensor(mask, stated or own)

    def dtype(self, tensor: Tensor) -> str | None:
        """Return the dtype of a tensor, if it is known."""
        return self.run.dtypes[self.tensors[tensor]]


def wrapped(layer: Layer) -> tuple[str, Mapping[str, Any]]:
    """Return the class and the configuration of the layer that a wrapper wraps."""
    inner = layer.config.get("layer") or {}
    return str(inner.get("class_name", "")), inner.get("config") or {}


def layer_dtype(layer: Layer) -> str | None:
    """Return the dtype that a layer computes in; None if its configuration does not say."""
    policy = layer.config.get("dtype")
    if isinstance(policy, dict):
        policy = (policy.get("config") or {}).get("name")
    return COMPUTE_DTYPES.get(policy, policy) if isinstance(policy, str) else None


def given_to(model: KerasModel, value: Any, inner: Sequence[Tensor]) -> list[Tensor]:
    """Return the tensors for the inputs of a nested model, as Keras matches them."""
    if isinstance(value, dict) and not isinstance(model.inputs, dict):
        by_name = {str(name): item for name, item in value.items()}
        if {tensor.layer for tensor in inner} <= by_name.keys():
            return [t for tensor in inner for t in flat_tensors(by_name[tensor.layer])]
    return flat_tensors(value)


def _hashable(value: Any) -> Any:
    """Return a key for a part of a mask; a NaN equals itself here."""
    return repr(float(value)) if isinstance(value, (int, float)) else value
