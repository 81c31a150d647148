"""States carried from batch to batch: chunks are one sequence, every call moves the states on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from building import (
    LENGTHS,
    STEPS,
    Arrays,
    assert_equal_arrays,
    build,
    outputs_of,
    randomise,
)

from lstmgraph.models.carried import read_states, reset_states

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras

ROWS = len(LENGTHS)
CHUNKS = ((0, 2), (2, 3), (3, 6))
TOLERANCE = 1e-6

RECIPE = """
inputs: {{x: {{shape: [time, 3]}}{inputs}}}
layers:
  reader: {{input: x, initial_state: {state}{mask}, {layer}}}
outputs: {{y: reader.sequence, state: reader.state}}
{runtime}
"""
KINDS = {
    "lstm": "type: lstm, units: 4",
    "stack": "type: lstm, units: [4, 2]",
    "gru": "type: gru, units: 4",
    "simple_rnn": "type: simple_rnn, units: 4",
    "cell": "type: rnn, cells: [{type: lstm_cell, units: 4}]",
    "deep": "type: lstm, units: 4, depth: 3, residual: true, normalization: layer",
    "mixed precision": "type: lstm, units: 4, dtype_policy: mixed_float16",
    "float64": "type: lstm, units: 4, dtype_policy: float64",
}


def reader(kind: str, state: str = "carried", *, masked: bool = False) -> keras.Model:
    """A model with random weights, the same for every `state`."""
    model = build(
        RECIPE.format(
            layer=KINDS[kind],
            state=state,
            mask=", mask: {lengths: lengths}" if masked else "",
            inputs=", lengths: {shape: [], dtype: int32}" if masked else "",
            runtime=f"runtime: {{batch_size: {ROWS}}}" if state == "carried" else "",
        )
    )
    randomise(model)
    return model


def sequence(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(ROWS, STEPS, 3)).astype("float32")


def chunk(data: Arrays, start: int, end: int) -> Arrays:
    """Some of the steps, and how many of them count."""
    values = {"x": data["x"][:, start:end]}
    if "lengths" in data:
        values["lengths"] = np.clip(data["lengths"] - start, 0, end - start)
    return values


def run(model: keras.Model, data: Arrays) -> Arrays:
    """Outputs of the chunks, sequences put together."""
    parts = [outputs_of(model, chunk(data, *bounds)) for bounds in CHUNKS]
    return {**parts[-1], "y": np.concatenate([part["y"] for part in parts], axis=1)}


def assert_close(found: Arrays, wanted: Arrays, tolerance: float = TOLERANCE) -> None:
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("masked", [False, True], ids=["every step", "masked"])
@pytest.mark.parametrize("kind", KINDS)
def test_chunks_are_one_sequence(kind: str, masked: bool) -> None:
    """And the first call of a carried model is that of one whose states begin as zeros."""
    model, whole = reader(kind, masked=masked), reader(kind, "zeros", masked=masked)
    data = {"x": sequence(), **({"lengths": LENGTHS} if masked else {})}
    wanted = outputs_of(whole, data)
    tolerance = 1e-3 if kind == "mixed precision" else TOLERANCE
    assert_close(run(model, data), wanted, tolerance)
    kept = list(read_states(model).values())
    states = [array for name, array in wanted.items() if name.startswith("state")]
    for found, array in zip(kept, states, strict=True):
        np.testing.assert_allclose(found, array, rtol=0, atol=tolerance)
    reset_states(model)
    assert_close(outputs_of(model, data), wanted, 0)


@pytest.mark.parametrize("kind", ["stack", "gru", "cell"])
def test_carried_equals_states_as_inputs_and_outputs(kind: str) -> None:
    model, stepped = reader(kind, masked=True), reader(kind, "input", masked=True)
    data = {"x": sequence(), "lengths": LENGTHS}
    names = {f"reader_{n.removeprefix('state_')}": n for n in stepped.output if n != "y"}
    states = {name: np.zeros((ROWS, stepped.input[name].shape[-1]), "float32") for name in names}
    for bounds in CHUNKS:
        values = chunk(data, *bounds)
        wanted = outputs_of(stepped, {**values, **states})
        assert_close(outputs_of(model, values), wanted, 0)
        states = {name: wanted[output] for name, output in names.items()}


def test_a_row_of_padding_keeps_its_state() -> None:
    """`last` alone too: Keras's loop would give zeros for it."""
    text = RECIPE.replace("reader.sequence, state: reader.state", "reader").format(
        layer=KINDS["lstm"],
        state="carried",
        mask=", mask: {lengths: lengths}",
        inputs=", lengths: {shape: [], dtype: int32}",
        runtime=f"runtime: {{batch_size: {ROWS}}}",
    )
    model = build(text)
    randomise(model)
    first = outputs_of(model, {"x": sequence(), "lengths": np.full(ROWS, STEPS, "int32")})["y"]
    before = read_states(model)
    again = outputs_of(model, {"x": sequence(1), "lengths": np.zeros(ROWS, "int32")})["y"]
    np.testing.assert_array_equal(again, first)
    assert_equal_arrays(read_states(model), before)
    assert np.abs(first).min() > 0


CALLS: dict[str, Callable[[keras.Model, np.ndarray], object]] = {
    "call": lambda model, x: model({"x": x}),
    "predict": lambda model, x: model.predict({"x": x}, verbose=0),
    "predict_on_batch": lambda model, x: model.predict_on_batch({"x": x}),
    "evaluate": lambda model, x: model.evaluate({"x": x}, {"y": x[:, :, :1]}, verbose=0),
    "test_on_batch": lambda model, x: model.test_on_batch({"x": x}, {"y": x[:, :, :1]}),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_call_moves_the_state_on_once(name: str) -> None:
    model, whole = reader("lstm"), reader("lstm", "zeros")
    model.compile(loss={"y": "mse"}, jit_compile=False)
    for bounds in CHUNKS:
        CALLS[name](model, sequence()[:, slice(*bounds)])
    wanted = outputs_of(whole, {"x": sequence()})
    found = {"state_h": read_states(model)["reader.h"], "state_c": read_states(model)["reader.c"]}
    assert_close(found, {name: wanted[name] for name in found})


@pytest.mark.parametrize("rows", [1, ROWS - 1, ROWS + 1])
def test_a_batch_of_another_size_is_refused(rows: int) -> None:
    model = reader("stack")
    outputs_of(model, {"x": sequence()})
    before = read_states(model)
    for call in (CALLS["call"], CALLS["predict_on_batch"]):
        with pytest.raises(ValueError, match=f"(?s)batch size: {ROWS}.*batch size: {rows}"):
            call(model, np.ones((rows, STEPS, 3), "float32"))
    assert_equal_arrays(read_states(model), before)


def test_reset_of_all_rows_and_of_some() -> None:
    model, whole = reader("stack"), reader("stack", "zeros")
    fresh = outputs_of(whole, {"x": sequence(1)})
    outputs_of(model, {"x": sequence()})
    before = read_states(model)
    assert list(before) == ["reader_1.h", "reader_1.c", "reader_2.h", "reader_2.c"]
    reset_states(model, rows=[0, 3])
    for name, state in read_states(model).items():
        assert not state[[0, 3]].any()
        np.testing.assert_array_equal(state[[1, 2, 4]], before[name][[1, 2, 4]])
    found = outputs_of(model, {"x": sequence(1)})
    for name, array in fresh.items():
        np.testing.assert_allclose(found[name][[0, 3]], array[[0, 3]], rtol=0, atol=TOLERANCE)
        assert np.abs(found[name][[1, 2, 4]] - array[[1, 2, 4]]).max() > 1e-3
    with pytest.raises(IndexError):
        reset_states(model, rows=[ROWS])
    reset_states(model)
    assert_close(outputs_of(model, {"x": sequence(1)}), fresh, 0)
