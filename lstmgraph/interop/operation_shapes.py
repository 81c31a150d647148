"""Shapes and dtypes of the operations of ``keras.ops``, without Keras."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.specs import Size, Spec, as_float, broadcast, promoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Rule = Callable[[Mapping[str, Any], Sequence[Any]], list[Spec] | None]


def _words(text: str) -> list[str]:
    return text.split()


_SAME = _words(
    """
    Absolute Abs Fabs Negative Square Sign Copy Clip Flip Roll Sort Round Conjugate Conj Real
    Tril Triu NanToNum Relu Relu6 StopGradient Cumsum Cumprod Trunc BitwiseNot BitwiseInvert
    Flipud Fliplr
    """
)
_FLOATS = _words(
    """
    Exp Exp2 Expm1 Log Log1p Log2 Log10 Sqrt Rsqrt Reciprocal Sin Cos Tan Sinh Cosh Tanh
    Arcsin Arccos Arctan Arcsinh Arccosh Arctanh Sigmoid Softplus Softsign Silu LogSigmoid
    LeakyRelu HardSigmoid HardSilu Elu Selu Gelu Celu HardTanh HardShrink SoftShrink
    TanhShrink Squareplus SparsePlus SparseSigmoid Threshold Softmax LogSoftmax Normalize Erf
    Erfc Erfinv Floor Ceil Cbrt Deg2rad Rad2deg Sinc
    """
)
_BOOLEANS = _words(
    """
    LogicalNot Isnan Isfinite Isinf Isneginf Isposinf Isreal Signbit
    """
)
_BINARY = _words(
    """
    Add Subtract Multiply Maximum Minimum Mod Fmod Power FloorDivide Fmax Fmin
    """
)
_BINARY_FLOATS = _words(
    """
    Divide TrueDivide DivideNoNan Arctan2 Logaddexp Logaddexp2 Hypot Heaviside
    """
)
_COMPARISONS = _words(
    """
    Equal NotEqual Greater GreaterEqual Less LessEqual LogicalAnd LogicalOr LogicalXor Isclose
    """
)
_REDUCED = _words(
    """
    Max Min Amax Amin Sum Prod
    """
)
_REDUCED_FLOATS = _words(
    """
    Mean Std Var Median Logsumexp Average
    """
)


def operation_outputs(
    kind: str, config: Mapping[str, Any], arguments: Sequence[Any]
) -> list[Spec] | None:
    """Return the outputs of an operation; None if its rule is unknown, or they do not fit.

    Args:
        kind: its class, such as ``Add``.
        config: its own arguments, such as the axis.
        arguments: those of its call, with a `Spec` for each tensor.
    """
    rule = RULES.get(kind)
    try:
        return None if rule is None else rule(config, arguments)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError, OverflowError):
        return None  # of a file that Keras did not write: nothing is known


def _first(arguments: Sequence[Any]) -> Spec:
    spec = arguments[0]
    if not isinstance(spec, Spec):
        raise TypeError("no tensor")
    return spec


def _unary(dtype: Callable[[str], str]) -> Rule:
    def rule(_config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec]:
        spec = _first(arguments)
        return [Spec(spec.shape, dtype(spec.dtype))]

    return rule


def _together(arguments: Sequence[Any]) -> tuple[tuple[Size, ...] | None, str]:
    specs = [each for each in arguments if isinstance(each, Spec)]
    scalars = [each for each in arguments if not isinstance(each, Spec)]
    return broadcast(spec.shape for spec in specs), promoted((s.dtype for s in specs), scalars)


def _binary(dtype: Callable[[str], str]) -> Rule:
    def rule(_config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec] | None:
        shape, joined = _together(arguments[:2])
        return None if shape is None else [Spec(shape, dtype(joined))]

    return rule


def _axes(axis: Any, rank: int) -> list[int]:
    if axis is None:
        return list(range(rank))
    axes = [axis] if isinstance(axis, int) else list(axis)
    if not all(-rank <= each < rank for each in axes):
        raise IndexError("an axis that the tensor has not")
    return [each % rank for each in axes]


def _reduced(dtype: Callable[[str], str]) -> Rule:
    def rule(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec]:
        spec = _first(arguments)
        axes = _axes(config.get("axis"), len(spec.shape))
        sizes = [1 if n in axes else size for n, size in enumerate(spec.shape)]
        if not config.get("keepdims"):
            sizes = [size for n, size in enumerate(spec.shape) if n not in axes]
        return [Spec(tuple(sizes), dtype(spec.dtype))]

    return rule


def _summed(dtype: str) -> str:
    return "int32" if dtype in ("bool", "int8", "int16") else dtype


def _reshape(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec]:
    spec = _first(arguments)
    target = [None if size is None else int(size) for size in config["newshape"]]
    known = None if None in spec.shape else math.prod(size for size in spec.shape if size)
    rest = math.prod(size for size in target if size is not None and size != -1)
    free = None if known is None or None in target or not rest else known // rest
    return [Spec(tuple(free if size == -1 else size for size in target), spec.dtype)]


def _transpose(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec]:
    spec = _first(arguments)
    axes = config.get("axes")
    order = reversed(range(len(spec.shape))) if axes is None else _axes(axes, len(spec.shape))
    return [Spec(tuple(spec.shape[axis] for axis in order), spec.dtype)]


def _expand(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec]:
    spec = _first(arguments)
    axis = config["axis"]
    axes = [axis] if isinstance(axis, int) else list(axis)
    rank = len(spec.shape) + len(axes)
    places = {each % rank for each in axes}
    sizes = iter(spec.shape)
    return [Spec(tuple(1 if n in places else next(sizes) for n in range(rank)), spec.dtype)]


def _squeeze(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec]:
    spec = _first(arguments)
    axis = config.get("axis")
    if axis is None:
        return [Spec(tuple(size for size in spec.shape if size != 1), spec.dtype)]
    axes = _axes(axis, len(spec.shape))
    return [Spec(tuple(s for n, s in enumerate(spec.shape) if n not in axes), spec.dtype)]


def _swapped(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec]:
    spec = _first(arguments)
    sizes = list(spec.shape)
    first, second = _axes([config["axis1"], config["axis2"]], len(sizes))
    sizes[first], sizes[second] = sizes[second], sizes[first]
    return [Spec(tuple(sizes), spec.dtype)]


def _moved(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec]:
    spec = _first(arguments)
    rank = len(spec.shape)
    sources, targets = _axes(config["source"], rank), _axes(config["destination"], rank)
    order = [axis for axis in range(rank) if axis not in sources]
    for target, source in sorted(zip(targets, sources, strict=True)):
        order.insert(target, source)
    return [Spec(tuple(spec.shape[axis] for axis in order), spec.dtype)]


def _concatenate(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec]:
    specs = [each for each in arguments[0] if isinstance(each, Spec)]
    rank = len(specs[0].shape)
    axis = _axes(config.get("axis", -1), rank)[0]
    sizes: list[Size] = []
    for n in range(rank):
        own = [spec.shape[n] for spec in specs]
        known = [size for size in own if size is not None]
        if n == axis:
            sizes.append(sum(known) if len(known) == len(own) else None)
        else:
            sizes.append(known[0] if known else None)
    return [Spec(tuple(sizes), promoted(spec.dtype for spec in specs))]


def _stack(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec]:
    specs = [each for each in arguments[0] if isinstance(each, Spec)]
    rank = len(specs[0].shape) + 1
    sizes = list(specs[0].shape)
    sizes.insert(_axes(config.get("axis", 0), rank)[0], len(arguments[0]))
    return [Spec(tuple(sizes), promoted(spec.dtype for spec in specs))]


def _get_item(_config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec]:
    spec, key = _first(arguments), arguments[1]
    parts = list(key) if isinstance(key, list) else [key]
    used = sum(part is not None and part is not ... for part in parts)
    free = len(spec.shape) - used
    if free < 0:
        raise IndexError("more parts than axes")
    if ... not in parts:
        parts.append(...)
    sizes: list[Size] = []
    axis = 0
    for part in parts:
        if part is None:
            sizes.append(1)
        elif part is ...:
            sizes += spec.shape[axis : axis + free]
            axis += free
        elif isinstance(part, slice):
            size = spec.shape[axis]
            whole = part == slice(None)
            sizes.append(len(range(*part.indices(size))) if size is not None else None)
            if whole:
                sizes[-1] = size
            axis += 1
        elif isinstance(part, int):
            axis += 1
        else:
            raise TypeError("an index that is a tensor")
    return [Spec(tuple(sizes), spec.dtype)]


def _cast(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec]:
    spec = _first(arguments)
    dtype = config.get("dtype")
    return [Spec(spec.shape, dtype if isinstance(dtype, str) else spec.dtype)]


def _where(_config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec] | None:
    shape, _ = _together(arguments)
    _, dtype = _together(arguments[1:])
    return None if shape is None else [Spec(shape, dtype)]


def _matmul(_config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec] | None:
    first, second = arguments[0], arguments[1]
    dtype = promoted([first.dtype, second.dtype])
    if len(first.shape) == 1 or len(second.shape) == 1:
        if len(second.shape) == 1:
            return [Spec(first.shape[:-1], dtype)]
        return [Spec((*second.shape[:-2], second.shape[-1]), dtype)]
    batch = broadcast([first.shape[:-2], second.shape[:-2]])
    if batch is None:
        return None
    return [Spec((*batch, first.shape[-2], second.shape[-1]), dtype)]


def _einsum(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec] | None:
    left, arrow, right = config["subscripts"].replace(" ", "").partition("->")
    if not arrow or "." in left:
        return None
    sizes: dict[str, Size] = {}
    for letters, spec in zip(left.split(","), arguments, strict=True):
        for letter, size in zip(letters, spec.shape, strict=True):
            sizes[letter] = size if sizes.get(letter) is None else sizes[letter]
    dtype = promoted(spec.dtype for spec in arguments)
    return [Spec(tuple(sizes[letter] for letter in right), dtype)]


def _repeat(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec] | None:
    spec, axis, count = _first(arguments), config.get("axis"), config["repeats"]
    if not isinstance(count, int) or axis is None:
        return None
    sizes = list(spec.shape)
    place = _axes(axis, len(sizes))[0]
    size = sizes[place]
    sizes[place] = None if size is None else size * count
    return [Spec(tuple(sizes), spec.dtype)]


def _tile(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec]:
    spec = _first(arguments)
    counts = config["repeats"]
    counts = [counts] if isinstance(counts, int) else list(counts)
    width = max(len(counts), len(spec.shape))
    counts = [1] * (width - len(counts)) + counts
    sizes = [1] * (width - len(spec.shape)) + list(spec.shape)
    pairs = zip(sizes, counts, strict=True)
    return [Spec(tuple(None if s is None else s * count for s, count in pairs), spec.dtype)]


def _broadcast_to(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec]:
    return [Spec(tuple(config["shape"]), _first(arguments).dtype)]


def _take(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec] | None:
    spec, at, axis = _first(arguments), arguments[1], config.get("axis")
    if axis is None:
        return None
    own = at.shape if isinstance(at, Spec) else () if isinstance(at, int) else (len(at),)
    place = _axes(axis, len(spec.shape))[0]
    return [Spec((*spec.shape[:place], *own, *spec.shape[place + 1 :]), spec.dtype)]


def _one_hot(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec] | None:
    spec = _first(arguments)
    sizes = list(spec.shape)
    axis = config.get("axis", -1)
    sizes.insert(len(sizes) if axis == -1 else axis, config["num_classes"])
    return [Spec(tuple(sizes), config.get("dtype") or "float32")]


def _split(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec] | None:
    spec, parts = _first(arguments), config["indices_or_sections"]
    axis = _axes(config.get("axis", 0), len(spec.shape))[0]
    size = spec.shape[axis]
    if isinstance(parts, int):
        if not 0 < parts <= 10_000:
            return None
        sizes: list[Size] = [None if size is None else size // parts] * parts
    else:
        ends = [0, *parts, size]
        pairs = pairwise(ends)
        sizes = [None if end is None else end - start for start, end in pairs]
    return [Spec((*spec.shape[:axis], each, *spec.shape[axis + 1 :]), spec.dtype) for each in sizes]


def _unstack(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec] | None:
    spec = _first(arguments)
    axis = _axes(config.get("axis", 0), len(spec.shape))[0]
    count = config.get("num") or spec.shape[axis]
    if count is None or not 0 < count <= 10_000:
        return None
    return [Spec((*spec.shape[:axis], *spec.shape[axis + 1 :]), spec.dtype)] * count


def _pad(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec]:
    spec, widths = _first(arguments), config["pad_width"]
    if isinstance(widths, int):
        widths = [[widths, widths]] * len(spec.shape)
    elif len(widths) == 1 or isinstance(widths[0], int):
        one = widths[0] if isinstance(widths[0], list) else widths
        widths = [one] * len(spec.shape)
    pairs = zip(spec.shape, widths, strict=True)
    return [Spec(tuple(None if s is None else s + sum(width) for s, width in pairs), spec.dtype)]


def _top_k(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec]:
    spec = _first(arguments)
    shape = (*spec.shape[:-1], config["k"])
    return [Spec(shape, spec.dtype), Spec(shape, "int32")]


def _ravel(_config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec]:
    spec = _first(arguments)
    known = [size for size in spec.shape if size is not None]
    whole = math.prod(known) if len(known) == len(spec.shape) else None
    return [Spec((whole,), spec.dtype)]


def _taken_along(config: Mapping[str, Any], arguments: Sequence[Any]) -> list[Spec] | None:
    spec, at, axis = _first(arguments), arguments[1], config.get("axis")
    if axis is None or not isinstance(at, Spec):
        return None
    place = _axes(axis, len(spec.shape))[0]
    sizes = list(broadcast([(*spec.shape[:place], 1, *spec.shape[place + 1 :]), at.shape]) or ())
    if not sizes:
        return None
    sizes[place] = at.shape[place]
    return [Spec(tuple(sizes), spec.dtype)]


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_SAME, _unary(str)),
    **dict.fromkeys(_FLOATS, _unary(as_float)),
    **dict.fromkeys(_BOOLEANS, _unary(lambda _: "bool")),
    **dict.fromkeys(_BINARY, _binary(str)),
    **dict.fromkeys(_BINARY_FLOATS, _binary(as_float)),
    **dict.fromkeys(_COMPARISONS, _binary(lambda _: "bool")),
    **dict.fromkeys(_REDUCED, _reduced(str)),
    "Sum": _reduced(_summed),
    "Prod": _reduced(_summed),
    **dict.fromkeys(_REDUCED_FLOATS, _reduced(as_float)),
    **dict.fromkeys(("Any", "All"), _reduced(lambda _: "bool")),
    **dict.fromkeys(("Argmax", "Argmin", "CountNonzero"), _reduced(lambda _: "int32")),
    "BroadcastTo": _broadcast_to,
    "Cast": _cast,
    "Concatenate": _concatenate,
    "Einsum": _einsum,
    "EmptyLike": _cast,
    "ExpandDims": _expand,
    "FullLike": _cast,
    "GetItem": _get_item,
    "Matmul": _matmul,
    "Moveaxis": _moved,
    "Norm": _reduced(as_float),
    "OneHot": _one_hot,
    "OnesLike": _cast,
    "Pad": _pad,
    "Ravel": _ravel,
    "Repeat": _repeat,
    "Reshape": _reshape,
    "SaturateCast": _cast,
    "Split": _split,
    "Squeeze": _squeeze,
    "Stack": _stack,
    "Swapaxes": _swapped,
    "Take": _take,
    "TakeAlongAxis": _taken_along,
    "Tile": _tile,
    "TopK": _top_k,
    "Transpose": _transpose,
    "Unstack": _unstack,
    "Where": _where,
    "ZerosLike": _cast,
}
"""The rule of each operation, by its class."""
