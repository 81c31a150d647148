"""The types that rules take and return, and the checks that they share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from lstmgraph.keras_facts.tensors import Dim, TensorSpec

FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})

# keras.ops computes the mean or tanh of integers in `floatx`, whatever the layer's policy is.
FLOAT_OF_INTEGERS = "float32"


Shape = tuple[int, ...]


@dataclass(frozen=True)
class Weight:
    """One variable of a layer."""

    shape: Shape
    trainable: bool = True
    part: str = ""
    """The attribute of the layer that holds it, such as ``cell``; "" for the layer itself."""
    in_files: bool = True
    """False for LoRA's two matrices, which Keras adds to the kernel when saving."""
    shared: bool = False
    """Whether it is another of the layer's weights again, which files hold twice."""

    def within(self, part: str) -> "Weight":
        """Return the weight as part of a layer that is the attribute `part` of another layer."""
        return replace(self, part=f"{part}/{self.part}" if self.part else part)


@dataclass(frozen=True)
class LayerFacts:
    """A layer's output, and its variables in the order in which Keras saves them.

    ``trainable`` and ``non_trainable`` count numbers rather than variables, and do not include the
    states of random generators.
    """

    output: TensorSpec
    weights: tuple[Weight, ...] = ()

    @property
    def trainable(self) -> int:
        """The number of trained numbers."""
        return sum(prod(weight.shape) for weight in self.own if weight.trainable)

    @property
    def non_trainable(self) -> int:
        """The number of numbers that are not trained."""
        return sum(prod(weight.shape) for weight in self.own if not weight.trainable)

    @property
    def own(self) -> tuple[Weight, ...]:
        """The variables without repetitions."""
        return tuple(weight for weight in self.weights if not weight.shared)


def places(weights: Sequence[Weight]) -> dict[str, Shape]:
    """Return the shapes of a layer's weights by their paths in a weights file: ``cell/vars/0``."""
    shapes: dict[str, Shape] = {}
    counts: dict[str, int] = {}
    for weight in weights:
        if weight.in_files:
            number = counts.get(weight.part, 0)
            counts[weight.part] = number + 1
            shapes[f"{weight.part}/vars/{number}".removeprefix("/")] = weight.shape
    return dict(sorted(shapes.items()))


class LayerMistake(Exception):  # noqa: N818 - a mistake in a recipe, not a program failure
    """Raised for arguments or inputs that a layer cannot have."""

    def __init__(
        self,
        message: str,
        *,
        argument: str | None = None,
        input: int | None = None,  # noqa: A002 - the recipe's word
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.argument = argument
        self.input = input
        self.hint = hint


FactsOf = Callable[[str, Mapping[str, Any], Sequence[TensorSpec], str], LayerFacts]


@dataclass(frozen=True)
class Call:
    """One call of a Keras layer: all its ``arguments``, and its ``inputs`` in the call's order."""

    layer: str
    arguments: Mapping[str, Any]
    inputs: tuple[TensorSpec, ...]
    compute_dtype: str
    facts_of: FactsOf
    """Returns the facts of another layer; for wrappers."""

    @property
    def input(self) -> TensorSpec:
        """The only input of a layer that takes exactly one."""
        if len(self.inputs) != 1:
            raise LayerMistake(
                f"{self.layer} takes one input, but got {len(self.inputs)}",
                hint="merge the inputs first, for example with Concatenate",
            )
        return self.inputs[0]

    def facts(
        self,
        shape: Sequence[Dim],
        *,
        dtype: str | None = None,
        weights: Sequence[Weight] = (),
    ) -> LayerFacts:
        """Return facts with an output of ``shape``, in ``dtype`` or else the compute dtype."""
        output = TensorSpec(tuple(shape), dtype or self.compute_dtype)
        return LayerFacts(output, tuple(weights))


Rule = Callable[[Call], LayerFacts]


def is_float(dtype: str) -> bool:
    """Return whether Keras casts a tensor of this dtype to a layer's compute dtype."""
    return dtype in FLOATS


def kept_dtype(call: Call, spec: TensorSpec) -> str:
    """Return the dtype of a tensor that a layer passes on: Keras casts floats, not integers."""
    return call.compute_dtype if is_float(spec.dtype) else spec.dtype


def require_float(call: Call, index: int = 0) -> None:
    """Check that an input is float: with integers, TensorFlow would fail or round at run time."""
    if not is_float(call.inputs[index].dtype):
        raise LayerMistake(
            f"{call.layer} needs floats, but got {call.inputs[index].dtype}",
            input=index,
            hint="declare the input with `dtype: float32`, or put an Embedding, CategoryEncoding "
            "or Rescaling before this layer",
        )


def require_number(call: Call, index: int = 0) -> None:
    """Check that an input is not bool."""
    if call.inputs[index].dtype == "bool":
        raise LayerMistake(
            f"{call.layer} needs numbers, but got bool",
            input=index,
            hint="declare the input with `dtype: float32` or `dtype: int32`",
        )


def require_rank(call: Call, rank: int, layout: str, *, hint: str = "", index: int = 0) -> None:
    """Check that an input has exactly ``rank`` dimensions, including the batch."""
    spec = call.inputs[index]
    if spec.rank != rank:
        raise LayerMistake(
            f"{call.layer} needs a {layout} input, but got {spec}",
            input=index,
            hint=hint or f"reshape the input to {layout}",
        )


def require_min_rank(call: Call, rank: int, layout: str, *, index: int = 0) -> None:
    """Check that an input has at least ``rank`` dimensions, including the batch."""
    spec = call.inputs[index]
    if spec.rank < rank:
        raise LayerMistake(
            f"{call.layer} needs a {layout} input, but got {spec}",
            input=index,
            hint=f"reshape the input to {layout}",
        )


def static_dim(call: Call, axis: int, *, argument: str | None = None, index: int = 0) -> int:
    """Return the size of an axis with weights, which must not depend on the data."""
    spec = call.inputs[index]
    dim = spec.shape[axis]
    if isinstance(dim, int):
        return dim
    raise LayerMistake(
        f"{call.layer} has weights along axis {axis} of {spec}, "
        f"but `{dim}` is known only from the data",
        argument=argument,
        input=index,
        hint=f"give `{dim}` a fixed size in the input's shape, or reduce that axis first, for "
        "example with a pooling layer or a recurrent layer's last output",
    )


def positive_axis(call: Call, axis: int, rank: int, *, argument: str = "axis") -> int:
    """Return ``axis`` counted from the front, after checking that it is in range."""
    if not -rank <= axis < rank:
        raise LayerMistake(
            f"`{argument}: {axis}` is out of range for {call.layer}'s input {call.inputs[0]}",
            argument=argument,
            hint=f"write an axis from {-rank} to {rank - 1}",
        )
    return axis % rank


def require_positive(call: Call, *names: str) -> None:
    """Check that sizes are positive, also inside lists; ``None`` is allowed."""
    for name in names:
        value = call.arguments[name]
        sizes = value if isinstance(value, list | tuple) else [value]
        if any(size is not None and size <= 0 for size in sizes):
            raise LayerMistake(
                f"{call.layer}'s `{name}` must be positive, not {value}",
                argument=name,
                hint=f"write `{name}: 1` or more",
            )


def require_fraction(call: Call, name: str) -> None:
    """Check that a rate is from 0 to 1."""
    if not 0 <= call.arguments[name] <= 1:
        raise LayerMistake(
            f"{call.layer}'s `{name}` must be from 0 to 1, not {call.arguments[name]}",
            argument=name,
            hint=f"write the fraction of values to act on, such as `{name}: 0.1`",
        )


def per_dimension(call: Call, name: str, dimensions: int) -> tuple[int, ...]:
    """Return an argument as one int per dimension; it may be one int, or a list of them."""
    value = call.arguments[name]
    if isinstance(value, int):
        return (value,) * dimensions
    if len(value) != dimensions:
        raise LayerMistake(
            f"{call.layer}'s `{name}` must be {dimensions} integers, not {list(value)}",
            argument=name,
            hint=f"write one integer, or a list of {dimensions}",
        )
    return tuple(value)


def adapted(call: Call, kernel: Shape, bias: Sequence[Weight]) -> list[Weight]:
    """Return the weights of a kernel and its bias.

    With ``lora_rank``, Keras freezes the kernel and trains two thin matrices in addition.
    """
    rank = call.arguments.get("lora_rank")
    if not rank:
        return [Weight(kernel), *bias]
    thin = (*kernel[:-1], rank), (rank, kernel[-1])
    return [
        Weight(kernel, trainable=False),
        *bias,
        *(Weight(shape, in_files=False) for shape in thin),
    ]


def bias(call: Call, *shape: int) -> list[Weight]:
    """Return the bias, or nothing if ``use_bias`` is false."""
    return [Weight(shape)] if call.arguments["use_bias"] else []
