"""What is inferred before TensorFlow is imported equals what Keras builds and computes.

``LSTMGRAPH_EXAMPLES=5000 python -m pytest tests/test_inference.py`` runs more, and other, recipes
than the fixed ones of every run.
"""

from __future__ import annotations

import json
import math
import textwrap
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import yaml
from building import SHIPPED, WITHOUT_LOOPS
from generated import examples, recipes
from generated_base import DIMS, Generated, Mask
from hypothesis import given
from hypothesis import strategies as st

import lstmgraph
from lstmgraph.api import Recipe, load
from lstmgraph.compiler.compile import CompiledRecipe, compile_document
from lstmgraph.compiler.graph import LAST, OUTPUT, SEQUENCE, Graph, Node, Port, state_outputs
from lstmgraph.keras_facts.tensors import Dim, TensorSpec
from lstmgraph.language.declaration.defaults import complete
from lstmgraph.language.text.document import parse_document
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SIZES = {"batch": 2, **DIMS}
Arrays = dict[str, np.ndarray]


def compiled(text: str) -> CompiledRecipe:
    return compile_document(parse_document(text))


# --- Keras's side ---


def keras_outputs(
    node: Node, layer: keras.Layer, number: int, used: frozenset[Port]
) -> dict[Port, Any]:
    """The symbolic tensors that `node`, call `number` of `layer`, returned, by port."""
    outputs = layer._inbound_nodes[number].output_tensors  # `output` is that of the only call
    result = outputs if len(outputs) > 1 else outputs[0]
    if node.recurrence is None:
        return {Port(node.name): result}
    primary = SEQUENCE if Port(node.name, SEQUENCE) in used else LAST
    if not isinstance(result, list | tuple):
        return {Port(node.name, primary): result}
    names = (primary, *state_outputs(node.recurrence))
    tensors = keras.tree.flatten(result)  # states of several cells are nested
    return {Port(node.name, name): x for name, x in zip(names, tensors, strict=True)}


def is_called_on_rows(graph: Graph, node: Node) -> bool:
    """Whether a `time_distributed` over open steps is called on rows of one step each."""
    sizes = graph.specs[node.inputs[0]].shape[1:-1]
    return node.op == "TimeDistributed" and any(isinstance(size, str) for size in sizes)


def all_outputs(graph: Graph, model: keras.Model) -> dict[Port, Any]:
    used = graph.returned_ports()
    found: dict[Port, Any] = {}
    numbers: Counter[str] = Counter()
    for node in graph.nodes:
        if node.is_layer:
            layer, number = model.get_layer(node.keras_name), numbers[node.keras_name]
            if not is_called_on_rows(graph, node):
                found |= keras_outputs(node, layer, number, used)
            numbers[node.keras_name] += 1
    return found


def mask_of(tensor: Any) -> Any:
    return getattr(tensor, "_keras_mask", None)


def random_inputs(specs: Mapping[str, TensorSpec], sizes: Mapping[str, int]) -> Arrays:
    """Ids and lengths with zeros among them; floats with steps of 0 and 1, which masks name."""
    random = np.random.default_rng(3)
    return {
        name: _random_input(size_of(spec, sizes), spec.dtype, random)
        for name, spec in specs.items()
    }


def _random_input(shape: tuple[int, ...], dtype: str, random: np.random.Generator) -> np.ndarray:
    if dtype == "bool":
        return random.integers(0, 2, shape).astype(bool)
    if "int" in dtype:
        return random.integers(0, 4, shape).astype(dtype)
    values = random.normal(size=shape)
    if len(shape) == 3:
        values[0, shape[1] // 2 :] = 0.0
        values[1, 0] = 1.0
        values[1, -1] = -2.5
    return values.astype(dtype)


def probed(graph: Graph, model: keras.Model) -> tuple[Arrays, dict[Port, Any]]:
    """Inputs of a batch of 2, and what every port then holds, its mask on it."""
    tensors = all_outputs(graph, model)
    specs = {name: tensor.spec for name, tensor in graph.inputs.items()}
    inputs = random_inputs(specs, sizes_of(graph))
    for name, tensor in graph.inputs.items():
        if tensor.time_major:
            inputs[name] = inputs[name].swapaxes(0, 1)
    if not tensors:  # every output is an input, and nothing is computed
        return inputs, {}
    probe = keras.Model(model.input, {str(port): tensor for port, tensor in tensors.items()})
    results = probe(dict(inputs))
    return inputs, {port: results[str(port)] for port in tensors}


def size_of(spec: TensorSpec, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of `spec` where names have `sizes`."""
    return tuple(steps_of(dim, sizes) for dim in spec.shape)


def steps_of(dim: Dim, sizes: Mapping[str, int]) -> int:
    """``time+4`` or ``batch*words`` where the names have sizes."""

    def size(name: str) -> int:
        return int(name) if name.isdigit() else sizes.get(name, 5)

    return sum(math.prod(map(size, part.split("*"))) for part in str(dim).split("+"))


def sizes_of(graph: Graph) -> Mapping[str, int]:
    return {**SIZES, "batch": graph.batch_size or SIZES["batch"]}


# --- the comparison ---


def check_shapes_and_dtypes(graph: Graph, tensors: Mapping[Port, Any]) -> None:
    nodes = graph.by_name
    for port, tensor in tensors.items():
        spec = nodes[port.node].outputs[port.output]
        assert tensor.shape == (graph.batch_size, *spec.shape_without_batch), port
        assert keras.backend.standardize_dtype(tensor.dtype) == spec.dtype, port


def check_parameters(graph: Graph, model: keras.Model) -> None:
    for node in graph.nodes:
        if not node.is_layer:
            continue
        layer = model.get_layer(node.keras_name)
        assert count(layer.trainable_weights) == node.parameters.trainable, node.name
        assert count(layer.non_trainable_weights) == node.parameters.non_trainable, node.name
    assert model.count_params() == graph.parameters.total
    assert count(model.trainable_weights) == graph.parameters.trainable


def count(weights: list[Any]) -> int:
    return sum(int(np.prod(weight.shape)) for weight in weights)


def check_mask_presence(graph: Graph, tensors: Mapping[Port, Any]) -> None:
    nodes = graph.by_name
    used = graph.used_ports()
    for port, tensor in tensors.items():
        if port in used:
            inferred = port.output in nodes[port.node].output_masks
            assert (mask_of(tensor) is not None) == inferred, port


def check_layers(graph: Graph, model: keras.Model) -> None:
    """No layer with weights but those of the graph."""
    nodes = {node.keras_name for node in graph.nodes if node.is_layer}
    assert nodes <= {layer.name for layer in model.layers}
    assert {layer.name for layer in model.layers if layer.weights} <= nodes


def check_values(graph: Graph, results: Mapping[Port, Any]) -> None:
    nodes = graph.by_name
    for port, tensor in results.items():
        spec = nodes[port.node].outputs[port.output]
        assert tuple(tensor.shape) == size_of(spec, sizes_of(graph)), port
        assert keras.backend.standardize_dtype(tensor.dtype) == spec.dtype, port


def check_explanation(source: CompiledRecipe, tensors: Mapping[Port, Any]) -> None:
    shown = json.loads(json.dumps(Recipe(source).explain().as_dict()))
    nodes = source.graph.by_name
    assert [row["name"] for row in shown["layers"]] == list(nodes)
    for row in shown["layers"]:
        node = nodes[row["name"]]
        primary = _primary(node, source.graph.used_ports())
        port = Port(node.name, primary)
        if port in tensors:
            shape = [dim if isinstance(dim, int) else None for dim in row["shape"]]
            assert tuple(shape[1:]) == tensors[port].shape[1:]
        parameters = source.graph.parameters_of(node)
        assert row["trainable_parameters"] == parameters.trainable
        assert row["non_trainable_parameters"] == parameters.non_trainable
    totals = shown["totals"]
    for kind in ("trainable_parameters", "non_trainable_parameters"):
        assert totals[kind] == sum(row[kind] for row in shown["layers"])
    assert totals["parameters"] == (
        totals["trainable_parameters"] + totals["non_trainable_parameters"]
    )


def _primary(node: Node, used: frozenset[Port]) -> str:
    if node.recurrence is None:
        return OUTPUT
    return SEQUENCE if Port(node.name, SEQUENCE) in used else LAST


def check_against_keras(source: CompiledRecipe) -> tuple[Any, Any]:
    """Everything that is inferred of a recipe; returns inputs, and what every port then held."""
    graph = source.graph
    model = Recipe(source).build()
    tensors = all_outputs(graph, model)
    check_layers(graph, model)
    check_shapes_and_dtypes(graph, tensors)
    check_parameters(graph, model)
    check_mask_presence(graph, tensors)
    check_explanation(source, tensors)
    inputs, results = probed(graph, model)
    check_values(graph, results)
    outputs = model(dict(inputs))
    assert set(outputs) == set(graph.outputs)
    return inputs, results


def check_mask_values(
    generated: Generated, graph: Graph, inputs: Mapping[str, Any], results: Mapping[Port, Any]
) -> None:
    """Masks on tensors are those that the recipe's own words make, computed in NumPy."""
    used = graph.used_ports()
    for name, mask in generated.masks.items():
        port = as_port(name, graph)
        if port not in used or port not in results:
            continue
        found = mask_of(results[port])
        assert (found is None) == (mask is None), (port, mask)
        if mask is not None:
            wanted = expected_mask(mask, graph, inputs, results)
            np.testing.assert_array_equal(np.asarray(found), wanted, err_msg=f"{port}: {mask}")


def as_port(text: str, graph: Graph) -> Port:
    node, _, output = text.partition(".")
    return Port(node, output) if output else Port(text)


def expected_mask(
    mask: Mask, graph: Graph, inputs: Mapping[str, Any], results: Mapping[Port, Any]
) -> np.ndarray:
    source = value_of(mask.source, graph, inputs, results)
    if mask.kind == "joined":
        parts = [
            expected_mask(part, graph, inputs, results)
            if part
            else np.ones(value_of(name, graph, inputs, results).shape[:2], bool)
            for name, part in mask.parts
        ]
        return np.concatenate(parts, axis=1)
    if mask.kind == "ids":
        return source != 0
    if mask.kind == "value":
        return np.any(source != mask.value, axis=-1)
    if mask.kind == "lengths":
        return np.arange(steps_of(mask.steps, SIZES)) < source.astype("int64")[:, None]
    return source


def value_of(
    name: str, graph: Graph, inputs: Mapping[str, Any], results: Mapping[Port, Any]
) -> np.ndarray:
    """The value of a port, the batch first."""
    if name not in inputs:
        return np.asarray(results[as_port(name, graph)])
    return inputs[name].swapaxes(0, 1) if graph.inputs[name].time_major else inputs[name]


# --- the tests ---


@pytest.mark.parametrize("path", WITHOUT_LOOPS, ids=lambda path: path.stem)
def test_shipped_recipes(path: Path) -> None:
    check_against_keras(compiled(path.read_text("utf-8")))


@pytest.mark.slow
@examples(6)
@given(recipes())
def test_generated_recipes(generated: Generated) -> None:
    keras.backend.clear_session()
    source = compiled(json.dumps(generated.data))
    inputs, results = check_against_keras(source)
    check_mask_values(generated, source.graph, inputs, results)


@pytest.mark.slow
@examples(120)
@given(recipes())
def test_inferred_masks_are_those_of_the_words(generated: Generated) -> None:
    """As above without Keras, so over more recipes."""
    graph = compiled(json.dumps(generated.data)).graph
    nodes = graph.by_name
    for name, mask in generated.masks.items():
        port = as_port(name, graph)
        if port.node not in nodes or port.output == LAST:
            continue
        found = nodes[port.node].output_masks.get(port.output)
        shown = found and (found.kind, str(found.port), found.shape[-1], found.padding)
        assert shown == (mask and (mask.kind, mask.source, mask.steps, mask.padding)), port


def test_a_residual_around_attention_keeps_the_mask_of_the_loss() -> None:
    """Keras's attention takes the mask off its inputs in place, as the model runs."""
    text = """
        recipe: 1
        name: residual
        inputs: {tokens: {shape: [time], dtype: int32}}
        layers:
          words: {type: embedding, input: tokens, input_dim: 10, output_dim: 4, mask_zero: true}
          attended:
            type: multi_head_attention
            input: {query: words, value: words}
            num_heads: 2
            key_dim: 2
          added: {type: add, input: [words, attended]}
        outputs: {words: words, added: added}
    """
    recipe = load(textwrap.dedent(text))
    outputs = recipe.build()({"tokens": np.array([[1, 2, 0, 0]])})
    for output in outputs.values():
        np.testing.assert_array_equal(mask_of(output), [[True, True, False, False]])


def test_the_mask_of_a_static_id_is_no_mask_of_steps() -> None:
    """An embedding of one id a row has a mask of shape (batch,), which no step has."""
    text = """
        recipe: 1
        name: joined
        inputs:
          x: {shape: [time, 2]}
          id: {shape: [], dtype: int32}
          store: {shape: [3]}
        layers:
          kind: {type: embedding, input: id, input_dim: 5, output_dim: 3, mask_zero: true}
          reader:
            {type: lstm, input: [kind, x], units: 2, initial_state: {static: [kind, store]}}
        outputs: {reader: reader.sequence}
    """
    recipe = load(textwrap.dedent(text))
    assert recipe.explain().layers[-1].mask is None
    inputs = {"x": np.ones((2, 4, 2)), "id": np.array([0, 1]), "store": np.ones((2, 3))}
    assert mask_of(recipe.build()(inputs)["reader"]) is None


@pytest.mark.parametrize("reader", ["{type: lstm, units: 3}", "{type: global_average_pooling1d}"])
def test_a_mask_of_tokens_is_no_mask_of_sentences(reader: str) -> None:
    """Where units and tokens are as many, Keras masks units by tokens, without a word."""
    text = f"""
        recipe: 1
        name: nested
        inputs: {{ids: {{shape: [4, 3], dtype: int32}}}}
        layers:
          words: {{type: embedding, input: ids, input_dim: 5, output_dim: 3, mask_zero: true}}
          sentences:
            {{type: time_distributed, input: words, layer: {{type: global_average_pooling1d}}}}
          document: {reader.replace("}", ", input: sentences}")}
        outputs: {{document: document}}
    """
    with pytest.raises(RecipeError) as caught:
        load(textwrap.dedent(text))
    assert [found.code for found in caught.value.diagnostics] == ["L503"]
    unmasked = text.replace("input: sentences", "input: sentences, mask: none")
    load(textwrap.dedent(unmasked)).build()


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_static_features_are_repeated_whatever_the_sizes(steps: int) -> None:
    """With one row and as many steps as features, Keras's ``ops.add`` sees a bias to add."""
    text = """
        recipe: 1
        name: joined
        inputs: {x: {shape: [time, 2]}, store: {shape: [3]}}
        layers:
          reader: {type: gru, input: [x, store], units: 2}
        outputs: {reader: reader}
    """
    model = load(textwrap.dedent(text)).build()
    random = np.random.default_rng(0)
    inputs = {"x": random.normal(size=(2, steps, 2)), "store": random.normal(size=(2, 3))}
    both = np.asarray(model(inputs)["reader"])
    one = np.asarray(model({name: value[:1] for name, value in inputs.items()})["reader"])
    np.testing.assert_allclose(one, both[:1], rtol=1e-5, atol=1e-6)


# --- recipes that must be the same ---


def same(graph: Graph) -> Graph:
    """`graph` without what only tells where in the text something stands."""
    return replace(graph, output_paths={})


def is_not_refused(data: dict[str, Any]) -> bool:
    """A mask behind a convolution that looks ahead is drawn now and then, and refused (L511)."""
    try:
        compiled(json.dumps(data))
    except RecipeError as error:
        return any(found.code != "L511" for found in error.diagnostics)
    return True


def shipped_or_generated() -> st.SearchStrategy[dict[str, Any]]:
    shipped = [parse_document(path.read_text("utf-8")).data for path in SHIPPED]
    found = st.one_of(st.sampled_from(shipped), recipes().map(lambda generated: generated.data))
    return found.filter(is_not_refused)


@pytest.mark.slow
@examples(60)
@given(shipped_or_generated())
def test_a_resolved_recipe_is_the_same_recipe(data: dict[str, Any]) -> None:
    first = compiled(json.dumps(data))
    again = compiled(Recipe(first).resolved())
    assert same(again.graph) == same(first.graph)
    assert again.completed == first.completed
    assert Recipe(again).resolved() == Recipe(first).resolved()


@pytest.mark.slow
@examples(60)
@given(shipped_or_generated())
def test_yaml_and_json_are_the_same_recipe(data: dict[str, Any]) -> None:
    written = compiled(yaml.safe_dump(data, sort_keys=False))
    assert written.graph == compiled(json.dumps(data)).graph


@pytest.mark.slow
@examples(60)
@given(shipped_or_generated())
def test_completing_twice_is_completing_once(data: dict[str, Any]) -> None:
    completed = complete(compiled(json.dumps(data)).document.data)
    assert complete(completed) == completed


@pytest.mark.slow
@examples(60)
@given(shipped_or_generated(), st.randoms(use_true_random=False))
def test_the_order_of_layers_does_not_count(data: dict[str, Any], random: Any) -> None:
    names = list(data["layers"])
    random.shuffle(names)
    mixed = {**data, "layers": {name: data["layers"][name] for name in names}}
    first, second = compiled(json.dumps(data)).graph, compiled(json.dumps(mixed)).graph
    assert second.by_name == first.by_name
    assert second.inputs == first.inputs
    assert second.outputs == first.outputs


# --- padded steps ---

STATES = {
    "none": "zeros",
    "static": {"static": ["store"], "activation": "tanh"},
    "input": "input",
}


@st.composite
def masked_readers(draw: Any) -> dict[str, Any]:
    """A recurrent layer masked by lengths, of which no padded step is read."""
    layer = {
        "type": draw(st.sampled_from(["lstm", "gru", "simple_rnn"])),
        "input": draw(st.sampled_from(["x", ["x", "store"], ["store", "x"]])),
        "units": draw(st.sampled_from([3, [2, 3]])),
        "mask": {"lengths": "n"},
        "bidirectional": draw(st.booleans()),
        "initial_state": STATES[draw(st.sampled_from(sorted(STATES)))],
    }
    if isinstance(layer["units"], int) and draw(st.booleans()):
        layer["go_backwards"] = True
    outputs = {"last": "reader.last", "state": "reader.state", "store": "features"}
    layers: dict[str, Any] = {"reader": layer}
    layers["features"] = {"type": "dense", "input": "store", "units": 1}
    if "go_backwards" not in layer:
        layers["mean"] = {"type": "global_average_pooling1d", "input": "reader.sequence"}
        outputs["mean"] = "mean"
    return {
        "recipe": 1,
        "name": "padded",
        "inputs": {
            "x": {"shape": ["time", 2]},
            "n": {"shape": [], "dtype": "int32"},
            "store": {"shape": [3]},
        },
        "layers": layers,
        "outputs": outputs,
        "runtime": {"seed": 1, "kernel": draw(st.sampled_from(["auto", "standard"]))},
    }


def outputs_of(model: keras.Model, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in model(dict(inputs)).items()}


def assert_equal(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.slow
@examples(10)
@given(masked_readers())
def test_padded_steps_do_not_count(data: dict[str, Any]) -> None:
    """Not what they hold, and not that they are there: each row alone, cut, gives the same."""
    model = load(json.dumps(data)).build()
    specs = {name: TensorSpec((2, *x.shape[1:]), x.dtype) for name, x in model.input.items()}
    inputs = random_inputs(specs, {})
    inputs["n"] = np.array([3, 5], "int32")
    found = outputs_of(model, inputs)
    garbage = np.where(np.arange(5)[None, :, None] < inputs["n"][:, None, None], inputs["x"], 1e3)
    assert_equal(outputs_of(model, {**inputs, "x": garbage.astype("float32")}), found)
    for row, length in enumerate(inputs["n"]):
        alone = {name: value[row : row + 1] for name, value in inputs.items()}
        alone["x"] = alone["x"][:, :length]
        wanted = {name: value[row : row + 1] for name, value in found.items()}
        assert_equal(outputs_of(model, alone), wanted)


def test_what_is_known_of_padding_does_not_make_another_mask() -> None:
    """The layer says where the padding stands; its mask is still that of `x`."""
    recipe = lstmgraph.load(
        """
        recipe: 1
        name: same-mask
        inputs: {ids: {shape: [time], dtype: int32}}
        layers:
          x: {type: embedding, input: ids, input_dim: 5, output_dim: 4, mask_zero: true}
          y: {type: lstm, input: x, units: 4, mask: {from: x, padding: right}}
          sum: {type: add, input: [x, y.sequence]}
        outputs: {sum: sum}
        """
    )
    assert [row.mask for row in recipe.explain().layers] == ["ids != 0"] * 3


@pytest.mark.parametrize(
    "body",
    [
        "type: rnn, cells: [{type: lstm_cell, units: 2}]",
        "type: rnn, cells: [{type: lstm_cell, units: 2}, {type: gru_cell, units: 3}]",
        "type: time_distributed, layer: {type: dense, units: 2}",
    ],
)
def test_what_is_not_trainable_is_not_trained(body: str) -> None:
    """Keras's RNN and its wrappers keep it to themselves, and their cells and layers train."""
    layers = f"layers: {{y: {{input: x, trainable: false, {body}}}}}"
    recipe = load(
        f"recipe: 1\nname: y\ninputs: {{x: {{shape: [4, 2]}}}}\n{layers}\noutputs: {{y: y}}"
    )
    assert recipe.build().trainable_weights == []


def test_parts_that_no_output_needs_are_not_counted() -> None:
    recipe = load(
        """
        recipe: 1
        name: states-only
        inputs: {x: {shape: [time, 2]}}
        layers:
          y: {type: gru, input: x, units: [2, 2], residual: true, normalization: layer}
        outputs: {y: y.state}
        """
    )
    names = [row.name for row in recipe.explain().layers]
    assert names == ["y_1", "y_1_norm", "y_2"]
    assert recipe.build().count_params() == recipe.explain().as_dict()["totals"]["parameters"]


def test_the_names_of_copies_leave_the_names_of_a_recipe_free() -> None:
    recipe = lstmgraph.load(
        """
        recipe: 1
        name: names
        inputs: {x: {shape: [4], dtype: int32}}
        layers:
          e: {type: embedding, input: x, input_dim: 5, output_dim: 3, mask_zero: true}
          a: {type: multi_head_attention, input: {query: e, value: e}, num_heads: 1, key_dim: 2}
          a_input_1: {type: dense, input: a, units: 2}
        outputs: {a: a_input_1}
        """
    )
    assert recipe.build().get_layer("a_input_1").units == 2
