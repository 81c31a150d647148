"""Rules of pooling layers: plain, global and adaptive."""

from lstmgraph.keras_facts.layers.core import (
    FLOAT_OF_INTEGERS,
    Call,
    LayerFacts,
    LayerMistake,
    is_float,
    kept_dtype,
    per_dimension,
    require_float,
    require_number,
    require_positive,
)
from lstmgraph.keras_facts.layers.spatial import Window, slide, spatial_input, windowed_steps
from lstmgraph.keras_facts.tensors import Resize


def pooling(call: Call) -> LayerFacts:
    """MaxPooling, AveragePooling: (batch, *sizes, channels) -> (batch, *places, channels)."""
    dimensions = _dimensions(call)
    image = spatial_input(call, dimensions)
    _refuse_dtypes(call)
    require_positive(call, "pool_size", "strides")
    sizes = [slide(call, *each) for each in zip(image.sizes, _windows(call), strict=True)]
    return call.facts(image.shape(sizes, image.channels), dtype=kept_dtype(call, call.input))


def pooled_steps(call: Call) -> Resize:
    """MaxPooling, AveragePooling: the positions of the window along the steps."""
    window = _windows(call)[0]
    if window.padding == "same" and window.size > 1:
        raise LayerMistake(
            f"the last window of {call.layer} with `padding: same` would count padded steps",
            argument="padding",
            hint="write `padding: valid`",
        )
    return windowed_steps(call, window)


def _windows(call: Call) -> list[Window]:
    dimensions = _dimensions(call)
    sizes = per_dimension(call, "pool_size", dimensions)
    strides = sizes
    if call.arguments["strides"] is not None:
        strides = per_dimension(call, "strides", dimensions)
    padding = str(call.arguments["padding"])
    return [
        Window(size, stride, padding, "pool_size")
        for size, stride in zip(sizes, strides, strict=True)
    ]


def adaptive_pooling(call: Call) -> LayerFacts:
    """AdaptiveMaxPooling, AdaptiveAveragePooling: the spatial sizes become ``output_size``."""
    image = spatial_input(call, _dimensions(call))
    _refuse_dtypes(call)
    require_positive(call, "output_size")
    sizes = per_dimension(call, "output_size", _dimensions(call))
    return call.facts(image.shape(sizes, image.channels), dtype=kept_dtype(call, call.input))


def global_pooling(call: Call) -> LayerFacts:
    """GlobalMaxPooling, GlobalAveragePooling: (batch, *sizes, channels) -> (batch, channels)."""
    image = spatial_input(call, _dimensions(call))
    dtype = kept_dtype(call, call.input)
    if "Average" in call.layer and not is_float(dtype):
        dtype = FLOAT_OF_INTEGERS
    if call.arguments["keepdims"]:
        return call.facts(image.shape([1] * len(image.sizes), image.channels), dtype=dtype)
    return call.facts((image.batch, image.channels), dtype=dtype)


def _dimensions(call: Call) -> int:
    return int(call.layer[-2])


def _refuse_dtypes(call: Call) -> None:
    """Refuse dtypes that TensorFlow cannot pool: integers for averages, and more in 3D."""
    if "Average" in call.layer or _dimensions(call) == 3:
        require_float(call)
    require_number(call)
    if "Max" in call.layer and _dimensions(call) == 3 and call.compute_dtype == "float64":
        raise LayerMistake(
            f"{call.layer} does not compute in float64",
            argument="dtype_policy",
            hint="use float32 or mixed_float16",
        )
