"""Rules of convolutions and convolutional LSTMs."""

from collections.abc import Sequence

from lstmgraph.keras_facts.layers.core import (
    Call,
    LayerFacts,
    LayerMistake,
    Weight,
    adapted,
    bias,
    per_dimension,
    require_float,
    require_positive,
    require_rank,
    static_dim,
)
from lstmgraph.keras_facts.layers.spatial import (
    Spatial,
    Window,
    is_channels_first,
    slide,
    spatial_input,
    windowed_steps,
)
from lstmgraph.keras_facts.tensors import Dim, Resize, TensorSpec


def conv(call: Call) -> LayerFacts:
    """Conv1D..3D: (batch, *sizes, channels) -> (batch, *window places, filters)."""
    image, channels = _image(call)
    filters, groups = call.arguments["filters"], call.arguments["groups"]
    require_positive(call, "filters", "groups")
    for name, size in (("filters", filters), ("input channels", channels)):
        if size % groups:
            raise LayerMistake(
                f"{call.layer}'s {size} {name} cannot be divided into {groups} groups",
                argument="groups",
                hint=f"choose `groups` that divides both the filters and {channels} channels",
            )
    _refuse_strided_dilation(call)
    sizes = _window_places(call, image)
    kernel = (*_kernel_size(call), channels // groups, filters)
    weights = adapted(call, kernel, bias(call, filters))
    _refuse_bias_on_another_axis(call, image, sizes, filters)
    return call.facts(image.shape(sizes, filters), weights=weights)


def conv_transpose(call: Call) -> LayerFacts:
    """Conv1DTranspose..3D: (batch, *sizes, channels) -> (batch, *larger sizes, filters)."""
    image, channels = _image(call)
    require_positive(call, "filters")
    _refuse_strided_dilation(call)
    filters = call.arguments["filters"]
    kernel = _kernel_size(call)
    sizes = [_transposed_size(call, axis, dim) for axis, dim in enumerate(image.sizes)]
    weights = [Weight((*kernel, filters, channels)), *bias(call, filters)]
    _refuse_bias_on_another_axis(call, image, sizes, filters)
    return call.facts(image.shape(sizes, filters), weights=weights)


def depthwise_conv(call: Call) -> LayerFacts:
    """DepthwiseConv1D..2D: each channel has its own ``depth_multiplier`` kernels."""
    image, channels = _image(call)
    require_positive(call, "depth_multiplier")
    multiplier = call.arguments["depth_multiplier"]
    outputs = channels * multiplier
    sizes = _window_places(call, image)
    kernel = (*_kernel_size(call), channels, multiplier)
    _refuse_bias_on_another_axis(call, image, sizes, outputs)
    return call.facts(image.shape(sizes, outputs), weights=[Weight(kernel), *bias(call, outputs)])


def separable_conv(call: Call) -> LayerFacts:
    """SeparableConv1D..2D: a depthwise convolution, then a pointwise one to ``filters``."""
    image, channels = _image(call)
    require_positive(call, "filters", "depth_multiplier")
    filters = call.arguments["filters"]
    multiplier = call.arguments["depth_multiplier"]
    sizes = _window_places(call, image)
    ones = (1,) * _dimensions(call)
    weights = [
        Weight((*_kernel_size(call), channels, multiplier)),
        Weight((*ones, channels * multiplier, filters)),
        *bias(call, filters),
    ]
    _refuse_bias_on_another_axis(call, image, sizes, filters)
    return call.facts(image.shape(sizes, filters), weights=weights)


def conv_lstm(call: Call) -> LayerFacts:
    """ConvLSTM1D..3D: (batch, time, *sizes, channels) -> (batch, [time,] *places, filters)."""
    _refuse_states(call)
    dimensions = _dimensions(call)
    spec = call.input
    names = "channels, *sizes" if is_channels_first(call) else "*sizes, channels"
    layout = f"(batch, time, {names}) with {dimensions} sizes"
    require_rank(call, dimensions + 3, layout)
    step = Call(
        call.layer,
        call.arguments,
        (TensorSpec((spec.shape[0], *spec.shape[2:]), spec.dtype),),
        call.compute_dtype,
        call.facts_of,
    )
    image, channels = _image(step)
    require_positive(call, "filters")
    _refuse_strided_dilation(call)
    filters = call.arguments["filters"]
    _refuse_dynamic_sizes(call, image)
    state = image.shape(_window_places(step, image), filters)
    kernels = [(*_kernel_size(call), rows, 4 * filters) for rows in (channels, filters)]
    weights = [*map(Weight, kernels), *bias(call, 4 * filters)]
    sequence = (state[0], spec.shape[1], *state[1:])
    return call.facts(
        sequence if call.arguments["return_sequences"] else state,
        weights=[weight.within("cell") for weight in weights],
    )


def _refuse_states(call: Call) -> None:
    for name in ("return_state", "stateful"):
        if call.arguments.get(name):
            raise LayerMistake(
                f"`{name}` of {call.layer} is not supported",
                argument=name,
                hint=f"leave `{name}` out",
            )


def _refuse_dynamic_sizes(call: Call, image: Spatial) -> None:
    for size in image.sizes:
        if isinstance(size, str):
            raise LayerMistake(
                f"{call.layer}'s states need fixed sizes, but `{size}` of {call.input} is known "
                "only from the data",
                input=0,
                hint=f"give `{size}` a fixed size in the input's shape",
            )


def _dimensions(call: Call) -> int:
    return int(next(c for c in call.layer if c.isdigit()))


def _image(call: Call) -> tuple[Spatial, int]:
    image = spatial_input(call, _dimensions(call))
    require_float(call)
    require_positive(call, "kernel_size", "strides", "dilation_rate")
    return image, static_dim(call, image.channel_axis)


def _kernel_size(call: Call) -> tuple[int, ...]:
    return per_dimension(call, "kernel_size", _dimensions(call))


def _refuse_bias_on_another_axis(
    call: Call, image: Spatial, sizes: Sequence[Dim], outputs: int
) -> None:
    """Refuse a bias that Keras 3.15 adds along the last axis because that has the same size."""
    last = sizes[-1]
    if not image.channels_first or not call.arguments["use_bias"] or outputs == 1:
        return
    if last != outputs and isinstance(last, int):
        return
    when = "" if isinstance(last, int) else f" wherever `{last}` is {outputs}"
    raise LayerMistake(
        f"{call.layer} with channels first would add the bias of its {outputs} output channels "
        f"along the last axis{when}: Keras confuses the two axes",
        argument="data_format",
        hint="write `use_bias: false`, or use channels last with a `permute` layer before it",
    )


def _refuse_strided_dilation(call: Call) -> None:
    strides = per_dimension(call, "strides", _dimensions(call))
    dilation = per_dimension(call, "dilation_rate", _dimensions(call))
    if max(strides) > 1 and max(dilation) > 1:
        raise LayerMistake(
            f"{call.layer} cannot have both strides {list(strides)} and a dilation rate of "
            f"{list(dilation)}",
            argument="dilation_rate",
            hint="set either `strides` or `dilation_rate` to 1",
        )


def _padding(call: Call) -> str:
    return str(call.arguments["padding"]).lower()


def _spans(call: Call) -> list[int]:
    """Return the kernel's size along each dimension, including the gaps of a dilation."""
    dilation = per_dimension(call, "dilation_rate", _dimensions(call))
    return [(k - 1) * d + 1 for k, d in zip(_kernel_size(call), dilation, strict=True)]


def conv_steps(call: Call) -> Resize:
    """Conv, DepthwiseConv, SeparableConv: the positions of the kernel along the steps."""
    return windowed_steps(call, _windows(call)[0])


def transposed_steps(call: Call) -> Resize:
    """ConvTranspose: the steps of its output."""
    return _transposed(call, 0)


def _windows(call: Call) -> list[Window]:
    strides = per_dimension(call, "strides", _dimensions(call))
    return [
        Window(span, stride, _padding(call), "kernel_size")
        for span, stride in zip(_spans(call), strides, strict=True)
    ]


def _window_places(call: Call, image: Spatial) -> list[Dim]:
    padding = _padding(call)
    if padding == "causal" and call.layer != "Conv1D":
        raise LayerMistake(
            f"{call.layer} has no causal padding",
            argument="padding",
            hint="use `same` or `valid`, or Conv1D",
        )
    return [slide(call, *each) for each in zip(image.sizes, _windows(call), strict=True)]


def _transposed_size(call: Call, axis: int, dim: Dim) -> Dim:
    """Return the size of a transposed convolution's output along one dimension."""
    span = _spans(call)[axis]
    if call.arguments["output_padding"] is not None and _padding(call) != "valid":
        stride = per_dimension(call, "strides", _dimensions(call))[axis]
        if _output_padding(call, axis, stride) == 0 and span % 2 == 0 and dim != 1:
            raise LayerMistake(
                f"{call.layer} with an output padding of 0 and an even kernel of {span} fails when "
                "it runs: its output has the size for an input that is shorter by one",
                argument="output_padding",
                hint="leave `output_padding` out, or choose an odd kernel",
            )
    return _transposed(call, axis).of(dim)


def _transposed(call: Call, axis: int) -> Resize:
    stride = per_dimension(call, "strides", _dimensions(call))[axis]
    span = _spans(call)[axis]
    extra = _output_padding(call, axis, stride)
    if _padding(call) == "valid":
        extra = max(stride - span, 0) if extra is None else extra
        return Resize(stride, span - stride + extra)
    return Resize(stride, 0 if extra is None else span % 2 - stride + extra)


def _output_padding(call: Call, axis: int, stride: int) -> int | None:
    if call.arguments["output_padding"] is None:
        return None
    padding = per_dimension(call, "output_padding", _dimensions(call))[axis]
    if not 0 <= padding < stride:
        raise LayerMistake(
            f"{call.layer}'s output padding of {padding} must be smaller than its stride of "
            f"{stride}",
            argument="output_padding",
            hint="leave `output_padding` out, or write a number from 0 to the stride minus 1",
        )
    return padding
