"""What stands in padded steps reaches no output and no gradient, to the last bit.

Every reader, and all layers before a mask, are tried with one kind of mask, the kinds in turn, and
some with each; ``LSTMGRAPH_EXAMPLES=1`` tries all with each.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from building import FIRST_STEPS, LENGTHS, MASK, STEPS, Arrays, build, load, randomise

from lstmgraph.models.building.padding import padded_inputs

if keras.backend.backend() != "tensorflow":
    pytest.skip("gradients by tf.GradientTape", allow_module_level=True)

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from started import Started

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

GARBAGE = {"nan": np.nan, "inf": np.inf, "minus inf": -np.inf, "huge": 3e38}

READERS = {
    "lstm": "{type: lstm, input: FROM, units: 4, mask: MASK}",
    "gru": "{type: gru, input: FROM, units: 4, mask: MASK}",
    "simple_rnn": "{type: simple_rnn, input: FROM, units: 4, mask: MASK}",
    "bidirectional": "{type: lstm, input: FROM, units: 4, bidirectional: true, mask: MASK}",
    "backwards": "{type: gru, input: FROM, units: 4, go_backwards: true, mask: MASK}",
    "stack": "{type: gru, input: FROM, units: [4, 4, 4], residual: true, mask: MASK}",
    "hold": "{type: lstm, input: FROM, units: 4, mask: MASK, padded_output: hold}",
    "cells": "{type: rnn, input: FROM, mask: MASK, cells: [{type: gru_cell, units: 3}, "
    "{type: lstm_cell, units: 4}]}",
    "carried": "{type: lstm, input: FROM, units: 4, initial_state: carried, mask: MASK}",
    "dropout": "{type: lstm, input: FROM, units: 4, mask: MASK, recurrent_dropout: 0.5}",
    "learned state": "{type: gru, input: FROM, units: 4, mask: MASK, initial_state: learned}",
}
MASKS = {"lengths": ("{lengths: lengths}", FIRST_STEPS), "input": ("{input: mask}", MASK)}
"""As the recipe writes it, and the steps that count."""
BEFORE = {
    "directly": ("x", ""),
    "joined": ("[x, static]", ""),
    "dense": ("d", "d: {type: dense, input: x, units: 5, activation: gelu}"),
    "several": (
        "[b, static]",
        "a: {type: dense, input: x, units: 5}\n"
        "  n: {type: layer_normalization, input: a}\n"
        "  o: {type: dropout, input: n, rate: 0.5}\n"
        "  s: {type: add, input: [o, a]}\n"
        "  b: {type: time_distributed, input: s, layer: {type: dense, units: 4}}",
    ),
    "two ways": (
        "c",
        "a: {type: dense, input: x, units: 5}\n"
        "  b: {type: dense, input: x, units: 5}\n"
        "  c: {type: concatenate, input: [a, b]}",
    ),
    "one step": ("c", "c: {type: conv1d, input: x, filters: 4, kernel_size: 1}"),
}
LOOKS_BACK = {
    "causal": ("c", "c: {type: conv1d, input: x, filters: 4, kernel_size: 3, padding: causal}"),
    "unmasked": ("r", "r: {type: gru, input: x, units: 4, return_sequences: true}"),
}


def with_masks(names: Iterable[str], *with_each: str) -> list[tuple[str, str]]:
    """Names and masks: those of the docstring above."""
    all_of_them = "LSTMGRAPH_EXAMPLES" in os.environ
    return [
        (name, mask)
        for number, name in enumerate(names)
        for turn, mask in enumerate(MASKS)
        if all_of_them or name in with_each or number % len(MASKS) == turn
    ]


KERNELS = {
    "standard": "kernel: standard",
    "unrolled": "kernel: unrolled",
    "xla": "kernel: standard, xla: true",
}


def recipe(reader: str, mask: str, before: str, kernel: str = "standard") -> str:
    source, layers = {**BEFORE, **LOOKS_BACK}[before]
    batch = "batch_size: 5," if "carried" in reader else ""
    return f"""
inputs:
  x: {{shape: [{STEPS}, 3]}}
  static: {{shape: [2]}}
  lengths: {{shape: [], dtype: int32}}
  mask: {{shape: [{STEPS}], dtype: bool}}
layers:
  {layers}
  reader: {READERS[reader].replace("FROM", source).replace("MASK", MASKS[mask][0])}
  y: {{type: dense, input: {"reader.state.h" if reader == "stack" else "reader"}, units: 2}}
outputs: {{y: y}}
runtime: {{{batch} seed: 1, {KERNELS[kernel]}}}
"""


def data(dtype: str = "float32") -> Arrays:
    random = np.random.default_rng(5)
    return {
        "x": random.normal(size=(len(LENGTHS), STEPS, 3)).astype(dtype),
        "static": random.normal(size=(len(LENGTHS), 2)).astype(dtype),
        "lengths": LENGTHS,
        "mask": MASK,
    }


def with_padding(arrays: Arrays, counts: np.ndarray, value: float, name: str = "x") -> Arrays:
    padded = np.where(counts[..., None], arrays[name], arrays[name].dtype.type(value))
    return {**arrays, name: padded}


class Step:
    """Outputs and gradients of one model, traced once."""

    def __init__(self, model: keras.Model, *, xla: bool = False) -> None:
        self.model = model
        self.traced = tf.function(self._step, jit_compile=xla)

    def _step(self, inputs: Arrays) -> list:
        with tf.GradientTape() as tape:
            found = self.model(inputs, training=True)
            loss = sum(keras.ops.sum(keras.ops.square(y)) for y in found.values())
        given = tape.gradient(loss, self.model.trainable_variables)
        return [*found.values(), *map(tf.convert_to_tensor, given)]

    def __call__(self, arrays: Arrays) -> Arrays:
        """By name, from the same states and seeds at each call."""
        for layer in self.model.layers:
            if getattr(layer, "stateful", False):
                layer.reset_state()
        for seed in _seeds(self.model):
            seed.state.assign([1, 2])
        names = [*self.model.output, *(weight.path for weight in self.model.trainable_variables)]
        found = self.traced({name: tf.constant(arrays[name]) for name in self.model.input})
        return {name: np.asarray(each) for name, each in zip(names, found, strict=True)}


def _seeds(model: keras.Model) -> list:
    layers = [*model.layers, *(cell for each in model.layers for cell in _inner(each))]
    found = [getattr(layer, "seed_generator", None) for layer in layers]
    return [seed for seed in found if seed is not None]


def _inner(layer: keras.Layer) -> list:
    return [getattr(layer, name) for name in ("cell", "layer") if hasattr(layer, name)]


def assert_padding_is_unread(
    model: keras.Model, arrays: Arrays, counts: np.ndarray, *, xla: bool = False, name: str = "x"
) -> None:
    randomise(model)
    step = Step(model, xla=xla)
    zeros = with_padding(arrays, counts, 0, name)
    wanted = step(zeros)
    assert all(np.isfinite(each).all() for each in wanted.values())
    assert all(each.any() for each in wanted.values())
    for garbage, value in GARBAGE.items():
        given = with_padding(arrays, counts, value, name)
        assert not np.array_equal(given[name], zeros[name], equal_nan=True)
        for what, found in step(given).items():
            np.testing.assert_array_equal(found, wanted[what], f"{garbage}: {what}")


@pytest.mark.slow
@pytest.mark.parametrize(("reader", "mask"), with_masks(READERS, "lstm", "stack"))
def test_every_reader(reader: str, mask: str) -> None:
    model = build(recipe(reader, mask, "directly"))
    assert_padding_is_unread(model, data(), MASKS[mask][1])


@pytest.mark.parametrize(
    ("before", "mask"),
    # Those that look back read padded steps for those that count where the mask has gaps.
    [*with_masks(BEFORE, "several"), *((name, "lengths") for name in LOOKS_BACK)],
)
def test_layers_before_the_mask(before: str, mask: str) -> None:
    model = build(recipe("gru", mask, before))
    assert_padding_is_unread(model, data(), MASKS[mask][1])


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["unrolled", "xla"])
@pytest.mark.parametrize(
    ("reader", "before"),
    [("lstm", "directly"), ("bidirectional", "joined"), ("stack", "several")],
)
def test_other_kernels(kernel: str, reader: str, before: str) -> None:
    model = build(recipe(reader, "lengths", before, kernel))
    assert_padding_is_unread(model, data(), FIRST_STEPS, xla=kernel == "xla")


INPUTS = """
inputs:
  x: {shape: [time, 3]}
  static: {shape: [2]}
  lengths: {shape: [], dtype: int32}
  ids: {shape: [time], dtype: int32}
"""
READ = "reader: {type: gru, input: FROM, units: 4, mask: {lengths: lengths}}"
CASES = {
    "another layer's mask": """
      words: {type: embedding, input: ids, input_dim: 10, output_dim: 4, mask_zero: true}
      d: {type: dense, input: x, units: 4}
      y: {type: lstm, input: [d, static], units: 4, mask: {from: words}}
    """,
    "joined with masked words": """
      words: {type: embedding, input: ids, input_dim: 10, output_dim: 4, mask_zero: true}
      d: {type: dense, input: x, units: 4}
      y: {type: lstm, input: [words, d], units: 4}
    """,
    "a masking layer and another mask": """
      m: {type: masking, input: x, mask_value: 7}
      y: {type: lstm, input: m, units: 4, mask: {lengths: lengths}}
    """,
    "masked normalization": """
      n: {type: batch_normalization, input: x, mask: {lengths: lengths}}
      y: {type: lstm, input: n, units: 4}
    """,
    "an average": """
      d: {type: dense, input: x, units: 4}
      a: {type: global_average_pooling1d, input: d, mask: {lengths: lengths}}
      y: {type: dense, input: a, units: 2}
    """,
    "two readers of one mask": """
      d: {type: dense, input: x, units: 4}
      f: {type: lstm, input: d, units: 4, mask: {lengths: lengths}}
      b: {type: gru, input: d, units: 4, mask: {lengths: lengths}, go_backwards: true}
      y: {type: add, input: [f, b]}
    """,
    "a mixed policy": """
      d: {type: dense, input: x, units: 4, dtype_policy: mixed_bfloat16}
      y: {type: lstm, input: d, units: 4, mask: {lengths: lengths}, dtype_policy: mixed_bfloat16}
    """,
}


@pytest.mark.parametrize("case", CASES)
def test_other_forms(case: str) -> None:
    layers = CASES[case]
    text = f"{INPUTS}layers:{layers.rstrip()}\noutputs: {{y: y}}\nruntime: {{kernel: standard}}"
    arrays = {**data(), "ids": (FIRST_STEPS * 3).astype("int32")}
    arrays["lengths"] = np.maximum(LENGTHS, 1)  # an average of nothing is NaN by itself
    arrays["ids"][:, 0] = 3
    counts = np.arange(STEPS) < arrays["lengths"][:, None]
    assert_padding_is_unread(build(text), arrays, counts)


@pytest.mark.slow
def test_images() -> None:
    model = build("""
    inputs: {images: {shape: [time, 4, 4, 1]}, lengths: {shape: [], dtype: int32}}
    layers:
      reader:
        {type: conv_lstm2d, input: images, filters: 2, kernel_size: 3, mask: {lengths: lengths}}
      flat: {type: flatten, input: reader}
      y: {type: dense, input: flat, units: 2}
    outputs: {y: y}
    """)
    images = np.random.default_rng(2).normal(size=(len(LENGTHS), STEPS, 4, 4, 1)).astype("float32")
    arrays = {"images": images, "lengths": LENGTHS}
    assert_padding_is_unread(model, arrays, FIRST_STEPS[..., None, None], name="images")


def test_time_major() -> None:
    model = build("""
    inputs: {by_time: {shape: [time, 3], time_major: true}, lengths: {shape: [], dtype: int32}}
    layers:
      d: {type: dense, input: by_time, units: 4}
      y: {type: lstm, input: d, units: 4, mask: {lengths: lengths}}
    outputs: {y: y}
    """)
    by_time = np.random.default_rng(2).normal(size=(STEPS, len(LENGTHS), 3)).astype("float32")
    arrays = {"by_time": by_time, "lengths": LENGTHS}
    assert_padding_is_unread(model, arrays, FIRST_STEPS.T, name="by_time")


PLACES = {
    "directly": (READ.replace("FROM", "x"), {("reader", "x")}),
    "as early as can be": (
        f"d: {{type: dense, input: x, units: 4}}\n  {READ.replace('FROM', 'd')}",
        {("d", "x")},
    ),
    "normalization counts all rows": (
        f"n: {{type: batch_normalization, input: x}}\n  {READ.replace('FROM', 'n')}",
        {("reader", "n")},
    ),
    "a convolution reads its neighbours": (
        "c: {type: conv1d, input: x, filters: 4, kernel_size: 3, padding: same, mask: none}\n"
        f"  {READ.replace('FROM', 'c')}",
        {("reader", "c")},
    ),
    "a regularizer counts all steps": (
        "d: {type: dense, input: x, units: 4, activity_regularizer: l2}\n"
        f"  {READ.replace('FROM', 'd')}",
        {("reader", "d")},
    ),
    "another layer reads all steps": (
        "d: {type: dense, input: x, units: 4}\n  p: {type: global_max_pooling1d, input: d}\n"
        f"  first: {READ.replace('FROM', 'd').removeprefix('reader: ')}\n"
        "  reader: {type: concatenate, input: [first, p]}",
        {("first", "d")},
    ),
    "two masks": (
        "d: {type: dense, input: x, units: 4}\n"
        "  first: {type: gru, input: d, units: 4, mask: {value: 0.0}}\n"
        f"  second: {READ.replace('FROM', 'd').removeprefix('reader: ')}\n"
        "  reader: {type: concatenate, input: [first, second]}",
        {("first", "d"), ("second", "d")},
    ),
    "zeros by definition": ("reader: {type: gru, input: x, units: 4, mask: {value: 0}}", set()),
    "another value may overflow": (
        "reader: {type: gru, input: x, units: 4, mask: {value: -1e9}}",
        {("reader", "x")},
    ),
    "embedded ids": (
        "w: {type: embedding, input: ids, input_dim: 9, output_dim: 4}\n"
        f"  {READ.replace('FROM', 'w')}",
        set(),
    ),
    "no mask": ("reader: {type: gru, input: x, units: 4}", set()),
    "a static vector has no steps": (
        "w: {type: embedding, input: ids, input_dim: 9, output_dim: 4}\n"
        f"  {READ.replace('FROM', '[w, static]')}",
        set(),
    ),
    "a layer of single steps that makes its mask": (
        "reader: {type: time_distributed, input: x, mask: {lengths: lengths}, layer: {type: dense, "
        "units: 2}}",
        {("reader", "x")},
    ),
    "a stack is masked once": (
        READ.replace("FROM", "x").replace("4", "[4, 4]"),
        {("reader_1", "x")},
    ),
}


@pytest.mark.parametrize("case", PLACES)
def test_where_padding_is_made_zero(case: str) -> None:
    layers, wanted = PLACES[case]
    loaded = load(f"{INPUTS}layers:\n  {layers}\noutputs: {{y: reader}}")
    found = padded_inputs(loaded.compiled.graph)
    assert {(node, str(port)) for node, port in found} == wanted


@pytest.mark.slow
def test_saved_models_load_without_this_package(tmp_path: Path, keras_alone: Started) -> None:
    model = build(recipe("lstm", "lengths", "several"))
    model.save(tmp_path / "model.keras")
    code = f"""
import sys
import keras, numpy as np
model = keras.models.load_model({str(tmp_path / "model.keras")!r})
assert not any(name.startswith("lstmgraph") for name in sys.modules)
x = np.full((2, {STEPS}, 3), np.nan, "float32")
x[:, 0] = 1
given = {{"x": x, "static": np.ones((2, 2), "float32"), "lengths": np.ones(2, "int32")}}
given["mask"] = np.ones((2, {STEPS}), bool)
model.compile("sgd", "mse", jit_compile=False)
for _ in range(2):
    model.train_on_batch({{name: given[name] for name in model.input}}, np.ones((2, 2)))
assert all(np.isfinite(weight).all() for weight in model.get_weights())
"""
    ended = keras_alone.run(code)
    assert ended.returncode == 0, ended.stderr
