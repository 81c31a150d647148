"""The ONNX file as a whole: shipped recipes, names, shapes, bytes, and what it is made without."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from building import RECIPES, SHIPPED, batch_for, load, randomise
from onnx_running import (
    LOOPS,
    assert_runs_as_keras,
    exported,
    keras_weights,
    operators,
    run,
)

import lstmgraph
from lstmgraph.export.onnx import onnx_model, onnx_obstacles

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

WITH_OBSTACLES = {"carried-state"}
WITH_A_SCAN = {"conv-lstm"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_recipes_are_kerass(path: Path) -> None:
    recipe = lstmgraph.load(path)
    if path.stem in WITH_OBSTACLES:
        assert onnx_obstacles(recipe.compiled)
        return
    model = recipe.build()
    randomise(model)
    proto = assert_runs_as_keras(recipe, model, batch_for(model))
    loops = LOOPS & set(operators(proto))
    assert loops == ({"Scan"} if path.stem in WITH_A_SCAN else set())
    assert [tensor.name for tensor in proto.graph.input] == list(model.input)
    assert [tensor.name for tensor in proto.graph.output] == list(model.output)


def shapes(tensors: list[onnx.ValueInfoProto]) -> dict[str, list[int | str]]:
    return {
        tensor.name: [dim.dim_param or dim.dim_value for dim in tensor.type.tensor_type.shape.dim]
        for tensor in tensors
    }


def test_dimensions_have_the_recipes_names() -> None:
    recipe = load("""
    inputs:
      by_time: {shape: [time, 3], time_major: true}
      words: {shape: [steps], dtype: int32}
    layers:
      vectors: {type: embedding, input: words, input_dim: 5, output_dim: 2}
      reader: {type: lstm, input: by_time, units: 4}
      joined: {type: concatenate, axis: 1, input: [vectors, vectors]}
    outputs: {sequence: reader.sequence, last: reader.last, joined: joined}
    """)
    model = recipe.build()
    graph = exported(recipe, model).graph
    assert shapes(graph.input) == {"by_time": ["time", "batch", 3], "words": ["batch", "steps"]}
    assert shapes(graph.output) == {
        "sequence": ["batch", "time", 4],
        "last": ["batch", 4],
        "joined": ["batch", "steps+steps", 2],
    }


def test_a_fixed_batch_is_fixed() -> None:
    recipe = load("""
    inputs: {frames: {shape: [time, 3]}}
    layers:
      reader: {type: lstm, input: frames, units: 4, initial_state: {constant: 0.5}}
    outputs: {last: reader}
    runtime: {batch_size: 2}
    """)
    model = recipe.build()
    randomise(model)
    proto = assert_runs_as_keras(recipe, model, batch_for(model))
    assert shapes(proto.graph.input) == {"frames": [2, "time", 3]}
    assert shapes(proto.graph.output) == {"last": [2, 4]}
    assert "Shape" not in operators(proto)


def test_one_tensor_can_be_two_outputs_and_an_input_can_be_one() -> None:
    recipe = load("""
    inputs: {frames: {shape: [time, 3]}}
    layers: {reader: {type: lstm, input: frames, units: 4}}
    outputs: {last: reader.last, h: reader.state.h, again: reader.last, given: frames}
    """)
    model = recipe.build()
    randomise(model)
    assert_runs_as_keras(recipe, model, batch_for(model))


def test_the_same_weights_give_the_same_bytes() -> None:
    recipe = lstmgraph.load(RECIPES / "store-forecaster.yaml")
    model = recipe.build()
    protos = [exported(lstmgraph.load(RECIPES / "store-forecaster.yaml"), model) for _ in range(2)]
    assert protos[0].SerializeToString() == protos[1].SerializeToString()
    assert protos[0].producer_name == "lstmgraph"
    assert protos[0].doc_string == recipe.description


def test_weights_are_there_once_and_nothing_is_left_over() -> None:
    recipe = lstmgraph.load(RECIPES / "speaker-classifier.yaml")
    model = recipe.build()
    randomise(model)
    graph = exported(recipe, model).graph
    numbers = sum(int(np.prod(tensor.dims)) for tensor in graph.initializer)
    units, features, classes = 100, 12, 9
    lstm = 4 * units * (features + units + 2)  # ONNX has a bias of the input and of the recurrence
    dense = (units + 1) * classes
    assert 0 <= numbers - lstm - dense < 20
    read = {name for node in graph.node for name in node.input}
    assert {tensor.name for tensor in graph.initializer} <= read
    made = {name for node in graph.node for name in node.output if name}
    assert made <= read | {output.name for output in graph.output}


WITHOUT_KERAS = """
import sys
from pathlib import Path
import numpy as np
import lstmgraph
from lstmgraph.export.onnx import onnx_model, onnx_obstacles
compiled = lstmgraph.load(Path(sys.argv[1])).compiled
assert not onnx_obstacles(compiled)
weights = [np.zeros(shape, "float32") for shape in ((6, 128), (32, 128), (128,))]
onnx_model(compiled, {"reader": weights, "signal": [np.zeros((32, 2)), np.zeros(2)]})
print(*sys.modules)
"""


def test_it_is_made_without_keras() -> None:
    command = [sys.executable, "-W", "error", "-c", WITHOUT_KERAS]
    path = str(RECIPES / "placeholder-states.yaml")
    found = subprocess.run([*command, path], check=True, capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in found.stdout.split()}
    assert not loaded & {"keras", "tensorflow", "torch", "jax", "onnxruntime"}


def test_what_the_cli_imports_does_not_import_onnx() -> None:
    script = "import sys, lstmgraph.cli; print(*sys.modules)"
    command = [sys.executable, "-W", "error", "-c", script]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "onnx" not in found.stdout.split()


# --- what cannot be held ---

OBSTACLES = {
    "carried": (
        """
        inputs: {x: {shape: [time, 3]}}
        layers: {reader: {type: lstm, input: x, units: [4, 4], initial_state: carried}}
        outputs: {last: reader}
        runtime: {batch_size: 2}
        """,
        ("layers", "reader", "initial_state"),
        "keeps no state between batches: write `initial_state: input`, and make the "
        "states an output, `state: reader.state`",
    ),
    "activation": (
        """
        inputs: {x: {shape: [time, 3]}}
        layers: {reader: {type: gru, input: x, units: 4, recurrent_activation: gelu}}
        outputs: {last: reader}
        """,
        ("layers", "reader", "recurrent_activation"),
        "lack the activation gelu: use one of elu, hard_sigmoid, leaky_relu, linear, relu, "
        "sigmoid, softplus, softsign, tanh",
    ),
    "cell": (
        """
        inputs: {x: {shape: [time, 3]}}
        layers:
          reader:
            type: rnn
            input: x
            cells: [{type: gru_cell, units: 4}, {type: lstm_cell, units: 4, activation: mish}]
        outputs: {last: reader}
        """,
        ("layers", "reader", "cells", 1, "activation"),
        "lack the activation mish",
    ),
    "float64": (
        """
        inputs: {x: {shape: [time, 3]}}
        layers: {reader: {type: lstm, input: x, units: 4, dtype_policy: float64}}
        outputs: {last: reader}
        """,
        ("layers", "reader", "dtype_policy"),
        "onnxruntime computes LSTM in float32 only, but 'reader' is float64: write "
        "`dtype_policy: float32`",
    ),
    "float64 inside": (
        """
        inputs: {x: {shape: [time, 9, 3]}}
        layers:
          each:
            type: time_distributed
            input: x
            layer: {type: conv1d, filters: 2, kernel_size: 2}
            dtype_policy: float64
        outputs: {found: each}
        """,
        ("layers", "each", "dtype_policy"),
        "float32 only",
    ),
    "float64 gelu": (
        """
        inputs: {x: {shape: [3]}}
        layers: {d: {type: dense, input: x, units: 2, activation: gelu, dtype_policy: float64}}
        outputs: {found: d}
        """,
        ("layers", "d", "activation"),
        "gelu in float32 only",
    ),
    "layer": (
        """
        inputs: {x: {shape: [8, 8, 3]}}
        layers: {resized: {type: resizing, input: x, height: 4, width: 4}}
        outputs: {found: resized}
        """,
        ("layers", "resized"),
        "Resizing cannot be written as ONNX",
    ),
    "layer inside": (
        """
        inputs: {x: {shape: [time, 8, 8, 3]}}
        layers:
          each: {type: time_distributed, input: x, layer: {type: center_crop, height: 4, width: 4}}
        outputs: {found: each}
        """,
        ("layers", "each", "layer"),
        "CenterCrop inside TimeDistributed cannot be written as ONNX",
    ),
    "interpolation": (
        """
        inputs: {x: {shape: [8, 8, 3]}}
        layers: {grown: {type: up_sampling2d, input: x, interpolation: bilinear}}
        outputs: {found: grown}
        """,
        ("layers", "grown", "interpolation"),
        "only nearest interpolation",
    ),
    "mask of several axes": (
        """
        inputs: {x: {shape: [time, 5, 4]}, mask: {shape: [time], dtype: bool}}
        layers:
          each: {type: time_distributed, input: x, layer: {type: dense, units: 4},
                 mask: {input: mask}}
          seen: {type: multi_head_attention, input: {query: each, value: x}, num_heads: 1,
                 key_dim: 2}
        outputs: {found: seen}
        """,
        ("layers", "seen", "mask"),
        "masks of attention over more than one axis",
    ),
    "names": (
        """
        inputs: {x: {shape: [time, 3]}}
        layers: {reader: {type: lstm, input: x, units: 4, initial_state: {inputs: [h, c]}}}
        outputs: {h: reader.state.h, next_c: reader.state.c}
        """,
        ("outputs", "h"),
        "cannot have an input and an output of one name, 'h'",
    ),
    "bfloat16 input": (
        """
        inputs: {x: {shape: [3], dtype: bfloat16}}
        layers: {d: {type: dense, input: x, units: 2}}
        outputs: {found: d}
        """,
        ("inputs", "x"),
        "declare 'x' as float32",
    ),
}


@pytest.mark.parametrize("name", OBSTACLES)
def test_obstacles_say_where_and_why(name: str) -> None:
    text, path, reason = OBSTACLES[name]
    compiled = load(text).compiled
    found = onnx_obstacles(compiled)
    assert [place for place, _ in found] == [path]
    assert reason in found[0][1]
    with pytest.raises(ValueError, match=path[-1] if isinstance(path[-1], str) else "cells"):
        onnx_model(compiled, {})


def test_weights_that_are_missing_are_named() -> None:
    recipe = lstmgraph.load(RECIPES / "speaker-classifier.yaml")
    weights = keras_weights(recipe.build())
    del weights["speaker"]
    with pytest.raises(ValueError, match="weights of 'speaker'"):
        onnx_model(recipe.compiled, weights)


def test_outputs_may_be_named_like_layers() -> None:
    recipe = load("""
    inputs: {x: {shape: [time, 3]}}
    layers: {last: {type: lstm, input: x, units: 4}}
    outputs: {last: last}
    """)
    model = recipe.build()
    found = run(exported(recipe, model), {"x": np.zeros((2, 4, 3), "float32")})
    assert found["last"].shape == (2, 4)
