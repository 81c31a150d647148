"""Recognition of operations of ``keras.ops``: those that lstmgraph emits, and others with a layer.

A recipe has no word for most operations, but it has for what they are used for: masks, joined
inputs, constant states. What has neither that use nor a layer stays an `Operation`, and is named
as a problem where something reads it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.importing.expressions import (
    Constant,
    Filled,
    Fold,
    Join,
    Mask,
    Operation,
    Port,
    Repeat,
    RowIds,
    Step,
    Value,
    Zeros,
)
from lstmgraph.interop.importing.masks import as_mask, unfilled
from lstmgraph.interop.keras_model import Constant as KerasConstant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.interop.importing.expressions import Expression, Shape
    from lstmgraph.interop.keras_model import Layer

ACTIVATIONS = {
    **{"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softplus": "softplus"},
    **{"Silu": "silu", "Gelu": "gelu", "Elu": "elu", "Selu": "selu", "Exp": "exponential"},
    **{"HardSigmoid": "hard_sigmoid", "LeakyRelu": "leaky_relu", "Relu6": "relu6"},
    **{"Softsign": "softsign", "LogSigmoid": "log_sigmoid", "Softmax": "softmax"},
    "LogSoftmax": "log_softmax",
}
"""Operations of one tensor that are activations of Keras."""
MERGES = {"Add": "Add", "Subtract": "Subtract", "Multiply": "Multiply"}
MERGES |= {"Maximum": "Maximum", "Minimum": "Minimum"}
LEAST = -60000.0
"""Below it are the numbers that stand in padded steps to mark them."""
FLOATS = ("float16", "bfloat16", "float32", "float64", "")


def lifted_operation(  # noqa: PLR0913, PLR0917 - the parts of an operation
    lifting: Any,
    layer: Layer,
    arguments: tuple[Any, ...],
    keywords: Mapping[str, Any],
    output: int,
    shape: Shape | None,
    dtype: str,
) -> Value:
    """Return the value of an operation's output."""
    reader = _Reader(lifting, layer, arguments, keywords, output, shape, dtype)
    method = getattr(reader, f"read_{layer.type.lower()}", None)
    expression = method() if method else None
    if isinstance(expression, Value):
        return expression
    if expression is None:
        made = reader.as_layer()
        if made is not None:
            return made
        expression = reader.operation()
    return Value(expression, None, shape, dtype)


def slice_of(key: Any) -> tuple[Any, Any, Any] | None:
    """Return start, stop and step of a slice, as configurations write it; None for a number."""
    return (key.start, key.stop, key.step) if isinstance(key, slice) else None


class _Reader:
    def __init__(  # noqa: PLR0913, PLR0917 - the parts of an operation
        self,
        lifting: Any,
        layer: Layer,
        arguments: tuple[Any, ...],
        keywords: Mapping[str, Any],
        output: int,
        shape: Shape | None,
        dtype: str,
    ) -> None:
        self.lifting = lifting
        self.layer = layer
        self.arguments = arguments
        self.keywords = dict(keywords)
        self.output = output
        self.shape = shape
        self.dtype = dtype
        self.given: list[Any] = [*arguments, *keywords.values()]

    # --- helpers ---

    def operation(self) -> Operation:
        def frozen(value: Any) -> Any:
            if isinstance(value, Value):
                return value.expression
            if isinstance(value, list | tuple):
                return tuple(frozen(each) for each in value)
            if isinstance(value, dict):
                return repr(value)
            return value if isinstance(value, str | int | float | bool | None) else repr(value)

        config = {key: each for key, each in self.layer.config.items() if key != "name"}
        return Operation(
            self.layer.name,
            self.layer.type,
            tuple((key, frozen(each)) for key, each in config.items()),
            tuple(frozen(each) for each in self.arguments),
            tuple((key, frozen(each)) for key, each in self.keywords.items()),
        )

    def value(self, place: int = 0) -> Value | None:
        own = self.given[place] if place < len(self.given) else None
        return own if isinstance(own, Value) else None

    def expression(self, place: int = 0) -> Expression | None:
        value = self.value(place)
        return value.expression if value else None

    def setting(self, key: str, place: int | None = None, default: Any = None) -> Any:
        """Return an argument of the operation, wherever Keras keeps it."""
        if key in self.layer.config:
            return self.layer.config[key]
        if key in self.keywords:
            return self.keywords[key]
        if place is not None and place < len(self.arguments):
            return self.arguments[place]
        return default

    @property
    def rank(self) -> int:
        return len(self.shape or ())

    def rank_of(self, place: int = 0) -> int:
        value = self.value(place)
        return len(value.shape or ()) if value else 0

    def sizes_of(self, place: int = 0) -> Shape:
        value = self.value(place)
        return tuple(value.shape or ()) if value else ()

    def make(self, type_: str, config: Mapping[str, Any], *inputs: Value) -> Value:
        plain = [Value(_source(each.expression), None, each.shape, each.dtype) for each in inputs]
        return self.lifting.make(  # type: ignore[no-any-return]
            type_, config, plain, shape=self.shape, dtype=self.dtype
        )

    # --- copies ---

    def read_copy(self) -> Expression | None:
        return self.expression()

    def read_identity(self) -> Expression | None:
        return self.expression()

    def read_stopgradient(self) -> None:
        return None

    def read_cast(self) -> Expression | None:
        value = self.value()
        if value is None:
            return None
        target = str(self.setting("dtype", 1, ""))
        both = (value.dtype, target)
        if isinstance(value.expression, Constant | Zeros | RowIds):
            return value.expression
        if isinstance(value.expression, Operation) and value.expression.type in (
            "ZerosLike",
            "OnesLike",
        ):
            return self.operation()
        if all(each in FLOATS for each in both) or all("int" in each for each in both):
            return value.expression
        return None

    # --- masks ---

    def read_notequal(self) -> Expression | None:
        value, number = self._with_number()
        if value is None or number is None:
            return None
        ids = "int" in value.dtype and number == 0
        return Mask("ids", value.expression) if ids else None

    def _with_number(self) -> tuple[Value | None, float | None]:
        """Return the tensor and the number of an operation of both."""
        values = [each for each in self.given if isinstance(each, Value)]
        numbers = [
            each
            for each in self.given
            if isinstance(each, int | float) and not isinstance(each, bool)
        ]
        if len(values) == 1 and len(numbers) == 1:
            return values[0], numbers[0]
        return None, None

    def read_any(self) -> Expression | None:
        own = self.expression()
        if isinstance(own, Operation) and own.type == "NotEqual":
            number = next((n for n in own.arguments if isinstance(n, int | float)), None)
            source = next((n for n in own.arguments if not isinstance(n, int | float)), None)
            if number is not None and source is not None:
                return Mask("value", _source(source), float(number))
        if isinstance(own, Mask):
            return Mask("other", Port("some"), expression=self.operation())
        return None

    def read_lessequal(self) -> Expression | None:
        return self._lengths("LessEqual", first=1)

    def read_less(self) -> Expression | None:
        return self._lengths("Less", first=0)

    def read_greater(self) -> Expression | None:
        self.given = self.given[::-1]
        return self._lengths("Greater", first=0)

    def read_greaterequal(self) -> Expression | None:
        self.given = self.given[::-1]
        return self._lengths("GreaterEqual", first=1)

    def _lengths(self, _type: str, first: int) -> Expression | None:
        """Return the mask of ``steps <= lengths``, with the numbers of steps on the left."""
        if len(self.given) != 2:
            return None
        steps, lengths = self.given
        if not isinstance(lengths, Value) or not _counts(steps, first):
            return None
        source = lengths.expression
        while isinstance(source, Operation) and source.type in ("ExpandDims", "Cast", "Reshape"):
            source = source.arguments[0]
        if isinstance(source, Operation) and source.type == "GetItem":  # lengths[:, None]
            source = source.arguments[0]
        if isinstance(source, Port) and source.layer in self.lifting.input_layers:
            return Mask("lengths", source, like=_counted(steps))
        return Mask("other", Port("counted"), expression=self.operation())

    def read_where(self) -> Expression | None:
        if len(self.given) != 3 or not isinstance(self.given[0], Value):
            return None
        condition, source, other = self.given
        mask = _mask_in(condition.expression)
        number = other if isinstance(other, int | float) else None
        if mask is None or not isinstance(source, Value):
            return None
        if number is None:
            if isinstance(other, Value) and isinstance(other.expression, Operation):
                return Filled(source.expression, mask, LEAST * 2)
            return None
        if number == 0 or number < LEAST:
            return Filled(source.expression, mask, float(number))
        return None

    def read_expanddims(self) -> Expression | None:
        own = self.expression()
        if isinstance(own, Mask | Constant | Zeros | Fold):  # of a fold, steps of one step each
            return own
        return None

    def read_logicaland(self) -> Expression | None:
        own = [each.expression for each in self.given if isinstance(each, Value)]
        masks = [each for each in own if isinstance(each, Mask)]
        if (
            masks
            and all(
                isinstance(each, Mask)
                or (isinstance(each, Operation) and each.type in ("OnesLike", "Cast"))
                for each in own
            )
            and len(masks) == 1
        ):
            return masks[0]
        return Mask("other", Port("and"), expression=self.operation()) if masks else None

    def read_logicalor(self) -> Expression | None:
        """Return the mask of an average, in which all steps of an empty row count."""
        own = [each.expression for each in self.given if isinstance(each, Value)]
        first = as_mask(own[0]) if own and isinstance(own[0], Mask | Port) else None
        if first is not None and len(own) == 2 and _is_none_of(own[1], first):
            return first
        return Mask("other", Port("or"), expression=self.operation()) if first else None

    # --- joined inputs, repeated vectors ---

    def read_concatenate(self) -> Expression | None:
        given = self.given[0]
        parts = [each for each in given if isinstance(each, Value)]
        if len(parts) != len(given):
            return None
        axis = int(self.setting("axis", 1, -1))
        axis = axis - self.rank if axis > 0 and axis == self.rank - 1 else axis
        own = tuple(value.expression for value in parts)
        if all(isinstance(each, Mask) for each in own):
            return Mask("other", Port("joined"), expression=self.operation())
        ranks = {len(value.shape or ()) for value in parts}
        if axis == -1 and self.rank == 3 and ranks == {3}:
            return Join(own)
        if axis == 1 and all(isinstance(_source(each), Port) for each in own):
            loop = self._stacked(own)
            if loop is not None:
                return loop
        if any(not isinstance(_source(each), Port) for each in own):
            return None
        return self.make("Concatenate", {"axis": axis}, *parts)  # type: ignore[return-value]

    def _stacked(self, _own: tuple[Expression, ...]) -> Expression | None:
        return None

    def read_multiply(self) -> Expression | None:
        """Return a static tensor times ones of a sequence's steps, which repeats it."""
        own = [each.expression for each in self.given if isinstance(each, Value)]
        if len(own) != 2:
            return None
        for static, ones in (own, own[::-1]):
            along = _steps_of_ones(ones)
            if along is None or not isinstance(static, Operation):
                continue
            if static.type == "ExpandDims" and static.get("axis", _at(static, 1)) == 1:
                return Repeat(static.arguments[0], along[0], along[1])
        return None

    def read_tile(self) -> Expression | None:
        return None

    # --- states ---

    def read_oneslike(self) -> Expression | None:
        return None

    def read_zeroslike(self) -> Expression | None:
        if self.rank == 2 and self.dtype in FLOATS:  # of whatever numbers: those of a state
            return Zeros()
        if self.rank == 1 and "int" in self.dtype:
            return RowIds()
        return None

    def read_repeat(self) -> Expression | None:
        own = self.expression()
        if isinstance(own, Operation) and own.type == "ZerosLike":
            return Zeros()
        if isinstance(own, Zeros):
            return own
        return None

    def read_add(self) -> Expression | None:
        value, number = self._with_number()
        if value is not None and isinstance(value.expression, Zeros) and number is not None:
            return Constant(number)
        if value is None:
            values = [each for each in self.given if isinstance(each, Value)]
            numbers = [each for each in self.given if not isinstance(each, Value)]
            if len(values) == 1 and isinstance(values[0].expression, Zeros) and numbers:
                listed = _numbers(numbers[0])
                return Constant(tuple(listed)) if listed else None
        return None

    # --- shapes ---

    def read_swapaxes(self) -> Expression | None:
        own = self.expression()
        axes = {self.setting("axis1", 1), self.setting("axis2", 2)}
        if axes == {0, 1} and isinstance(own, Port) and own.layer in self.lifting.input_layers:
            return self._time_major(own)
        return None

    def _time_major(self, port: Port) -> Port:
        """Return an input that the model transposes, whose shape now has the batch first."""
        self.lifting.time_major.add(port.layer)
        if self.shape is not None:
            self.lifting.shapes[port] = tuple(self.shape)
        return port

    def read_transpose(self) -> Expression | None:
        own, axes = self.expression(), self.setting("axes", 1)
        axes = [*axes] if isinstance(axes, list | tuple) else None
        if axes is None:
            return None
        if (
            axes[:2] == [1, 0]
            and axes[2:] == list(range(2, len(axes)))
            and isinstance(own, Port)
            and own.layer in self.lifting.input_layers
        ):
            return self._time_major(own)
        value = self.value()
        if axes[0] == 0 and value is not None and isinstance(_source(value.expression), Port):
            return self.make("Permute", {"dims": axes[1:]}, value)  # type: ignore[return-value]
        return None

    def read_reshape(self) -> Expression | None:
        return self._reshaped()

    def read_take(self) -> Expression | None:
        """Return what is folded or unfolded by the numbers of its rows."""
        if self.setting("axis", 2) != 0 or len(self.given) < 2:
            return None
        own = self.expression()
        if isinstance(own, Mask):
            return own
        if isinstance(own, Operation) and own.type == "Reshape":
            source = own.arguments[0]
            rank = self.lifting_rank(source)
            return Fold(source, rank - self.rank) if rank and rank > self.rank else None
        if isinstance(own, Fold):
            base = self._rank_of_base(own)
            if base is not None and base > self.rank:
                return Fold(own.source, base - self.rank)
        if isinstance(own, Port) and self.rank > self.rank_of():
            return self._unfolded(own)
        return None

    def _unfolded(self, port: Port) -> Port:
        """Return a port whose shape is now known with the axes that were folded."""
        if self.shape is not None:
            self.lifting.shapes[port] = tuple(self.shape)
        return port

    def _rank_of_base(self, fold: Fold) -> int | None:
        return self.lifting_rank(fold.source)

    def lifting_rank(self, expression: Any) -> int | None:
        """Return the rank of a port, or of what else has one."""
        own = _source(expression)
        if isinstance(own, Port):
            shape = self.lifting.shapes.get(own)
            return len(shape) if shape else None
        if isinstance(own, Mask):
            source = self.lifting_rank(own.source)
            if source is None:
                return None
            return {"lengths": source + 1, "value": source - 1}.get(own.kind, source)
        return None

    def _reshaped(self) -> Expression | None:
        value, own = self.value(), self.expression()
        if value is None or not self.shape or not value.shape:
            return None
        before, after = len(value.shape), len(self.shape)
        source = _source(own)
        if isinstance(own, Mask):
            return own
        if after < before and self._folds(value.shape, before - after):
            return Fold(source, before - after)
        if after > before and isinstance(source, Port) and self._is_folded(source):
            return self._unfolded(source)
        sizes = self.shape[1:]
        if not isinstance(source, Port) or None in (*sizes, *value.shape[1:]):
            return None
        if value.shape[0] == self.shape[0] and _count(value.shape[1:]) == _count(sizes):
            return self.make("Reshape", {"target_shape": list(sizes)}, value)  # type: ignore[return-value]
        return None

    def _folds(self, shape: Shape, axes: int) -> bool:
        """Return whether the reshape folds axes into the batch, and leaves the others."""
        if self.shape is None or tuple(shape[axes + 1 :]) != tuple(self.shape[1:]):
            return False
        rows, before = self.shape[0], shape[0]
        return rows != before or rows is None

    def _is_folded(self, port: Port) -> bool:
        return any(
            node.name == port.layer and (node.folds or node.one_step) for node in self.lifting.nodes
        )

    def read_squeeze(self) -> Expression | None:
        own = self.expression()
        if isinstance(own, Port):
            node = next((n for n in self.lifting.nodes if n.name == own.layer), None)
            if node is not None and node.one_step:
                return own  # one step a row, which Keras gets where their number is open
        if isinstance(own, Mask | Zeros | Constant):
            return own
        value = self.value()
        if value is not None and isinstance(_source(own), Port) and self._sizes_known():
            return self.make("Reshape", {"target_shape": list((self.shape or ())[1:])}, value)  # type: ignore[return-value]
        return None

    def _sizes_known(self) -> bool:
        return self.shape is not None and None not in self.shape[1:] and self.rank > 1

    def read_split(self) -> Expression | None:
        value = self.value()
        own = self.expression()
        if value is None or not value.shape:
            return None
        axis = int(self.setting("axis", 2, 0)) % len(value.shape)
        steps = value.shape[axis]
        if axis == 1 and steps and self.shape and self.shape[1] == 1:
            return Step(own, self.output, int(steps))  # type: ignore[arg-type]
        return None

    def read_getitem(self) -> Expression | None:
        own, value = self.expression(), self.value()
        if value is None or len(self.given) < 2:
            return None
        key = self.given[1]
        keys = list(key) if isinstance(key, list | tuple) else [key]
        slices = [slice_of(each) for each in keys]
        whole = (None, None, None)
        if isinstance(own, Mask):
            cut = slices[1] if len(slices) > 1 else None
            if cut is not None and cut != whole:  # some steps of it
                return Mask("other", Port("step"), expression=self.operation())
            return own
        if len(keys) == 2 and slices[0] == whole and keys[1] == -1 and isinstance(own, Port):
            last = self._last(own, value)
            if last is not None:
                return last
        if len(keys) == 2 and slices[0] == whole and isinstance(keys[1], int):
            return self._one_step(value, keys[1])
        if len(keys) >= 2 and slices[0] == whole and slices[1] is not None:
            start, stop, step = slices[1]
            size = (value.shape or (None, None))[1]
            rest = all(each == whole for each in slices[2:])
            if step in (None, 1) and rest and size and self.rank == 3:
                places = range(int(size))[start:stop]
                if len(places) == 1:
                    return Step(own, places[0], int(size))  # type: ignore[arg-type]
        return None

    def _one_step(self, value: Value, place: int) -> Expression | None:
        """Return one step of a sequence of known steps, (batch, features), by two layers."""
        shape = value.shape or ()
        if len(shape) != 3 or None in shape[1:] or value.dtype not in FLOATS:
            return None
        if not isinstance(_source(value.expression), Port):
            return None
        steps, features = int(shape[1] or 0), shape[2]
        place %= steps
        before = self.shape
        self.shape = (shape[0], 1, features)
        step = self.make("Cropping1D", {"cropping": [place, steps - place - 1]}, value)
        self.shape = before
        return self.make("Reshape", {"target_shape": [features]}, step)  # type: ignore[return-value]

    def _last(self, port: Port, value: Value) -> Expression | None:
        """Return the last output of a layer in the place of the last step of its sequence."""
        if port.output != "sequence":
            return None
        node = next((n for n in self.lifting.nodes if n.name == port.layer), None)
        recurrent = node.recurrent if node else None
        if node is None or recurrent is None or recurrent.backward is not None:
            return None
        if value.mask is not None and recurrent.config.get("zero_output_for_mask"):
            return None
        return Port(port.layer, "last")

    # --- layers in the place of operations ---

    def as_layer(self) -> Value | None:
        """Return the output of a layer that computes the same; None if there is none."""
        type_ = self.layer.type
        values = [each for each in self.given if isinstance(each, Value)]
        ports = [each for each in values if isinstance(_source(each.expression), Port | Join)]
        if not values or len(ports) != len(values) or any(v.dtype not in FLOATS for v in values):
            return None
        if any(isinstance(each.expression, Join) for each in ports):
            values = [self._joined(each) for each in values]
        if type_ in ACTIVATIONS and len(values) == 1:
            axis = self.setting("axis", None, -1)
            if type_ == "Softmax" and axis not in (-1, self.rank - 1):
                return self.make("Softmax", {"axis": axis}, *values)
            return self.make("Activation", {"activation": ACTIVATIONS[type_]}, *values)
        if type_ in MERGES and len(values) == 2:
            if len({len(value.shape or ()) for value in values}) == 1:
                return self.make(MERGES[type_], {}, *values)
            return None
        value, number = self._with_number()
        if value is None or number is None:
            return self._pooled(type_, values)
        scaled = {
            "Multiply": (number, 0.0),
            "Add": (1.0, number),
            "TrueDivide": (1 / number if number else 0.0, 0.0),
            "Divide": (1 / number if number else 0.0, 0.0),
        }
        if type_ == "Subtract":
            first = isinstance(self.given[0], Value)
            scaled["Subtract"] = (1.0, -number) if first else (-1.0, number)
        if type_ in scaled:
            scale, offset = scaled[type_]
            config = {"scale": scale, "offset": offset}
            return self.make("Rescaling", config, *values)
        return None

    def _joined(self, value: Value) -> Value:
        """Return what is joined on features as the output of a `concatenate` layer."""
        own = value.expression
        if not isinstance(own, Join) or any(not isinstance(_source(p), Port) for p in own.parts):
            return value
        parts = [Value(_source(part)) for part in own.parts]
        return self.lifting.make(  # type: ignore[no-any-return]
            "Concatenate", {"axis": -1}, parts, shape=value.shape, dtype=value.dtype
        )

    def _pooled(self, type_: str, values: list[Value]) -> Value | None:
        axis = self.setting("axis", 1)
        axes = list(axis) if isinstance(axis, list | tuple) else [axis]
        kinds = {"Mean": "GlobalAveragePooling1D", "Max": "GlobalMaxPooling1D"}
        if type_ in kinds and len(values) == 1 and self.rank_of() == 3 and axes in ([1], [-2]):
            keeps = bool(self.setting("keepdims", None, False))
            return self.make(kinds[type_], {"keepdims": keeps}, *values)
        return None


def _count(shape: Shape) -> int:
    return math.prod(size or 0 for size in shape)


def _source(expression: Any) -> Any:
    return _source(expression.source) if isinstance(expression, Filled) else expression


def _at(operation: Operation, place: int) -> Any:
    return operation.arguments[place] if place < len(operation.arguments) else None


def _mask_in(expression: Any) -> Mask | None:
    """Return a mask, with or without axes behind it."""
    if isinstance(expression, Mask):
        return expression
    if isinstance(expression, Fold):
        return _mask_in(expression.source)
    if isinstance(expression, Operation) and expression.type in ("ExpandDims", "Cast", "GetItem"):
        return _mask_in(expression.arguments[0])
    if isinstance(expression, Port):
        return Mask("input", expression)
    return None


def _counts(value: Any, first: int) -> bool:
    """Return whether a value is the numbers of the steps, from `first` on."""
    if isinstance(value, Value):
        own = value.expression
        while isinstance(own, Operation) and own.type in ("ExpandDims", "Cast", "GetItem"):
            own = own.arguments[0]
        if isinstance(own, Operation) and own.type == "Subtract" and own.arguments[1:] == (1,):
            return first == 0 and _counts(Value(own.arguments[0]), 1)
        return isinstance(own, Operation) and own.type == "Cumsum" and first == 1
    numbers = _numbers(value)
    return bool(numbers) and numbers == [first + step for step in range(len(numbers))]


def _counted(steps: Any) -> Expression | None:
    """Return the sequence of whose steps `steps` are the numbers, if they are counted in one."""
    own = steps.expression if isinstance(steps, Value) else None
    while isinstance(own, Operation) and own.type != "OnesLike":
        own = own.arguments[0] if own.arguments else None
    found = _steps_of_ones(own)
    return unfilled(found[0]) if found else None


def _numbers(value: Any) -> list[float]:
    """Return the numbers of a constant tensor, flat."""
    value = value.value if isinstance(value, KerasConstant) else value
    found: list[float] = []
    waiting = [value]
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, list | tuple):
            waiting = [*each, *waiting]
        elif isinstance(each, int | float):
            found.append(float(each))
        else:
            return []
    return found


def _is_none_of(expression: Expression, mask: Mask) -> bool:
    """Return whether an expression is true for the rows of which `mask` counts no step."""
    if not isinstance(expression, Operation) or expression.type != "LogicalNot":
        return False
    some = as_mask(expression.arguments[0]).expression
    return (
        isinstance(some, Operation)
        and some.type == "Any"
        and isinstance(some.arguments[0], Mask | Port)
        and as_mask(some.arguments[0]) == mask
    )


def _steps_of_ones(expression: Any) -> tuple[Any, int] | None:
    """Return the tensor, and its axis, of whose steps `expression` is ones, (batch, steps, 1)."""
    if not isinstance(expression, Operation) or expression.type != "OnesLike":
        return None
    own = expression.arguments[0]
    axis = 1
    while isinstance(own, Operation) and own.type in ("GetItem", "ExpandDims"):
        own = own.arguments[0]
    if isinstance(own, Filled):
        own = own.source
    return (own, axis) if isinstance(own, Port | Fold | Join | Step) else None
