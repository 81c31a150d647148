"""Recurrent layers in LiteRT files: LSTMs as one operator, few steps without a loop."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest
from building import FIRST_STEPS, batch_for, load, outputs_of, randomise, weights_by_layer
from numpy_model import NumpyModel

from lstmgraph.compiler.machine.litert import UNROLLED_STEPS, litert_calls
from lstmgraph.export import FORMATS, ExportOptions
from lstmgraph.export.files import export_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FUSED = "UNIDIRECTIONAL_SEQUENCE_LSTM"
CLOSE = 1e-6
"""Float32 against float64."""


def interpreter(path: Path, **options: Any) -> Any:
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - in this part only

    return Interpreter(model_path=str(path), **options)


def without_delegates() -> dict[str, Any]:
    """Options of an interpreter that runs every operator by LiteRT's own kernel, not XNNPACK's."""
    from ai_edge_litert.interpreter import OpResolverType  # noqa: PLC0415 - in this part only

    kind = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return {"experimental_op_resolver_type": kind}


def operators(path: Path) -> Iterator[tuple[str, list[int], list[int]]]:
    """Every operator of the first graph: its kind, and the tensors that it reads and writes."""
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - in this part only

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes()))
    names = {number: name for name, number in vars(schema.BuiltinOperator).items()}
    for each in model.subgraphs[0].operators:
        code = model.operatorCodes[each.opcodeIndex]
        kind = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        yield kind, [int(i) for i in each.inputs], [int(i) for i in each.outputs]


# --- LSTM: directions x depth x masks x states, in one file ---


GRID = """
inputs:
  x: {shape: [time, 3]}
  lengths: {shape: [], dtype: int32}
  mask: {shape: [time], dtype: bool}
  left: {shape: [time], dtype: bool}
  h: {shape: [2]}
  c: {shape: [2]}
layers:
  plain: {type: lstm, input: x, units: 2, use_bias: false}
  cell: {type: rnn, input: x, cells: [{type: lstm_cell, units: 2}]}
  stack: {type: lstm, input: x, mask: {lengths: lengths}, units: 2, depth: 2, return_sequences: true}
  both: {type: lstm, input: x, mask: {lengths: lengths}, units: 2, bidirectional: true, return_sequences: true}
  back: {type: lstm, input: x, mask: {lengths: lengths}, units: 2, go_backwards: true, initial_state: {h: h, c: c}}
  hold: {type: lstm, input: x, mask: {input: mask}, units: 2, return_sequences: true, padded_output: hold}
  holes: {type: lstm, input: x, mask: {input: mask}, units: 2, bidirectional: true}
  late: {type: lstm, input: x, mask: {input: left, padding: left}, units: 2, bidirectional: true, return_sequences: true}
  given: {type: lstm, input: x, mask: {input: left, padding: left}, units: 2, initial_state: {h: h, c: zeros}, return_sequences: true}
outputs:
  plain: plain
  cell: cell
  cell_state: cell.state
  stack: stack
  stack_state: stack.state
  both: both
  both_state: both.state
  both_last: both.last
  back: back
  back_state: back.state
  hold: hold
  hold_state: hold.state
  holes: holes
  holes_state: holes.state
  late: late
  late_last: late.last
  given: given
  given_state: given.state
"""  # noqa: E501 - one line a layer
DIRECTIONS = 13


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """The recipe, its model, and the files by format; each LiteRT call takes five rows."""
    recipe = load(GRID)
    model = recipe.build()
    randomise(model)
    folder = tmp_path_factory.mktemp("grid")
    targets = {name: FORMATS[name].path(folder, "grid") for name in ("litert", "onnx")}
    reports = export_files(recipe.compiled, model, targets, ExportOptions(batch_size=5))
    return recipe, model, dict(zip(targets, reports, strict=True))


def data_for(model: Any, seed: int) -> dict[str, np.ndarray]:
    return {**batch_for(model, seed), "left": FIRST_STEPS[:, ::-1].copy()}


@pytest.mark.slow
@pytest.mark.parametrize("delegated", [True, False])
def test_every_call_computes_what_numpy_does(grid, delegated: bool) -> None:
    """Also the second call: the operator itself goes on from the states of the first."""
    recipe, model, reports = grid
    options = {} if delegated else without_delegates()
    run = interpreter(reports["litert"].path, **options).get_signature_runner()
    for seed in (1, 2):
        data = data_for(model, seed)
        wanted = NumpyModel(recipe.compiled.completed, weights_by_layer(model), data).outputs()
        found = run(**data)
        assert found.keys() == wanted.keys()
        for name, value in wanted.items():
            np.testing.assert_allclose(found[name], value.array, atol=CLOSE, err_msg=name)


@pytest.mark.slow
def test_onnxruntime_gives_the_same(grid) -> None:
    _, model, reports = grid
    session = onnxruntime.InferenceSession(reports["onnx"].path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    run = interpreter(reports["litert"].path).get_signature_runner()
    data = data_for(model, 3)
    found = run(**data)
    for name, wanted in zip(names, session.run(names, data), strict=True):
        np.testing.assert_allclose(found[name], wanted, atol=CLOSE, err_msg=name)


@pytest.mark.slow
def test_rows_of_nan_reach_no_later_call(grid) -> None:
    _, model, reports = grid
    run = interpreter(reports["litert"].path).get_signature_runner()
    data = data_for(model, 4)
    wanted = outputs_of(model, data)
    run(**{**data, "x": np.full_like(data["x"], np.nan)})
    for name, found in run(**data).items():
        np.testing.assert_allclose(found, wanted[name], atol=CLOSE, err_msg=name)


@pytest.mark.slow
def test_each_direction_is_one_operator_with_states_of_its_own(grid) -> None:
    report = grid[2]["litert"]
    found = list(operators(report.path))
    kinds = Counter(kind for kind, _, _ in found)
    assert kinds[FUSED] == DIRECTIONS
    assert not {"WHILE", "CUSTOM"} & kinds.keys()
    assert sorted(kinds) == report.operators
    states = [state for kind, read, _ in found if kind == FUSED for state in read[18:20]]
    assert len(set(states)) == 2 * DIRECTIONS
    for place, (kind, read, _) in enumerate(found):
        if kind == FUSED:
            written = {tensor for _, _, tensors in found[:place] for tensor in tensors}
            assert set(read[18:20]) <= written
    assert {call.kind for call in report.recurrent} == {"fused"}
    assert "  back: fused (UNIDIRECTIONAL_SEQUENCE_LSTM)" in str(report)


@pytest.mark.slow
def test_the_other_formats_keep_their_loop(tmp_path) -> None:
    """A SavedModel is traced from the same layers, here after the LiteRT file."""
    recipe = load("""
inputs: {x: {shape: [time, 3]}}
layers: {y: {type: lstm, input: x, units: 2}}
outputs: {y: y}
""")
    targets = {name: FORMATS[name].path(tmp_path, "m") for name in ("litert", "saved_model")}
    reports = export_files(recipe.compiled, recipe.build(), targets, ExportOptions())
    found = {report.format: set(report.operators) for report in reports}
    assert {"While", "StatelessWhile"} & found["saved_model"]
    assert FUSED in found["litert"]


# --- which calls are fused ---


CALLS = {
    "{type: lstm}": ("fused", FUSED),
    "{type: lstm, unroll: true}": ("fused", FUSED),
    "{type: lstm, dropout: 0.1, recurrent_dropout: 0.1}": ("fused", FUSED),
    "{type: rnn, cells: [{type: lstm_cell, units: 2}]}": ("fused", FUSED),
    "{type: lstm, activation: relu}": ("unrolled", f"{FUSED} has `activation: tanh`, not relu"),
    "{type: lstm, recurrent_activation: hard_sigmoid}": (
        "unrolled",
        f"{FUSED} has `recurrent_activation: sigmoid`, not hard_sigmoid",
    ),
    "{type: gru}": ("unrolled", "LiteRT has no operator of GRU"),
    "{type: simple_rnn}": ("unrolled", "LiteRT has no operator of SimpleRNN"),
    "{type: rnn, cells: [{type: gru_cell, units: 2}]}": (
        "unrolled",
        "LiteRT has no operator of GRU",
    ),
    "{type: rnn, cells: [{type: lstm_cell, units: 2}, {type: lstm_cell, units: 2}]}": (
        "unrolled",
        "LiteRT has no operator of several cells in one layer",
    ),
}
MANY = UNROLLED_STEPS + 1


def graph_of(text: str) -> Any:
    return load(text).compiled.graph


def with_layer(layer: str, steps: int | str) -> str:
    own = layer.replace("{", "{input: x, ", 1)
    own = own if "cells" in own else f"{own[:-1]}, units: 2}}"
    return f"""
inputs: {{x: {{shape: [{steps}, 3]}}}}
layers: {{y: {own}}}
outputs: {{y: y}}
"""


def loop(obstacle: str, why: str) -> str:
    return f"{obstacle}, and its steps are not written one after another: {why}"


@pytest.mark.parametrize("layer", CALLS)
def test_why_a_call_is_not_fused_is_said(layer: str) -> None:
    kind, reason = CALLS[layer]
    others = [(UNROLLED_STEPS, kind, reason)]
    if kind == "unrolled":
        others += [
            (MANY, "loop", loop(reason, f"{MANY} are more than {UNROLLED_STEPS}")),
            ("time", "loop", loop(reason, "their number is open")),
        ]
    elif "unroll" not in layer:  # with an open number of steps that is a mistake
        others += [(MANY, kind, reason), ("time", kind, reason)]
    for steps, its_kind, its_reason in others:
        recipe = load(with_layer(layer, steps))
        (call,) = litert_calls(recipe.compiled.graph)
        assert (call.name, call.kind, call.reason) == ("y", its_kind, its_reason)
        assert recipe.explain().litert == [call]


STATES = """
inputs: {x: {shape: [time, 3]}, h: {shape: [2]}}
layers:
  a: {type: lstm, input: x, units: 2, initial_state: {h: h}}
  b: {type: lstm, input: x, units: 2, initial_state: a}
  c: {type: lstm, input: x, units: 2, initial_state: carried}
  d: {call: b, input: x, initial_state: zeros}
outputs: {a: a, b: b, c: c, d: d}
runtime: {batch_size: 2}
"""


def test_states_that_the_model_computes_keep_the_loop() -> None:
    found = {call.name: (call.kind, call.reason) for call in litert_calls(graph_of(STATES))}
    computed = ("loop", loop("its initial state is computed", "their number is open"))
    assert found == {
        "a": ("fused", FUSED),
        "b": computed,
        "c": ("loop", loop("its states are carried", "their number is open")),
        "d": computed,
    }


def test_a_masked_sequence_of_both_directions_keeps_its_loop() -> None:
    """Keras's unrolled loop would zero the backward outputs at the wrong steps (L703)."""
    layer = "{type: gru, bidirectional: true, mask: {value: 0.0}, return_sequences: true}"
    (call,) = litert_calls(graph_of(with_layer(layer, 6)))
    reason = loop("LiteRT has no operator of GRU", "it is masked in both directions")
    assert (call.kind, call.reason) == ("loop", reason)


FEW_STEPS = """
inputs: {x: {shape: [6, 3]}, lengths: {shape: [], dtype: int32}, h: {shape: [2]}}
layers:
  both: {type: gru, input: x, units: 2, bidirectional: true, mask: {lengths: lengths}}
  given: {type: simple_rnn, input: x, units: 2, initial_state: {h: h}}
  relu: {type: lstm, input: x, units: 2, activation: relu, mask: {lengths: lengths}}
outputs: {both: both, given: given, relu: relu}
"""


@pytest.mark.slow
def test_few_steps_are_written_without_a_loop(tmp_path) -> None:
    recipe = load(FEW_STEPS)
    model = recipe.build()
    randomise(model)
    report = recipe.export(model, tmp_path, format="litert", batch_size=5)
    assert not {"WHILE", FUSED} & set(report.operators)
    assert [call.kind for call in report.recurrent] == ["unrolled"] * 3
    data = batch_for(model, 1)
    wanted = NumpyModel(recipe.compiled.completed, weights_by_layer(model), data).outputs()
    found = interpreter(report.path).get_signature_runner()(**data)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value.array, atol=CLOSE, err_msg=name)
