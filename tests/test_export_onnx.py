"""Format ``onnx`` around its lowering: here a small one stands in for it, of dense layers alone.

The real one is tested on its own; "onnx" in ``test_export.CHECKED`` runs it on every recipe.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
from building import load, outputs_of, randomise
from onnx import TensorProto, helper, numpy_helper

import lstmgraph
from lstmgraph.export import check_obstacles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lstmgraph.compiler.compile import CompiledRecipe

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

DENSE = """
inputs: {x: {shape: [4]}}
layers:
  first: {type: dense, input: x, units: 3}
  y: {type: dense, input: first, units: 2}
outputs: {y: y, first: first}
"""


def dense_model(
    compiled: CompiledRecipe, weights: Mapping[str, Sequence[np.ndarray]]
) -> onnx.ModelProto:
    nodes, constants = [], []
    for node in compiled.graph.nodes:
        kernel, bias = weights[node.name]
        named = {f"{node.name}_kernel": kernel, f"{node.name}_bias": bias}
        constants += [numpy_helper.from_array(array, name) for name, array in named.items()]
        nodes.append(helper.make_node("Gemm", [str(node.inputs[0]), *named], [node.name]))
    tensors = {
        name: ["batch", *shape] for name, shape in {"x": [4], "y": [2], "first": [3]}.items()
    }
    infos = {n: helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in tensors.items()}
    graph = helper.make_graph(
        nodes, "dense", [infos["x"]], [infos["y"], infos["first"]], initializer=constants
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def no_obstacles(compiled: CompiledRecipe) -> list[tuple[tuple[str, ...], str]]:
    return []


@pytest.fixture
def lowering(monkeypatch) -> ModuleType:
    module = ModuleType("lstmgraph.export.onnx")
    module.onnx_model, module.onnx_obstacles = dense_model, no_obstacles
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_the_file_is_run_by_onnxruntime(lowering, tmp_path) -> None:
    recipe = load(DENSE, "dense")
    model = recipe.build()
    randomise(model)
    report = recipe.export(model, tmp_path)
    assert (report.path, report.format) == (tmp_path / "dense.onnx", "onnx")
    assert (report.opset, report.operators) == (17, ["Gemm"])
    assert "operators of opset 17: Gemm" in str(report)
    assert report.as_dict()["opset"] == 17
    session = onnxruntime.InferenceSession(report.path, providers=["CPUExecutionProvider"])
    data = {"x": np.random.default_rng(9).normal(size=(7, 4)).astype("float32")}
    found = dict(zip(["y", "first"], session.run(["y", "first"], data), strict=True))
    for name, wanted in outputs_of(model, data).items():
        np.testing.assert_allclose(found[name], wanted, atol=1e-5)


def test_wrong_numbers_are_caught(lowering, tmp_path) -> None:
    def without_bias(compiled, weights):
        zeroed = {n: [kernel, np.zeros_like(bias)] for n, (kernel, bias) in weights.items()}
        return dense_model(compiled, zeroed)

    lowering.onnx_model = without_bias
    refused(
        DENSE,
        tmp_path,
        "output 'y' of the ONNX file differs from the model's by",
        "output 'first' of the ONNX",
    )


def test_other_names_are_caught(lowering, tmp_path) -> None:
    def renamed(compiled, weights):
        model = dense_model(compiled, weights)
        for node in model.graph.node:
            node.input[0] = node.input[0].replace("x", "tensor_1")
        model.graph.input[0].name = "tensor_1"
        return model

    lowering.onnx_model = renamed
    refused(DENSE, tmp_path, "the ONNX file has other inputs than the model: tensor_1")


def refused(text: str, folder: Path, *says: str) -> None:
    recipe = load(text)
    model = recipe.build()
    randomise(model)
    with pytest.raises(lstmgraph.RecipeError) as caught:
        recipe.export(model, folder)
    assert {found.code for found in caught.value.diagnostics} == {"L803"}
    messages = [found.message for found in caught.value.diagnostics]
    assert len(messages) == len(says)
    for message, part in zip(messages, says, strict=True):
        assert part in message
    assert not list(folder.iterdir())


def test_operators_of_loops_and_functions_are_listed() -> None:
    from lstmgraph.export.onnx_file import kinds_of_operators  # noqa: PLC0415 - imports Keras

    body = helper.make_graph([helper.make_node("Relu", ["a"], ["b"])], "body", [], [])
    loop = helper.make_node("If", ["c"], ["d"], then_branch=body, else_branch=body)
    function = helper.make_function(
        "own", "Swish", ["x"], ["y"], [helper.make_node("Sigmoid", ["x"], ["y"])], []
    )
    graph = helper.make_graph([loop], "graph", [], [])
    model = helper.make_model(graph, functions=[function])
    assert sorted(kinds_of_operators(model)) == ["If", "Relu", "Relu", "Sigmoid"]


def test_obstacles_are_said_at_their_lines(lowering) -> None:
    lowering.onnx_obstacles = lambda _: [(("layers", "y"), "ONNX has no such thing as 'y'")]
    with pytest.raises(lstmgraph.RecipeError) as caught:
        check_obstacles(load(DENSE).compiled, ["onnx"])
    (found,) = caught.value.diagnostics
    assert (found.code, found.message) == ("L801", "ONNX has no such thing as 'y'")
    assert found.place.span.line == 6
