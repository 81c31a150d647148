"""Recurrent layers of recipes against two sources that know nothing of Keras.

Every cell, direction, mask, kind of initial state and depth of a stack is built once, with random
weights. Its outputs must be those of NumPy in float64, written from the formulas, and those of
ONNX's operators in onnxruntime.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import onnx_reference as onnx
import pytest
import reference as ref
from building import (
    FIRST_STEPS,
    LENGTHS,
    Arrays,
    batch_for,
    load,
    outputs_of,
    randomise,
    weights_by_layer,
)

import lstmgraph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reference import Array

    Layer = Callable[..., "LayerRun"]

TOLERANCE = 1e-5
"""The largest absolute error: float32 against float64, for outputs of about 1."""
UNITS = (4, 3, 5)
"""Of the layers of a stack: sizes that differ, so that no layer is taken for another."""
OUTPUTS = ("sequence", "last", "state")
SLOTS = {"lstm": ("h", "c"), "gru": ("h",), "simple_rnn": ("h",)}
DIRECTIONS = {
    "forward": "",
    "backward": "go_backwards: true",
    "bidirectional": "bidirectional: true",
}


class Combination(NamedTuple):
    """A point of the grid; the three outputs are read from one model."""

    cell: str
    direction: str
    masked: bool
    """Whether lengths say which steps count."""
    given: bool
    """Whether the initial states are inputs of the model, not zeros."""
    depth: int

    def __str__(self) -> str:
        mask = "lengths" if self.masked else "unmasked"
        states = "given" if self.given else "zeros"
        return f"{self.cell}-{self.direction}-{mask}-{states}-{self.depth}"

    @property
    def refused(self) -> tuple[str, ...]:
        """Outputs that no recipe may read: they need a masked sequence in reverse.

        The upper layers of a stack read the sequence of the one below.
        """
        if self.direction != "backward" or not self.masked:
            return ()
        return OUTPUTS if self.depth > 1 else ("sequence",)

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(output for output in OUTPUTS if output not in self.refused)

    def recipe(self, outputs: Sequence[str]) -> str:
        lengths = "lengths: {shape: [], dtype: int32}" if self.masked else ""
        return f"""
        inputs: {{frames: {{shape: [time, 3]}}, {lengths}}}
        layers:
          reader:
            type: {self.cell}
            input: frames
            units: {list(UNITS[: self.depth])}
            mask: {"{lengths: lengths}" if self.masked else "none"}
            initial_state: {"input" if self.given else "zeros"}
            {DIRECTIONS[self.direction]}
        outputs: {{{", ".join(f"{output}: reader.{output}" for output in outputs)}}}
        """

    def state_names(self) -> list[list[str]]:
        """Of each layer: `h`, `1_h`, `forward_h`, `1_forward_h`, ..."""
        ways = ("forward_", "backward_") if self.direction == "bidirectional" else ("",)
        layers = [f"{layer + 1}_" for layer in range(self.depth)] if self.depth > 1 else [""]
        slots = SLOTS[self.cell]
        return [[layer + way + slot for way in ways for slot in slots] for layer in layers]


GRID = [
    Combination(*point)
    for point in product(SLOTS, DIRECTIONS, (False, True), (False, True), (1, 2, 3))
]
BUILT = [combination for combination in GRID if combination.outputs]
REFUSED = [(combination, output) for combination in GRID for output in combination.refused]


class LayerRun(NamedTuple):
    """What one layer gives, in the order in which Keras gives it."""

    sequence: Array
    last: Array
    state: Sequence[Array]


def numpy_layer(combination: Combination, x, weights, state) -> LayerRun:
    cell = {"lstm": ref.lstm, "gru": ref.gru, "simple_rnn": ref.simple_rnn}[combination.cell]
    mask = FIRST_STEPS[: len(x)] if combination.masked else None
    if combination.direction == "bidirectional":
        both = ref.bidirectional(cell, x, weights, mask, state)
        return LayerRun(both.sequence, both.last, [*both.forward, *both.backward])
    backward = combination.direction == "backward"
    run = cell(x, weights, mask, state, go_backwards=backward)
    return LayerRun(run.sequence, run.last, run.state)


def onnx_layer(combination: Combination, x, weights, state) -> LayerRun:
    lengths = LENGTHS[: len(x)] if combination.masked else None
    cell, direction = combination.cell, combination.direction
    sequence, states = onnx.recurrent(cell, direction, x, weights, lengths, state)
    if direction == "backward":
        # ONNX gives the steps in order of time, Keras in the order in which it computes them.
        sequence = sequence[:, ::-1]
    last = np.concatenate(states[:: len(SLOTS[cell])], axis=-1)
    return LayerRun(sequence, last, states)


def expected(
    layer: Layer, combination: Combination, weights: Sequence[Sequence[Array]], data: Arrays
) -> Arrays:
    """Every output of the stack, its layers computed one after another by `layer`."""
    x = data["frames"]
    found = {}
    for layer_names, layer_weights in zip(combination.state_names(), weights, strict=True):
        given = [data[f"reader_{name}"] for name in layer_names] if combination.given else None
        run = layer(combination, x, layer_weights, given)
        found |= {f"state_{n}": a for n, a in zip(layer_names, run.state, strict=True)}
        x = run.sequence
    return found | {"sequence": run.sequence, "last": run.last}


SOURCES = {"numpy": (numpy_layer, len(LENGTHS)), "onnxruntime": (onnx_layer, len(LENGTHS) - 1)}
"""How a source computes a layer, and for how many rows: ONNX does not say what length 0 gives."""


def errors(combination: Combination) -> Iterator[tuple[str, str, float]]:
    """Source, output, and the largest difference from it."""
    model = load(combination.recipe(combination.outputs)).build()
    randomise(model)
    data = batch_for(model)
    found = outputs_of(model, data)
    weights = list(weights_by_layer(model).values())
    for source, (layer, rows) in SOURCES.items():
        wanted = expected(layer, combination, weights, {k: v[:rows] for k, v in data.items()})
        assert found.keys() == wanted.keys() - combination.refused
        for output, array in found.items():
            assert array[:rows].shape == wanted[output].shape
            yield source, output, float(np.abs(array[:rows] - wanted[output]).max())


@pytest.mark.parametrize("combination", BUILT, ids=str)
def test_equals_numpy_and_onnxruntime(combination: Combination) -> None:
    too_large = [found for found in errors(combination) if not found[-1] <= TOLERANCE]
    assert not too_large


@pytest.mark.parametrize(("combination", "output"), REFUSED, ids=str)
def test_masked_sequence_in_reverse_is_refused(combination: Combination, output: str) -> None:
    with pytest.raises(lstmgraph.RecipeError) as caught:
        load(combination.recipe([output]))
    assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {"L505"}


def test_the_grid_is_whole() -> None:
    assert len(set(GRID)) == 108
    assert len(BUILT) == 96
    assert sum(len(combination.outputs) for combination in BUILT) == 108 * len(OUTPUTS) - 42
    assert len(REFUSED) == 42


@pytest.mark.parametrize("layer", [numpy_layer, onnx_layer])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("cell", SLOTS)
def test_sources_tell_the_combinations_apart(layer: Layer, cell: str, direction: str) -> None:
    """With the same weights and data, a mask or given states change every output visibly."""
    plain = Combination(cell, direction, masked=False, given=False, depth=1)
    model = load(plain._replace(given=True).recipe(["last"])).build()
    randomise(model)
    data = {name: array[:4] for name, array in batch_for(model).items()}
    weights = list(weights_by_layer(model).values())
    base = expected(layer, plain, weights, data)
    for other in (plain._replace(given=True), plain._replace(masked=True)):
        for output, array in expected(layer, other, weights, data).items():
            assert np.abs(array - base[output]).max() > 100 * TOLERANCE, (other, output)
