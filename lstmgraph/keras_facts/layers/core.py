"""What every rule of this package reads and returns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from lstmgraph.keras_facts.tensors import Dim, TensorSpec

FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})

# keras.ops computes the mean or tanh of integers in `floatx`, whatever the layer's policy says.
FLOAT_OF_INTEGERS = "float32"


Shape = tuple[int, ...]


@dataclass(frozen=True)
class Weight:
    """One variable of a layer."""

    shape: Shape
    trainable: bool = True
    part: str = ""
    """The attribute of the layer that holds it, such as ``cell``; empty for the layer itself."""
    in_files: bool = True
    """False for LoRA's two matrices, which Keras adds to the kernel when it saves."""
    shared: bool = False
    """Whether it is one of the others once more, which files hold twice."""

    def within(self, part: str) -> "Weight":
        """The same weight of a layer that is the attribute `part` of another."""
        return replace(self, part=f"{part}/{self.part}" if self.part else part)


@dataclass(frozen=True)
class LayerFacts:
    """A layer's output and the variables that it holds, in the order in which Keras saves them.

    ``trainable`` and ``non_trainable`` count numbers, not variables, and disregard the layer's
    ``trainable`` switch; the states of random generators are not counted.
    """

    output: TensorSpec
    weights: tuple[Weight, ...] = ()

    @property
    def trainable(self) -> int:
        """How many numbers are trained."""
        return sum(prod(weight.shape) for weight in self.own if weight.trainable)

    @property
    def non_trainable(self) -> int:
        """How many numbers are not trained."""
        return sum(prod(weight.shape) for weight in self.own if not weight.trainable)

    @property
    def own(self) -> tuple[Weight, ...]:
        """Each variable once."""
        return tuple(weight for weight in self.weights if not weight.shared)


def places(weights: Sequence[Weight]) -> dict[str, Shape]:
    """Shapes of a layer's weights by where a weights file has them: ``cell/vars/0``."""
    found: dict[str, Shape] = {}
    counts: dict[str, int] = {}
    for weight in weights:
        if weight.in_files:
            number = counts.get(weight.part, 0)
            counts[weight.part] = number + 1
            found[f"{weight.part}/vars/{number}".removeprefix("/")] = weight.shape
    return dict(sorted(found.items()))


class LayerMistake(Exception):  # noqa: N818 - a mistake in a recipe, not an error of this program
    """What a layer cannot do with these arguments and inputs."""

    def __init__(
        self,
        message: str,
        *,
        argument: str | None = None,
        input: int | None = None,  # noqa: A002 - the caller's word for it
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
    """One call of a Keras layer: complete ``arguments``, and ``inputs`` in the call's order."""

    layer: str
    arguments: Mapping[str, Any]
    inputs: tuple[TensorSpec, ...]
    compute_dtype: str
    facts_of: FactsOf
    """Facts of another layer, for wrappers."""

    @property
    def input(self) -> TensorSpec:
        """The only input of a layer that takes exactly one."""
        if len(self.inputs) != 1:
            raise LayerMistake(
                f"{self.layer} takes one input, got {len(self.inputs)}",
                hint="merge the inputs first, for instance with Concatenate",
            )
        return self.inputs[0]

    def facts(
        self,
        shape: Sequence[Dim],
        *,
        dtype: str | None = None,
        weights: Sequence[Weight] = (),
    ) -> LayerFacts:
        """Facts with an output in the compute dtype, unless ``dtype`` says otherwise."""
        output = TensorSpec(tuple(shape), dtype or self.compute_dtype)
        return LayerFacts(output, tuple(weights))


Rule = Callable[[Call], LayerFacts]


def is_float(dtype: str) -> bool:
    """Whether Keras casts a tensor of this dtype to a layer's compute dtype."""
    return dtype in FLOATS


def kept_dtype(call: Call, spec: TensorSpec) -> str:
    """Dtype of a tensor that a layer passes on: Keras casts floats only, integers stay."""
    return call.compute_dtype if is_float(spec.dtype) else spec.dtype


def require_float(call: Call, index: int = 0) -> None:
    """Refuse integers and booleans where TensorFlow would fail, or round, when the layer runs."""
    if not is_float(call.inputs[index].dtype):
        raise LayerMistake(
            f"{call.layer} computes with floats, got {call.inputs[index].dtype}",
            input=index,
            hint="declare the input float32, or put an Embedding, CategoryEncoding or Rescaling "
            "before this layer",
        )


def require_number(call: Call, index: int = 0) -> None:
    """Refuse booleans where integers would do."""
    if call.inputs[index].dtype == "bool":
        raise LayerMistake(
            f"{call.layer} computes with numbers, got bool",
            input=index,
            hint="declare the input float32 or int32",
        )


def require_rank(call: Call, rank: int, layout: str, *, hint: str = "", index: int = 0) -> None:
    """Refuse an input that has not exactly ``rank`` dimensions, the batch included."""
    spec = call.inputs[index]
    if spec.rank != rank:
        raise LayerMistake(
            f"{call.layer} needs a {layout} input, got {spec}",
            input=index,
            hint=hint or f"reshape the input to {layout}",
        )


def require_min_rank(call: Call, rank: int, layout: str, *, index: int = 0) -> None:
    """Refuse an input that has fewer than ``rank`` dimensions, the batch included."""
    spec = call.inputs[index]
    if spec.rank < rank:
        raise LayerMistake(
            f"{call.layer} needs a {layout} input, got {spec}",
            input=index,
            hint=f"reshape the input to {layout}",
        )


def static_dim(call: Call, axis: int, *, argument: str | None = None, index: int = 0) -> int:
    """The size of an axis that has weights along it, and so must be known before data arrives."""
    spec = call.inputs[index]
    dim = spec.shape[axis]
    if isinstance(dim, int):
        return dim
    raise LayerMistake(
        f"{call.layer} has weights along axis {axis} of {spec}, "
        f"but `{dim}` is known only when data arrives",
        argument=argument,
        input=index,
        hint=f"give `{dim}` a fixed size in the input's shape, or reduce that axis first, for "
        "instance with a pooling layer or a recurrent layer's last output",
    )


def positive_axis(call: Call, axis: int, rank: int, *, argument: str = "axis") -> int:
    """``axis`` counted from the front; refuse one that is out of range."""
    if not -rank <= axis < rank:
        raise LayerMistake(
            f"`{argument}: {axis}` is out of range for {call.layer}'s input {call.inputs[0]}",
            argument=argument,
            hint=f"choose an axis from {-rank} to {rank - 1}",
        )
    return axis % rank


def require_positive(call: Call, *names: str) -> None:
    """Refuse zero and negative sizes, also inside lists; ``None`` is left to the caller."""
    for name in names:
        value = call.arguments[name]
        sizes = value if isinstance(value, list | tuple) else [value]
        if any(size is not None and size <= 0 for size in sizes):
            raise LayerMistake(
                f"{call.layer}'s `{name}` must be positive, got {value}",
                argument=name,
                hint=f"set `{name}` to at least 1",
            )


def require_fraction(call: Call, name: str) -> None:
    """Refuse a rate outside 0..1."""
    if not 0 <= call.arguments[name] <= 1:
        raise LayerMistake(
            f"{call.layer}'s `{name}` must lie between 0 and 1, got {call.arguments[name]}",
            argument=name,
            hint=f"set `{name}` to the fraction of values to act on, for instance 0.1",
        )


def per_dimension(call: Call, name: str, dimensions: int) -> tuple[int, ...]:
    """An argument that is one int for every dimension, or a list with one int for each."""
    value = call.arguments[name]
    if isinstance(value, int):
        return (value,) * dimensions
    if len(value) != dimensions:
        raise LayerMistake(
            f"{call.layer}'s `{name}` needs {dimensions} integers, got {len(value)}: {list(value)}",
            argument=name,
            hint=f"write one integer, or a list of {dimensions}",
        )
    return tuple(value)


def adapted(call: Call, kernel: Shape, bias: Sequence[Weight]) -> list[Weight]:
    """A kernel and its bias.

    With ``lora_rank`` Keras freezes the kernel and trains two thin matrices beside it.
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
    """The bias, where ``use_bias`` says that there is one."""
    return [Weight(shape)] if call.arguments["use_bias"] else []
