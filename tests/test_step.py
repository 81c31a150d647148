"""Step by step is the whole sequence: in chunks of any sizes, with masks, lengths and attention."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from building import SHIPPED, batch_for, load, outputs_of, randomise
from generated import examples, recipes
from hypothesis import assume, given
from stepping import random_sizes, run_in_chunks, started, steps_of
from test_random_outputs import batch, in_one_precision, largest_error

import lstmgraph
from lstmgraph.export import ExportOptions
from lstmgraph.export.files import export_files
from lstmgraph.messages.errors import RecipeError
from lstmgraph.models.building import build_models

if TYPE_CHECKING:
    from pathlib import Path

    from building import Arrays
    from generated_base import Generated

    from lstmgraph.compiler.derive import StepPlan

NOT_STEPPABLE = {
    "conv-lstm": "ConvLSTM2D convolves over several steps",
    "prepended-step": "'first_step' does not have the time steps of the other input",
    "character-tagger": "the steps of all segments are computed together",
    "document-classifier": "the steps of all segments are computed together",
    "session-churn": "the steps of all segments are computed together",
    "sentence-matcher": "several time axes, those of first, second",
    "residual-stack": "GlobalAveragePooling1D pools over several steps",
}
"""Shipped recipes that need other steps than the newest, and why."""
FED_BY_ITSELF = "feedback-forecaster"  # it reads no steps: test_feedback_forecaster
STEPPABLE = [path for path in SHIPPED if path.stem not in {*NOT_STEPPABLE, FED_BY_ITSELF}]

ATTENDING = """
    inputs:
      source: {shape: [source_time, 3]}
      source_lengths: {shape: [], dtype: int32}
      target: {shape: [time, 2]}
      lengths: {shape: [], dtype: int32}
      store: {shape: [4]}
    layers:
      encoder:
        type: gru
        input: source
        units: 6
        bidirectional: true
        return_sequences: true
        mask: {lengths: source_lengths}
      decoder:
        type: lstm
        input: [target, store]
        units: [5, 12]
        mask: {lengths: lengths}
        initial_state: [{static: [store]}, {h: {from: encoder.last, bridge: dense}, c: learned}]
        return_sequences: true
      attended: {type: ATTENTION, input: [decoder, encoder]}
      joined: {type: concatenate, input: [decoder, attended]}
      out: {type: dense, input: joined, units: 3}
    outputs: {out: out, last: decoder.last, summary: encoder.last}
"""


def error_of(found: Arrays, wanted: Arrays) -> float:
    assert found.keys() == wanted.keys()
    return max((largest_error(found[name], array) for name, array in wanted.items()), default=0)


def check_chunks(
    plan: StepPlan, model: keras.Model, parts: dict[str, keras.Model], x: Arrays
) -> None:
    """The whole sequence in one call of `model`, and in chunks of several divisions."""
    wanted = outputs_of(model, x)
    steps = steps_of(plan, x)
    random = np.random.default_rng(steps)
    divisions = [("step", [1] * steps)] if "step" in parts else []
    if "chunk" in parts:
        divisions += [("chunk", random_sizes(steps, random)), ("chunk", [steps])]
    last = []
    for name, sizes in divisions:
        found, states = run_in_chunks(plan, parts[name], parts.get("start"), x, sizes)
        assert error_of(found, wanted) < 1e-6, sizes
        last.append(states)
    for states in last[1:]:
        assert error_of(states, last[0]) < 1e-6


@pytest.mark.parametrize("path", STEPPABLE, ids=lambda path: path.stem)
def test_a_shipped_recipe_runs_step_by_step(path: Path) -> None:
    derived = lstmgraph.load(path).derive("step")
    randomise(derived.main)
    parts = {"step": derived.model, "chunk": derived.chunk, "start": derived.start}
    there = {name: model for name, model in parts.items() if model is not None}
    check_chunks(derived.plan, derived.main, there, batch_for(derived.main))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_recipe_says_why_it_cannot_be_stepped(path: Path) -> None:
    if path.stem not in NOT_STEPPABLE:
        return
    with pytest.raises(RecipeError) as caught:
        lstmgraph.load(path).with_derived("step")
    (found,) = caught.value.diagnostics
    assert found.code == "L834"
    assert NOT_STEPPABLE[path.stem] in found.message
    assert found.place.source == str(path)
    assert found.place.span.line > 1


@pytest.mark.slow
@examples(7)
@given(recipes(min_layers=1, max_layers=4))
def test_random_recipes_run_in_chunks(generated: Generated) -> None:
    """The whole model's numbers are NumPy's, which ``test_random_outputs.py`` holds it to."""
    data = in_one_precision(generated.data, "float32")
    try:
        compiled = lstmgraph.load(json.dumps(data)).with_derived("step").compiled
    except RecipeError:
        assume(False)
    plan = compiled.models["step"].plan
    graphs = {"step": plan.step} if plan.chunk is None else {"chunk": plan.chunk}
    graphs |= {"start": plan.start} if plan.start else {}
    keras.backend.clear_session()
    model, parts = build_models(compiled, graphs)
    randomise(model)
    check_chunks(plan, model, parts, batch(data, model, np.random.default_rng(0)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "attention",
    ["attention", "additive_attention", "multi_head_attention, num_heads: 2, key_dim: 3"],
)
def test_attention_to_another_sequence_runs_step_by_step(attention: str) -> None:
    """The sequence and its mask come from the start model, and are the same at every step."""
    derived = load(ATTENDING.replace("ATTENTION", attention)).derive("step")
    randomise(derived.main)
    random = np.random.default_rng(0)
    x = {
        "source": random.normal(size=(3, 4, 3)).astype("float32"),
        "source_lengths": np.array([4, 2, 1], "int32"),
        "target": random.normal(size=(3, 5, 2)).astype("float32"),
        "lengths": np.array([3, 5, 0], "int32"),
        "store": random.normal(size=(3, 4)).astype("float32"),
    }
    assert derived.plan.outputs == {"out": "steps", "last": "newest", "summary": "start"}
    assert derived.plan.lengths == ("lengths",)
    _, contexts, _ = started(derived.plan, derived.start, x)
    np.testing.assert_array_equal(
        contexts["encoder_sequence_mask"], np.arange(4) < x["source_lengths"][:, None]
    )
    parts = {"step": derived.model, "chunk": derived.chunk, "start": derived.start}
    check_chunks(derived.plan, derived.main, parts, x)


@pytest.mark.slow
def test_a_step_in_onnx_is_the_same(tmp_path: Path) -> None:
    """The exporter runs each file with onnxruntime, and gives it its name where it is the same."""
    recipe = load(ATTENDING.replace("ATTENTION", "attention")).with_derived("step")
    models = recipe.models()
    randomise(models["inline"])
    for name in ("step", "step.start"):
        path = tmp_path / f"{name}.onnx"
        part = recipe.compiled.part(name)
        (report,) = export_files(part, models[name], {"onnx": path}, ExportOptions())
        assert path.exists()
        assert {row.name for row in report.inputs} == set(models[name].input)


def test_teacher_forcing_is_the_decoder_stepped_with_the_same_tokens() -> None:
    recipe = lstmgraph.load(lstmgraph.packaged_recipe("encoder-decoder"))
    model = recipe.build()
    randomise(model)
    derived = recipe.derive("step", model)
    x = batch_for(model)
    found, _ = run_in_chunks(derived.plan, derived.model, derived.start, x, [1] * 4)
    assert error_of(found, outputs_of(model, x)) < 1e-6


def test_states_of_16_bits_lose_nothing_between_chunks() -> None:
    recipe = load("""
        inputs: {x: {shape: [time, 3]}, store: {shape: [4]}}
        layers:
          reader: {type: lstm, input: [x, store], units: 5, initial_state: {static: [store]}}
          out: {type: dense, input: reader.sequence, units: 2}
        outputs: {out: out, last: reader.last}
        runtime: {dtype_policy: mixed_bfloat16}
    """)
    derived = recipe.derive("step")
    randomise(derived.main)
    x = batch_for(derived.main)
    found, states = run_in_chunks(derived.plan, derived.chunk, derived.start, x, [2, 1, 3])
    assert {array.dtype.name for array in states.values()} == {"float32"}
    wanted = outputs_of(derived.main, x)
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)


def test_a_carried_state_is_not_touched_by_steps() -> None:
    derived = lstmgraph.load(lstmgraph.packaged_recipe("carried-state")).derive("step")
    randomise(derived.main)
    x = batch_for(derived.main)
    first = outputs_of(derived.main, x)
    run_in_chunks(derived.plan, derived.model, None, x, [1] * steps_of(derived.plan, x))
    second = outputs_of(derived.main, x)
    assert not np.allclose(first["alarm"], second["alarm"])  # it goes on from the batch before
    fresh = lstmgraph.load(lstmgraph.packaged_recipe("carried-state")).derive("step", derived.main)
    outputs_of(fresh.main, x)
    np.testing.assert_allclose(outputs_of(fresh.main, x)["alarm"], second["alarm"], atol=1e-6)
