"""Shared layers and loops: built against the same calls by hand, and how long loops grow."""

from __future__ import annotations

import gc
import time
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import keras
from keras import layers, ops

import lstmgraph
from benchmarks.timing import OURS, Figure, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.options import Options

PART = "loops"
KERAS = "Keras by hand"
UNITS, FEATURES = 16, 4
BUILT = (4, 24, 100)
"""Steps of the loops that are built beside those by hand, each a call of five layers."""
EXPLAINED = (25, 50, 100, 200)
"""Steps of the loops that are loaded and explained."""


def measure(options: Options) -> Iterator[Figure]:
    """Building against hand-written calls, and the seconds of a step in ever longer loops."""
    yield _against(
        "two calls of a block of five layers",
        partial(_model, SIAMESE),
        siamese_by_hand,
        options,
        1.10,
    )
    built = {steps: _built(steps, options) for steps in BUILT[: len(options.chains)]}
    yield from built.values()
    if len(built) > 1:
        few, many = sorted(built)[-2:]
        yield _growth("built", (many, built[many].ours), (few, built[few].ours))
    spent = {steps: _spent(options, partial(_explained, loop_text(steps))) for steps in EXPLAINED}
    for few, many in pairwise(EXPLAINED):
        yield _growth("loaded and explained", (many, spent[many]), (few, spent[few]))


def _built(steps: int, options: Options) -> Figure:
    ours, theirs = partial(_model, loop_text(steps)), partial(loop_by_hand, steps)
    return _against(f"loop of {steps} steps, built", ours, theirs, options)


def _against(
    case: str,
    ours: Callable[[], keras.Model],
    theirs: Callable[[], keras.Model],
    options: Options,
    aim: float | None = None,
) -> Figure:
    if ours().count_params() != theirs().count_params():
        raise RuntimeError("the two sides do not build the same model")
    sides = {OURS: ours, KERAS: theirs}
    aims = {KERAS: aim} if aim else {}
    (figure,) = compare(PART, case, sides, options.once, aims=aims, before_each=_forget)
    return figure


def _growth(
    what: str, many: tuple[int, tuple[float, ...]], few: tuple[int, tuple[float, ...]]
) -> Figure:
    """Seconds for a step of a longer loop against a shorter: 1 is linear."""
    (large, longer), (small, shorter) = many, few
    return Figure(
        PART,
        f"a step of {large}, {what}",
        f"one of {small}",
        tuple(seconds / large for seconds in longer),
        tuple(seconds / small for seconds in shorter),
        aim=1.25,
    )


def _spent(options: Options, run: Callable[[], object]) -> tuple[float, ...]:
    """Seconds of processor time of each repeat, beside one that does not count."""
    times = []
    for _ in range(options.repeats + 1):
        gc.collect()
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return tuple(times[1:])


def _forget() -> None:
    keras.backend.clear_session()
    gc.collect()


def _model(text: str) -> keras.Model:
    return lstmgraph.load(text).build()


def _explained(text: str) -> str:
    return str(lstmgraph.load(text).explain())


SIAMESE = f"""
recipe: 1
name: siamese
inputs:
  question: {{shape: [time], dtype: int32}}
  answer: {{shape: [steps], dtype: int32}}
blocks:
  tower:
    inputs: [words]
    layers:
      known: {{type: embedding, input: words, input_dim: 100, output_dim: {UNITS}, mask_zero: true}}
      reader: {{type: lstm, input: known, units: {UNITS}, depth: 2, bidirectional: true}}
      hidden: {{type: dense, input: reader, units: {UNITS}, activation: tanh}}
      code: {{type: dense, input: hidden, units: {UNITS}}}
    outputs: {{code: code}}
layers:
  asked: {{call: tower, input: question}}
  answered: {{call: tower, input: answer}}
  likeness: {{type: dot, input: [asked, answered], axes: 1, normalize: true}}
outputs: {{likeness: likeness}}
training: {{optimizer: adam, loss: mse}}
"""


def siamese_by_hand() -> keras.Model:
    """The model of `SIAMESE`."""
    inputs = {
        name: keras.Input((None,), dtype="int32", name=name) for name in ("question", "answer")
    }
    known = layers.Embedding(100, UNITS, mask_zero=True, name="known")
    readers = [
        layers.Bidirectional(
            layers.LSTM(UNITS, return_sequences=inner, zero_output_for_mask=True), name=name
        )
        for name, inner in (("reader_1", True), ("reader_2", False))
    ]
    hidden = layers.Dense(UNITS, activation="tanh", name="hidden")
    code = layers.Dense(UNITS, name="code")

    def tower(words: keras.KerasTensor) -> keras.KerasTensor:
        mask, x = ops.not_equal(words, 0), known(words)
        for reader in readers:
            x = reader(x, mask=mask)
        return code(hidden(x))

    codes = [tower(words) for words in inputs.values()]
    model = keras.Model(inputs, {"likeness": layers.Dot(axes=1, normalize=True)(codes)})
    model.compile(optimizer="adam", loss={"likeness": "mse"})
    return model


def loop_text(steps: int) -> str:
    """A decoder that reads its own forecasts and attends to an encoder: five layers a step."""
    return f"""
recipe: 1
name: loop-of-{steps}
inputs:
  history: {{shape: [time, {FEATURES}]}}
  known: {{shape: [{steps}, {FEATURES}]}}
blocks:
  step:
    inputs: [value, known, memory, state]
    layers:
      cell: {{type: lstm, input: [value, known], units: {UNITS}, initial_state: state}}
      attended: {{type: attention, input: [cell.sequence, memory]}}
      both: {{type: concatenate, input: [cell.sequence, attended]}}
      hidden: {{type: dense, input: both, units: {UNITS}, activation: tanh}}
      y: {{type: dense, input: hidden, units: 1}}
    outputs: {{y: y, state: cell.state}}
layers:
  encoder: {{type: lstm, input: history, units: {UNITS}}}
  ahead:
    loop: step
    steps: {steps}
    input: {{memory: encoder.sequence}}
    each: {{known: known}}
    feedback:
      value: {{first: {{zeros: [1, 1]}}, then: y}}
      state: {{first: encoder, then: state}}
outputs: {{y: ahead.y}}
training: {{optimizer: adam, loss: mse}}
"""


def loop_by_hand(steps: int) -> keras.Model:
    """The model of `loop_text`."""
    options = {"return_sequences": True, "return_state": True}
    history = keras.Input((None, FEATURES), name="history")
    known = keras.Input((steps, FEATURES), name="known")
    memory, *state = layers.LSTM(UNITS, name="encoder", **options)(history)
    cell = layers.LSTM(UNITS, name="cell", **options)
    attention, both = layers.Attention(name="attended"), layers.Concatenate(name="both")
    hidden, y = layers.Dense(UNITS, activation="tanh", name="hidden"), layers.Dense(1, name="y")
    value = ops.zeros_like(known[:, :1, :1])
    found = []
    for step in range(steps):
        x = ops.concatenate([value, known[:, step : step + 1]], axis=-1)
        sequence, *state = cell(x, initial_state=state)
        value = y(hidden(both([sequence, attention([sequence, memory])])))
        found.append(value)
    outputs = {"y": ops.concatenate(found, axis=1)}
    model = keras.Model({"history": history, "known": known}, outputs)
    model.compile(optimizer="adam", loss={"y": "mse"})
    return model
