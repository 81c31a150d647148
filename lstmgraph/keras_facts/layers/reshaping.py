"""Rules of layers that move, repeat, crop or pad values."""

from collections.abc import Sequence
from math import gcd, prod

from lstmgraph.keras_facts.layers.core import (
    Call,
    LayerFacts,
    LayerMistake,
    kept_dtype,
    per_dimension,
    require_min_rank,
    require_number,
    require_positive,
    require_rank,
)
from lstmgraph.keras_facts.layers.spatial import spatial_input
from lstmgraph.keras_facts.tensors import (
    Dim,
    Resize,
    divide_dim,
    multiply_dims,
    scale_dim,
    shift_dim,
)


def flatten(call: Call) -> LayerFacts:
    """Flatten: (batch, a, b) -> (batch, a*b), also for named sizes."""
    require_min_rank(call, 1, "(batch, ...)")
    batch, *rest = call.input.shape
    return _moved(call, (batch, multiply_dims(rest)))


def reshape(call: Call) -> LayerFacts:
    """Reshape: (batch, ...) -> (batch, *target_shape); one size may be -1."""
    batch, *sizes = call.input.shape
    target = [-1 if size is None else size for size in call.arguments["target_shape"]]
    if any(size < -1 for size in target) or target.count(-1) > 1:
        raise _reshape_mistake(call, "must not have more than one -1, or other negative sizes")
    whole = multiply_dims(sizes)
    known = prod(size for size in target if size != -1)
    if -1 in target:
        if known == 0 or (isinstance(whole, int) and whole % known):
            raise _reshape_mistake(call, f"does not divide {call.input}'s {whole} values per row")
        open_size = divide_dim(whole, known)
        return _moved(call, (batch, *(open_size if size == -1 else size for size in target)))
    if isinstance(whole, str):
        raise _reshape_mistake(
            call,
            f"is fixed, but the size of {call.input} is known only from the data",
            hint="write -1 for the dimension that depends on the data",
        )
    if whole != known:
        raise _reshape_mistake(call, f"has {known} values, but {call.input} has {whole} per row")
    return _moved(call, (batch, *target))


def reshaped_steps(call: Call) -> Resize:
    """Reshape: the steps are joined or divided; zeros fill up the last of a row."""
    output = reshape(call).output
    before, after = (multiply_dims(spec.shape[2:]) for spec in (call.input, output))
    if output.rank < 3 or not isinstance(before, int) or not isinstance(after, int) or not after:
        raise LayerMistake(
            f"Reshape of {call.input} does not keep the steps in order",
            hint="keep whole steps together: `target_shape: [-1, FEATURES]`",
        )
    common = gcd(before, after)
    return Resize(before // common, divisor=after // common)


def _reshape_mistake(call: Call, why: str, *, hint: str = "") -> LayerMistake:
    return LayerMistake(
        f"`target_shape` {list(call.arguments['target_shape'])} {why}",
        argument="target_shape",
        hint=hint or "make the product of `target_shape` equal to the input's, without the batch",
    )


def permute(call: Call) -> LayerFacts:
    """Permute: (batch, a, b) with ``dims: [2, 1]`` -> (batch, b, a)."""
    dims = list(call.arguments["dims"])
    if sorted(dims) != list(range(1, len(dims) + 1)):
        raise LayerMistake(
            f"`dims` {dims} is not a permutation of 1 to {len(dims)}",
            argument="dims",
            hint="list every dimension except the batch once, counting from 1",
        )
    if len(dims) != call.input.rank - 1:
        raise LayerMistake(
            f"`dims` {dims} lists {len(dims)} dimensions, but {call.input} has "
            f"{call.input.rank - 1} besides the batch",
            argument="dims",
            input=0,
            hint="list every dimension except the batch once, counting from 1",
        )
    shape = call.input.shape
    return _moved(call, (shape[0], *(shape[axis] for axis in dims)))


def repeat_vector(call: Call) -> LayerFacts:
    """RepeatVector: (batch, features) -> (batch, n, features)."""
    require_rank(
        call,
        2,
        "(batch, features)",
        hint="take one vector per row first: a recurrent layer's last output, GlobalMaxPooling1D "
        "or Flatten",
    )
    n = call.arguments["n"]
    if not isinstance(n, int) or n <= 0:
        raise LayerMistake(
            f"RepeatVector's `n` must be a positive integer, not {n}",
            argument="n",
            hint="write the number of steps; to repeat it along a sequence whose steps are named, "
            "list it beside that in the `input:` of a recurrent layer",
        )
    batch, features = call.input.shape
    return _moved(call, (batch, n, features))


def cropping(call: Call) -> LayerFacts:
    """Cropping1D..3D: each spatial size minus the two amounts that are cut off."""
    return _shifted(call, "cropping", -1)


def zero_padding(call: Call) -> LayerFacts:
    """ZeroPadding1D..3D: each spatial size plus the two amounts that are added."""
    return _shifted(call, "padding", 1)


def cropped_steps(call: Call) -> Resize:
    """Cropping: the steps are fewer by the two amounts."""
    return Resize(shift=-sum(_pairs(call, "cropping", int(call.layer[-2]))[0]))


def padded_steps(call: Call) -> Resize:
    """ZeroPadding: the steps are more by the two amounts."""
    return Resize(shift=sum(_pairs(call, "padding", int(call.layer[-2]))[0]))


def repeated_steps(call: Call) -> Resize:
    """UpSampling: each step is repeated."""
    return Resize(per_dimension(call, "size", int(call.layer[-2]))[0])


def _shifted(call: Call, argument: str, sign: int) -> LayerFacts:
    dimensions = int(call.layer[-2])
    image = spatial_input(call, dimensions)
    pairs = _pairs(call, argument, dimensions)
    sizes: list[Dim] = []
    for dim, pair in zip(image.sizes, pairs, strict=True):
        size = shift_dim(dim, sign * sum(pair))
        if isinstance(size, int) and size <= 0:
            raise LayerMistake(
                f"{call.layer} cuts {sum(pair)} off the {dim} of {call.input}",
                argument=argument,
                hint=f"cut off less than {dim}",
            )
        sizes.append(size)
    return _moved(call, image.shape(sizes, image.channels))


def _pairs(call: Call, argument: str, dimensions: int) -> list[tuple[int, int]]:
    """Return one pair per dimension; the argument may be an int, ints or pairs."""
    value = call.arguments[argument]
    if dimensions == 1 and not isinstance(value, int):
        value = [value]
    entries = [value] * dimensions if isinstance(value, int) else list(value)
    pairs = [(one, one) if isinstance(one, int) else tuple(one) for one in entries]
    if len(pairs) != dimensions or any(len(pair) != 2 or min(pair) < 0 for pair in pairs):
        raise LayerMistake(
            f"{call.layer}'s `{argument}` must be {dimensions} amounts or pairs of amounts, none "
            f"negative, not {call.arguments[argument]}",
            argument=argument,
            hint="write one integer, or one [before, after] for each dimension",
        )
    return [(pair[0], pair[1]) for pair in pairs]


def up_sampling(call: Call) -> LayerFacts:
    """UpSampling1D..3D: each spatial size multiplied by ``size``."""
    dimensions = int(call.layer[-2])
    image = spatial_input(call, dimensions)
    require_positive(call, "size")
    if call.arguments.get("interpolation", "nearest") != "nearest":
        require_number(call)
    factors = per_dimension(call, "size", dimensions)
    sizes = [scale_dim(dim, factor) for dim, factor in zip(image.sizes, factors, strict=True)]
    return _moved(call, image.shape(sizes, image.channels))


def resizing(call: Call) -> LayerFacts:
    """Resizing: (batch, any height, any width, channels) -> (batch, height, width, channels)."""
    if call.arguments["crop_to_aspect_ratio"] and call.arguments["pad_to_aspect_ratio"]:
        raise LayerMistake(
            "Resizing cannot both crop and pad to the aspect ratio",
            argument="pad_to_aspect_ratio",
            hint="remove one of the two",
        )
    shape = _resized(call)
    require_number(call)
    return _moved(call, shape)


def center_crop(call: Call) -> LayerFacts:
    """CenterCrop: as Resizing, but always floats.

    A smaller image is resized instead, which Keras does in float32.
    """
    shape = _resized(call)
    grown = any(
        isinstance(before, int) and isinstance(after, int) and before < after
        for before, after in zip(call.input.shape, shape, strict=True)
    )
    if grown and call.compute_dtype != "float32":
        raise LayerMistake(
            f"CenterCrop resizes {call.input}, which is smaller, only in float32",
            argument="dtype_policy",
            hint="write `dtype_policy: float32` on this layer",
        )
    return call.facts(shape)


def _resized(call: Call) -> Sequence[Dim]:
    image = spatial_input(call, 2)
    require_positive(call, "height", "width")
    return image.shape([call.arguments["height"], call.arguments["width"]], image.channels)


def _moved(call: Call, shape: Sequence[Dim]) -> LayerFacts:
    return call.facts(shape, dtype=kept_dtype(call, call.input))
