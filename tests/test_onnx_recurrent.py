"""Recurrent layers as ONNX operators, against NumPy in float64: no Keras in here.

Every cell, direction, mask, kind of initial state and depth of a stack is exported with random
weights and run in onnxruntime. The last row of every batch has no steps that count.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
import reference as ref
from building import FIRST_STEPS, LENGTHS, MASK, STEPS, Arrays, load
from onnx_running import LOOPS, RECURRENT_OPERATORS, operators, run

from lstmgraph.export.onnx import onnx_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import onnx
    from reference import Array

TOLERANCE = 1e-5
FEATURES = 3
UNITS = (4, 3, 5)
SLOTS = {"lstm": ("h", "c"), "gru": ("h",), "simple_rnn": ("h",)}
GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1}
CELLS: Mapping[str, Callable[..., ref.Run]] = {
    "lstm": ref.lstm,
    "gru": ref.gru,
    "simple_rnn": ref.simple_rnn,
}
DIRECTIONS = {
    "forward": "",
    "backward": "go_backwards: true",
    "bidirectional": "bidirectional: true",
}


class Masking(NamedTuple):
    """How the recipe writes a mask, its input, and the mask itself."""

    written: str
    declared: str = ""
    data: Arrays = {}  # noqa: RUF012 - never changed
    mask: Array | None = None
    hold: bool = False


BOOL = "mask: {shape: [time], dtype: bool}"
INT = "lengths: {shape: [], dtype: int32}"
MASKS = {
    "unmasked": Masking("none"),
    "lengths": Masking("{lengths: lengths}", INT, {"lengths": LENGTHS}, FIRST_STEPS),
    "lengths-hold": Masking("{lengths: lengths}", INT, {"lengths": LENGTHS}, FIRST_STEPS, True),
    "right": Masking("{input: mask, padding: right}", BOOL, {"mask": FIRST_STEPS}, FIRST_STEPS),
    "left": Masking(
        "{input: mask, padding: left}", BOOL, {"mask": FIRST_STEPS[:, ::-1]}, FIRST_STEPS[:, ::-1]
    ),
    "holes": Masking("{input: mask}", BOOL, {"mask": MASK}, MASK),
    "holes-hold": Masking("{input: mask}", BOOL, {"mask": MASK}, MASK, True),
}


class Combination(NamedTuple):
    cell: str
    direction: str
    masking: str
    given: bool
    """Whether the initial states are inputs, not zeros."""
    depth: int

    def __str__(self) -> str:
        states = "given" if self.given else "zeros"
        return f"{self.cell}-{self.direction}-{self.masking}-{states}-{self.depth}"

    @property
    def is_allowed(self) -> bool:
        """Not what no recipe may say: see `test_grid`, and errors L505 and L506."""
        held, is_masked = MASKS[self.masking].hold, MASKS[self.masking].mask is not None
        if held and self.direction != "forward":
            return False
        return not (self.direction == "backward" and is_masked and self.depth > 1)

    @property
    def outputs(self) -> list[str]:
        is_masked = MASKS[self.masking].mask is not None
        if self.direction == "backward" and is_masked:
            return ["last", "state"]
        return ["sequence", "last", "state"]

    def recipe(self) -> str:
        masking = MASKS[self.masking]
        return f"""
        inputs: {{frames: {{shape: [time, {FEATURES}]}}, {masking.declared}}}
        layers:
          reader:
            type: {self.cell}
            input: frames
            units: {list(UNITS[: self.depth])}
            mask: {masking.written}
            padded_output: {"hold" if masking.hold else "zero"}
            initial_state: {"input" if self.given else "zeros"}
            {DIRECTIONS[self.direction]}
        outputs: {{{", ".join(f"{output}: reader.{output}" for output in self.outputs)}}}
        """

    def state_names(self) -> list[list[str]]:
        """Of each layer: `h`, `1_h`, `forward_h`, `1_forward_h`, ..."""
        ways = ("forward_", "backward_") if self.direction == "bidirectional" else ("",)
        layers = [f"{layer + 1}_" for layer in range(self.depth)] if self.depth > 1 else [""]
        slots = SLOTS[self.cell]
        return [[layer + way + slot for way in ways for slot in slots] for layer in layers]


def node_names(depth: int) -> list[str]:
    return [f"reader_{layer + 1}" for layer in range(depth)] if depth > 1 else ["reader"]


def cell_weights(
    cell: str, features: int, units: int, random: np.random.Generator
) -> list[np.ndarray]:
    wide = GATES[cell] * units
    bias = (2, wide) if cell == "gru" else (wide,)
    return [random.normal(0, 0.5, shape) for shape in ((features, wide), (units, wide), bias)]


def stack_weights(combination: Combination) -> list[list[np.ndarray]]:
    random = np.random.default_rng(1)
    ways = 2 if combination.direction == "bidirectional" else 1
    features, found = FEATURES, []
    for units in UNITS[: combination.depth]:
        layers = [cell_weights(combination.cell, features, units, random) for _ in range(ways)]
        found.append([weight for layer in layers for weight in layer])
        features = ways * units
    return found


def batch(combination: Combination) -> Arrays:
    random = np.random.default_rng(0)
    rows = len(LENGTHS)
    data = {"frames": random.normal(size=(rows, STEPS, FEATURES))}
    data |= MASKS[combination.masking].data
    if combination.given:
        for names, units in zip(combination.state_names(), UNITS, strict=False):
            for name in names:
                data[f"reader_{name}"] = random.normal(size=(rows, units))
    return {k: v.astype("float32") if v.dtype == "float64" else v for k, v in data.items()}


def expected(combination: Combination, weights: Sequence[Sequence[Array]], data: Arrays) -> Arrays:
    """Every output of the stack, its layers computed one after another by the formulas."""
    x, found = data["frames"].astype("float64"), {}
    masking, cell = MASKS[combination.masking], CELLS[combination.cell]
    for names, layer in zip(combination.state_names(), weights, strict=True):
        given = [data[f"reader_{name}"] for name in names] if combination.given else None
        if combination.direction == "bidirectional":
            run = ref.bidirectional(cell, x, layer, masking.mask, given)
            states, last = [*run.forward, *run.backward], run.last
        else:
            backward = combination.direction == "backward"
            run = cell(x, layer, masking.mask, given, go_backwards=backward, hold=masking.hold)
            states, last = run.state, run.last
        found |= {f"state_{name}": state for name, state in zip(names, states, strict=True)}
        x = run.sequence
    return found | {"sequence": x, "last": last}


def exported(text: str, weights: Mapping[str, Sequence[np.ndarray]]) -> onnx.ModelProto:
    return onnx_model(load(text).compiled, weights)


GRID = [
    combination
    for combination in (
        Combination(*point) for point in product(SLOTS, DIRECTIONS, MASKS, (False, True), (1, 2, 3))
    )
    if combination.is_allowed
]


def differences(found: Arrays, wanted: Arrays) -> dict[str, float]:
    """The outputs that are not equal, and the largest difference of each."""
    for name, array in found.items():
        assert array.shape == wanted[name].shape, name
    errors = {name: float(np.abs(array - wanted[name]).max()) for name, array in found.items()}
    return {name: error for name, error in errors.items() if not error <= TOLERANCE}


@pytest.mark.parametrize("combination", GRID, ids=str)
def test_equals_numpy(combination: Combination) -> None:
    weights = stack_weights(combination)
    by_name = dict(zip(node_names(combination.depth), weights, strict=True))
    proto = exported(combination.recipe(), by_name)
    data = batch(combination)
    assert not differences(run(proto, data), expected(combination, weights, data))
    nodes = [node for node in proto.graph.node if node.op_type in RECURRENT_OPERATORS]
    assert len(nodes) == combination.depth
    assert not LOOPS & set(operators(proto))
    for node in nodes:
        is_masked = MASKS[combination.masking].mask is not None
        assert bool([*node.input, "", ""][4]) == is_masked
        direction = {"backward": "reverse"}.get(combination.direction, combination.direction)
        assert {a.name: a.s for a in node.attribute}["direction"].decode() == direction


def test_the_grid_is_whole() -> None:
    assert len(GRID) == 3 * 2 * (3 * 7 + 3 * 1 + 1 * 4 + 3 * 5)


@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave"])
@pytest.mark.parametrize("backwards", [False, True])
def test_merged_directions(merge_mode: str, *, backwards: bool) -> None:
    """With `go_backwards` the two directions change places, and the outputs run backwards."""
    random = np.random.default_rng(1)
    weights = [w for _ in range(2) for w in cell_weights("lstm", FEATURES, 4, random)]
    written = f"bidirectional: true, merge_mode: {merge_mode}, go_backwards: {backwards}"
    text = f"""
    inputs: {{frames: {{shape: [{STEPS}, {FEATURES}]}}}}
    layers:
      reader: {{type: lstm, input: frames, units: 4, {written.lower()}}}
      only_last: {{type: lstm, input: frames, units: 4, {written.lower()}}}
    outputs: {{sequence: reader.sequence, last: reader.last, state: reader.state, own: only_last}}
    """
    x = np.random.default_rng(0).normal(size=(2, STEPS, FEATURES)).astype("float32")
    found = run(exported(text, {"reader": weights, "only_last": weights}), {"frames": x})
    forward = ref.lstm(x, weights[:3], go_backwards=backwards)
    backward = ref.lstm(x, weights[3:], go_backwards=not backwards)
    merged = ref.MERGES[merge_mode]
    wanted = {
        "sequence": merged(forward.sequence, backward.sequence[:, ::-1]),
        "last": merged(forward.last, backward.last),
        "own": merged(forward.last, backward.last),
        "state_forward_h": forward.state[0],
        "state_forward_c": forward.state[1],
        "state_backward_h": backward.state[0],
        "state_backward_c": backward.state[1],
    }
    assert found.keys() == wanted.keys()
    assert not differences(found, wanted)


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "sigmoid": ref.sigmoid,
    "relu": ref.relu,
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "linear": lambda x: x,
    "softplus": lambda x: np.log1p(np.exp(x)),
    "softsign": lambda x: x / (1 + np.abs(x)),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("gate", ["sigmoid", "hard_sigmoid", "softsign"])
@pytest.mark.parametrize("cell", SLOTS)
def test_activations(cell: str, gate: str, activation: str) -> None:
    random = np.random.default_rng(1)
    weights = [0.3 * w for _ in range(2) for w in cell_weights(cell, FEATURES, 4, random)]
    gates = {} if cell == "simple_rnn" else {"recurrent_activation": gate}
    written = "".join(f"{k}: {v}, " for k, v in {"activation": activation, **gates}.items())
    text = f"""
    inputs: {{frames: {{shape: [time, {FEATURES}]}}}}
    layers: {{reader: {{type: {cell}, input: frames, units: 4, {written} bidirectional: true}}}}
    outputs: {{sequence: reader.sequence}}
    """
    x = np.random.default_rng(0).normal(size=(2, STEPS, FEATURES)).astype("float32")
    found = run(exported(text, {"reader": weights}), {"frames": x})
    functions = {"activation": ACTIVATIONS[activation]}
    functions |= {"gate": ACTIVATIONS[gate]} if gates else {}

    def layer(*arguments, **options) -> ref.Run:
        return CELLS[cell](*arguments, **options, **functions)

    wanted = ref.bidirectional(layer, x, weights)
    assert not differences(found, {"sequence": wanted.sequence})


@pytest.mark.parametrize("direction", DIRECTIONS.values())
def test_gru_with_the_reset_gate_before_the_product(direction: str) -> None:
    random = np.random.default_rng(1)
    ways = 2 if "bidirectional" in direction else 1
    weights = [
        w[0] if w.shape[0] == 2 else w
        for _ in range(ways)
        for w in cell_weights("gru", FEATURES, 4, random)
    ]
    text = f"""
    inputs: {{frames: {{shape: [time, {FEATURES}]}}}}
    layers:
      reader: {{type: gru, input: frames, units: 4, reset_after: false, {direction}}}
    outputs: {{last: reader}}
    """
    x = np.random.default_rng(0).normal(size=(2, STEPS, FEATURES)).astype("float32")
    found = run(exported(text, {"reader": weights}), {"frames": x})

    def layer(*arguments, **options) -> ref.Run:
        return ref.gru(*arguments, reset_after=False, **options)

    if ways == 2:
        wanted = ref.bidirectional(layer, x, weights).last
    else:
        wanted = layer(x, weights, go_backwards=bool(direction)).last
    assert not differences(found, {"last": wanted})


def test_without_bias() -> None:
    random = np.random.default_rng(1)
    weights = cell_weights("lstm", FEATURES, 4, random)[:2]
    text = f"""
    inputs: {{frames: {{shape: [time, {FEATURES}]}}}}
    layers: {{reader: {{type: lstm, input: frames, units: 4, use_bias: false}}}}
    outputs: {{last: reader}}
    """
    x = np.random.default_rng(0).normal(size=(2, STEPS, FEATURES)).astype("float32")
    found = run(exported(text, {"reader": weights}), {"frames": x})
    assert not differences(found, {"last": ref.lstm(x, weights).last})


def test_a_state_that_is_given_beside_one_that_is_zero() -> None:
    random = np.random.default_rng(1)
    weights = [w for _ in range(2) for w in cell_weights("lstm", FEATURES, 4, random)]
    text = f"""
    inputs: {{frames: {{shape: [time, {FEATURES}]}}, {INT}}}
    layers:
      reader:
        type: lstm
        input: frames
        units: 4
        bidirectional: true
        mask: {{lengths: lengths}}
        initial_state: {{h: zeros, c: {{constant: [0.5, -1, 2, 0]}}}}
    outputs: {{state: reader.state}}
    """
    x = np.random.default_rng(0).normal(size=(len(LENGTHS), STEPS, FEATURES)).astype("float32")
    found = run(exported(text, {"reader": weights}), {"frames": x, "lengths": LENGTHS})
    h, c = np.zeros((len(x), 4)), np.tile([0.5, -1, 2, 0], (len(x), 1))
    wanted = ref.bidirectional(ref.lstm, x, weights, FIRST_STEPS, [h, c, h, c])
    names = ("forward_h", "forward_c", "backward_h", "backward_c")
    states = [*wanted.forward, *wanted.backward]
    assert not differences(found, {f"state_{n}": s for n, s in zip(names, states, strict=True)})


@pytest.mark.parametrize("masking", ["unmasked", "lengths", "holes"])
def test_several_cells_in_one_layer(masking: str) -> None:
    mask = MASKS[masking]
    text = f"""
    inputs: {{frames: {{shape: [time, {FEATURES}]}}, {mask.declared}}}
    layers:
      reader:
        type: rnn
        input: frames
        cells: [{{type: lstm_cell, units: 4}}, {{type: gru_cell, units: 3}},
                {{type: simple_rnn_cell, units: 5}}]
        mask: {mask.written}
        initial_state: input
    outputs: {{sequence: reader.sequence, state: reader.state}}
    """
    random = np.random.default_rng(1)
    cells = [("lstm", FEATURES, 4), ("gru", 4, 3), ("simple_rnn", 3, 5)]
    weights = [cell_weights(*cell, random) for cell in cells]
    names = ["1_h", "1_c", "2_h", "3_h"]
    rows = len(LENGTHS)
    data = {"frames": random.normal(size=(rows, STEPS, FEATURES)).astype("float32"), **mask.data}
    for name, units in zip(names, (4, 4, 3, 5), strict=True):
        data[f"reader_{name}"] = random.normal(size=(rows, units)).astype("float32")
    proto = exported(text, {"reader": [w for cell in weights for w in cell]})
    states = [data[f"reader_{name}"] for name in names]
    first = ref.lstm(data["frames"], weights[0], mask.mask, states[:2])
    second = ref.gru(first.sequence, weights[1], mask.mask, states[2:3])
    third = ref.simple_rnn(second.sequence, weights[2], mask.mask, states[3:])
    final = [*first.state, *second.state, *third.state]
    wanted = {f"state_{name}": state for name, state in zip(names, final, strict=True)}
    assert not differences(run(proto, data), wanted | {"sequence": third.sequence})


def test_lengths_outside_of_the_steps() -> None:
    """As a mask `step < length` has it; onnxruntime's operator refuses such lengths."""
    weights = cell_weights("lstm", FEATURES, 4, np.random.default_rng(1))
    text = f"""
    inputs: {{frames: {{shape: [time, {FEATURES}]}}, lengths: {{shape: [], dtype: int64}}}}
    layers: {{reader: {{type: lstm, input: frames, units: 4, mask: {{lengths: lengths}}}}}}
    outputs: {{last: reader}}
    """
    x = np.random.default_rng(0).normal(size=(2, STEPS, FEATURES)).astype("float32")
    found = run(exported(text, {"reader": weights}), {"frames": x, "lengths": np.array([99, -1])})
    mask = np.array([[True], [False]]).repeat(STEPS, axis=1)
    assert not differences(found, {"last": ref.lstm(x, weights, mask).last})


@pytest.mark.parametrize("masking", ["unmasked", "lengths"])
def test_a_stack_turns_its_tensors_around_once(masking: str) -> None:
    combination = Combination("lstm", "forward", masking, given=False, depth=3)
    text = combination.recipe().replace(", last: reader.last, state: reader.state", "")
    weights = dict(zip(node_names(3), stack_weights(combination), strict=True))
    assert operators(exported(text, weights)).count("Transpose") == 2


def test_a_stack_moves_its_steps_to_the_front_once() -> None:
    combination = Combination("lstm", "forward", "holes", given=False, depth=3)
    text = combination.recipe().replace(", last: reader.last, state: reader.state", "")
    weights = dict(zip(node_names(3), stack_weights(combination), strict=True))
    assert operators(exported(text, weights)).count("GatherND") == 2


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_is_computed_in_float32(policy: str) -> None:
    """The outputs are rounded, and what comes between is too."""
    weights = cell_weights("lstm", FEATURES, 4, np.random.default_rng(1))
    text = f"""
    inputs: {{frames: {{shape: [time, {FEATURES}]}}}}
    layers:
      reader: {{type: lstm, input: frames, units: 4, dtype_policy: {policy}}}
    outputs: {{last: reader}}
    """
    x = np.random.default_rng(0).normal(size=(2, STEPS, FEATURES)).astype("float32")
    found = run(exported(text, {"reader": weights}), {"frames": x})["last"]
    assert found.dtype == "float32"
    largest = 2**-11 if policy == "mixed_float16" else 2**-8
    error = np.abs(found - ref.lstm(x, weights).last).max()
    assert largest / 100 < error < largest
