"""Random blocks and loops are the layers written out by hand, and edited ones are reported."""

from __future__ import annotations

import random
import traceback
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from building import LENGTHS, outputs_of, randomise
from mutation import CRASHED, verdict
from mutations import edits, source
from random_blocks import drawn, has_same_weights, text_of, written_out

import lstmgraph

if TYPE_CHECKING:
    import keras

    from lstmgraph.compiler.graph import Graph


def _loaded(seed: int) -> tuple[lstmgraph.Recipe, lstmgraph.Recipe, bool] | None:
    """A recipe with blocks, and without; None for the few that both refuse, for one reason."""
    recipe = drawn(seed)
    plain = written_out(recipe)
    found, codes = [], []
    for each in (recipe, plain):
        try:
            found.append(lstmgraph.load(text_of(each)))
        except lstmgraph.RecipeError as error:
            codes.append(error.diagnostics[0].code)
    assert len(codes) in (0, 2), (seed, codes)
    assert len(set(codes)) < 2, (seed, codes)
    return None if codes else (found[0], found[1], has_same_weights(plain))


def _weights(graph: Graph) -> list[str]:
    held = {node.keras_name: str(dict(node.weights)) for node in graph.nodes if node.weights}
    return sorted(held.values())


def compare_graphs(seed: int) -> int:
    """Compare shapes, masks and weights; return the number of calls that were compared."""
    pair = _loaded(seed)
    if pair is None:
        return 0
    graph, plain = (recipe.compiled.graph for recipe in pair[:2])
    nodes, others = ({node.name: node for node in each.nodes} for each in (graph, plain))
    common = nodes.keys() & others.keys()
    for name in common:
        assert nodes[name].outputs == others[name].outputs, (seed, name)
        assert nodes[name].mask == others[name].mask, (seed, name)
        assert nodes[name].output_masks == others[name].output_masks, (seed, name)
    assert graph.outputs.keys() == plain.outputs.keys()
    if pair[2]:
        assert _weights(graph) == _weights(plain), seed
    return len(common)


def compare_numbers(seed: int) -> bool:
    """Compare outputs under the same weights; return whether there was something to compare."""
    pair = _loaded(seed)
    if pair is None or not pair[2]:
        return False
    model, plain = pair[0].build(), pair[1].build()
    randomise(model, seed)
    nodes, others = (
        {node.name: node.keras_name for node in recipe.compiled.graph.nodes} for recipe in pair[:2]
    )
    filled = set()
    for name in nodes.keys() & others.keys():
        if _holds(model, nodes[name]) and _holds(plain, others[name]):
            layer = plain.get_layer(others[name])
            layer.set_weights(model.get_layer(nodes[name]).get_weights())
            filled.add(layer.name)
    left = {layer.name for layer in plain.layers if layer.weights} - filled
    assert not left, (seed, left)
    chance = np.random.default_rng(seed)
    batch: dict[str, Any] = {}
    for name, tensor in model.input.items():
        length = model.input["long"].shape[1] if "long" in model.input else 4
        values = np.minimum(LENGTHS, length)
        if name != "lengths":
            values = chance.normal(size=(len(LENGTHS), *tensor.shape[1:])).astype("float32")
        batch[name] = values
    found, wanted = outputs_of(model, batch), outputs_of(plain, batch)
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-6, atol=1e-6, err_msg=f"{seed}")
    return True


def _holds(model: keras.Model, name: str) -> bool:
    return any(layer.name == name and layer.weights for layer in model.layers)


@pytest.mark.slow
def test_blocks_and_loops_compile_to_the_layers_written_out() -> None:
    assert sum(compare_graphs(seed) for seed in range(60)) > 600


@pytest.mark.slow
def test_blocks_and_loops_give_the_numbers_of_the_layers_written_out() -> None:
    assert sum(compare_numbers(seed) for seed in range(1, 5)) > 1


HOSTILE = ["__class__", "a.b", "é", None, "", {}, [], 10**9, -1, "b0", "l0", "last", True, 0.5]


def hostile(seed: int) -> str:
    """A recipe with one or two values or keys replaced, removed or moved."""
    chance = random.Random(seed)
    recipe = drawn(seed % 500)
    for _ in range(chance.choice([1, 1, 2])):
        places: list[tuple[Any, Any]] = []

        def walk(part: Any, places: list[tuple[Any, Any]] = places) -> None:
            keys = part if isinstance(part, dict) else range(len(part))
            for key in keys:
                places.append((part, key))
                if isinstance(part[key], dict | list):
                    walk(part[key])

        for section in ("blocks", "layers"):
            places.append((recipe, section))
            if isinstance(recipe.get(section), dict | list):
                walk(recipe[section])
        holder, key = chance.choice(places)
        other = chance.choice(places)
        edit = chance.randrange(5)
        if edit == 0:
            del holder[key]
        elif edit == 1:
            holder[key] = chance.choice(HOSTILE)
        elif edit == 2 and isinstance(holder, dict):
            names = [each for each in HOSTILE if not isinstance(each, dict | list)]
            holder[chance.choice(names)] = holder.pop(key)
        elif edit == 3:
            text = text_of({"copy": other[0][other[1]]})
            holder[key] = yaml.safe_load(text)["copy"]
        else:
            holder[key] = chance.choice(["b0", "b1", "b2", "l0", "call_b0", "loop_b0", "i0.o0"])
    return text_of(recipe)


def check_hostile(seed: int) -> str:
    """Load an edited recipe; return the code of its first error, or nothing."""
    text = hostile(seed)
    try:
        lstmgraph.load(text)
    except lstmgraph.RecipeError as error:
        lines = len(text.splitlines())
        for each in error.diagnostics:
            assert 1 <= each.place.span.line <= lines + 1, (seed, each)
        return error.diagnostics[0].code
    except Exception:
        raise AssertionError(f"{seed}\n{traceback.format_exc()}") from None
    return ""


@pytest.mark.slow
def test_edited_blocks_and_loops_are_reported() -> None:
    codes = [check_hostile(seed) for seed in range(100)]
    assert len({*codes}) > 5


@pytest.mark.slow
def test_blocks_edited_as_a_person_does_are_reported() -> None:
    of = [source(f"drawn{seed}", text_of(drawn(seed))) for seed in range(8)]
    crashed = [each.crash for each in map(verdict, edits(100, 5, of)) if each.outcome == CRASHED]
    assert crashed == []


@pytest.mark.parametrize("outer", ["below", "below.last"])
def test_a_slot_of_the_only_output_of_a_block_in_a_block(outer: str) -> None:
    below = "{loop: inner, steps: 2, input: {x: x}}" if "." in outer else "{call: inner, input: x}"
    text = f"""\
recipe: 1
name: slots
inputs: {{x: {{shape: [4, 3]}}}}
blocks:
  inner:
    inputs: [x]
    layers: {{cell: {{type: lstm, input: x, units: 2}}}}
    outputs: {{state: cell.state}}
  outer: {{inputs: [x], layers: {{below: {below}}}, outputs: {{state: {outer}}}}}
layers: {{top: {{call: outer, input: x}}}}
outputs: {{h: top.state.h}}
"""
    graph = lstmgraph.load(text).compiled.graph
    assert graph.outputs["h"].node.endswith("_cell")


def test_zeros_of_a_loop_whose_only_other_input_is_all_states() -> None:
    text = """\
recipe: 1
name: zeros
inputs: {x: {shape: [4, 3]}}
blocks:
  step:
    inputs: [value, start]
    layers: {cell: {type: lstm, input: value, units: 3, initial_state: start}}
    outputs: {y: cell.sequence}
layers:
  reader: {type: lstm, input: x, units: 3}
  loop:
    loop: step
    steps: 2
    input: {start: reader.state}
    feedback: {value: {first: {zeros: [1, 3]}, then: y}}
outputs: {y: loop.y}
"""
    graph = lstmgraph.load(text).compiled.graph
    assert {"step_cell"} == {n.keras_name for n in graph.nodes if n.name.endswith("_cell")}


@pytest.mark.parametrize("first", ["x.wrong", "reader.wrong", "unknown.wrong", "unknown"])
def test_a_wrong_first_of_which_what_is_fed_back_is_independent(first: str) -> None:
    text = f"""\
recipe: 1
name: first
inputs: {{x: {{shape: [1, 3]}}}}
blocks:
  step:
    inputs: [value, other]
    layers:
      y: {{type: dense, input: other, units: 3}}
      z: {{type: dense, input: value, units: 3}}
    outputs: {{y: y, z: z}}
layers:
  reader: {{type: lstm, input: x, units: 3}}
  loop:
    loop: step
    steps: 1
    input: {{other: x}}
    feedback:
      value: {{first: {first}, then: y}}
outputs: {{y: loop.y, z: loop.z}}
"""
    with pytest.raises(lstmgraph.RecipeError) as caught:
        lstmgraph.load(text)
    assert 1 <= caught.value.diagnostics[0].place.span.line <= len(text.splitlines())
