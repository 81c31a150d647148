"""Layers in ``int16x8``: what a file computes, against Keras in float32.

A file of many layers is made by default. ``LSTMGRAPH_EXAMPLES=1`` makes one of each layer of the
``layer_cases_*`` that a recipe can hold and ``int16x8`` does not refuse.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from building import load, randomise
from layer_case import SIZES, concrete
from test_onnx_layers import CASES, loaded, values

from lstmgraph.export import ExportOptions
from lstmgraph.export.files import export_files
from lstmgraph.export.job import ExportData
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import keras

    import lstmgraph
    from lstmgraph.export.report import OutputCheck
    from lstmgraph.keras_facts.tensors import TensorSpec

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

BOUND = 0.02
"""How far an output may be off on average, in parts of its largest value, as exports allow."""
ROWS = 40
LAYERS = {
    "dense": "dense, input: x, units: 5, activation: tanh",
    "einsum": "einsum_dense, input: x, equation: 'abc,cd->abd', output_shape: [6, 4]",
    "embedding": "embedding, input: ids, input_dim: 9, output_dim: 4",
    "conv": "conv1d, input: x, filters: 4, kernel_size: 3",
    "depthwise": "depthwise_conv1d, input: x, kernel_size: 3",
    "separable": "separable_conv1d, input: x, filters: 4, kernel_size: 3",
    "average": "average_pooling1d, input: x, pool_size: 2",
    "most": "max_pooling1d, input: x, pool_size: 2",
    "mean": "global_average_pooling1d, input: x",
    "greatest": "global_max_pooling1d, input: x",
    "by_layer": "layer_normalization, input: x",
    "by_batch": "batch_normalization, input: x",
    "by_group": "group_normalization, input: x, groups: 2",
    "by_unit": "unit_normalization, input: x",
    "attention": "attention, input: [x, x]",
    "heads": "multi_head_attention, input: {query: x, value: x}, num_heads: 2, key_dim: 3",
    "gru": "gru, input: x, units: 4",
    "lstm": "lstm, input: x, units: 4",
    "simple_rnn": "simple_rnn, input: x, units: 4",
    "softmax": "softmax, input: x",
    "relu": "relu, input: x",
    "elu": "elu, input: x",
    "leaky": "leaky_relu, input: x",
    "sum": "add, input: [x, z]",
    "product": "multiply, input: [x, z]",
    "joined": "concatenate, input: [x, z]",
    "padded": "zero_padding1d, input: x, padding: 1",
    "cropped": "cropping1d, input: x, cropping: 1",
    "repeated": "up_sampling1d, input: x, size: 2",
    "flat": "flatten, input: x",
}

GRU = """
inputs: {x: {shape: [6, 8]}}
layers: {y: {type: gru, input: x, units: 16}}
outputs: {y: y}
"""


def checks(
    recipe: lstmgraph.Recipe, model: keras.Model, folder: Path, **inputs: TensorSpec
) -> list[OutputCheck]:
    """Export in int16x8, with ranges from the batches that outputs are compared on."""
    random = np.random.default_rng(3)
    batches = [{name: values(spec, random) for name, spec in inputs.items()} for _ in range(ROWS)]

    def given(_: int | None) -> Iterator[dict[str, np.ndarray]]:
        yield from batches

    data = ExportData(given, given, None, lambda *_: [])
    options = ExportOptions(quantize="int16x8", tolerance=0.99)
    (report,) = export_files(
        recipe.compiled, model, {"litert": folder / "case.tflite"}, options, data
    )
    return report.outputs


def one_row(spec: TensorSpec) -> TensorSpec:
    return replace(spec, shape=(1, *concrete(spec.shape, SIZES)[1:]))


def test_a_file_of_many_layers(tmp_path) -> None:
    lines = [f"  {name}: {{type: {each}}}" for name, each in LAYERS.items()]
    outputs = ", ".join(f"{name}: {name}" for name in LAYERS)
    recipe = load(
        "inputs: {x: {shape: [6, 8]}, z: {shape: [6, 8]}, ids: {shape: [6], dtype: int32}}\n"
        "layers:\n" + "\n".join(lines) + f"\noutputs: {{{outputs}}}\n"
    )
    model = recipe.build()
    randomise(model)
    shapes = {name: recipe.compiled.graph.inputs[name].spec for name in ("x", "z", "ids")}
    found = checks(
        recipe, model, tmp_path, **{name: one_row(spec) for name, spec in shapes.items()}
    )
    off = {each.name: each.mean_difference / each.greatest_value for each in found}
    assert off.keys() == LAYERS.keys()
    assert not {name: part for name, part in off.items() if not part < BOUND}


def test_large_recurrent_weights_lose_only_what_int8_rounds(tmp_path) -> None:
    """With weights that int8 holds, what is left is rounding in int16."""
    recipe = load(GRU)
    model = recipe.build()
    random = np.random.default_rng(1)
    weights = [random.normal(size=each.shape) for each in model.get_weights()]
    units = [np.abs(each).max(0) / 127 for each in weights]
    kernel, recurrent = (np.round(w / u) * u for w, u in zip(weights[:2], units, strict=False))
    model.set_weights([kernel, recurrent, weights[2]])
    (check,) = checks(recipe, model, tmp_path, x=one_row(recipe.compiled.graph.inputs["x"].spec))
    assert check.mean_difference < 1e-3 * check.greatest_value


@pytest.mark.skipif("LSTMGRAPH_EXAMPLES" not in os.environ, reason="the whole grid")
@pytest.mark.parametrize("layer", sorted({case.layer for case in CASES}))
def test_each_layer(layer: str, tmp_path) -> None:
    """The first case that int16x8 can hold; a layer of which there is none is refused."""
    for case in CASES:
        if case.layer != layer or case.policy != "float32" or not case.eager:
            continue
        specs = {f"in{place}": one_row(spec) for place, spec in enumerate(case.inputs)}
        fixed = replace(case, inputs=tuple(specs.values()))
        recipe = loaded(fixed)
        if recipe is None:
            continue
        model = recipe.build()
        randomise(model)
        try:
            found = checks(recipe, model, tmp_path, **specs)
        except RecipeError as error:
            assert {each.code for each in error.diagnostics} <= {"L801", "L802"}  # noqa: PT017
            continue
        (check,) = found
        assert check.mean_difference < BOUND * max(check.greatest_value, 1e-6), str(case)
        return
