"""Recipes of layers inside ``time_distributed``, and the same layers on steps folded by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import yaml
from building import with_header

if TYPE_CHECKING:
    from building import Arrays

ROWS, DOCUMENTS, SEGMENTS, STEPS = 3, 2, 4, 5

KINDS = """
inputs:
  x: {shape: [4, steps, 3]}
  g: {shape: [4, 2]}
  start: {shape: [4, 4]}
  mask: {shape: [4, steps], dtype: bool}
  lengths: {shape: [4], dtype: int32}
  flat: {shape: [time, 3]}
layers:
  lstm: {type: time_distributed, input: x, mask: {input: mask}, layer: {type: lstm, units: 4}}
  stack:
    type: time_distributed
    input: x
    mask: {lengths: lengths}
    layer: {type: gru, units: [4, 4], residual: true, normalization: layer}
  ways:
    type: time_distributed
    input: x
    mask: {input: mask}
    layer:
      {type: lstm, units: 2, bidirectional: true, merge_mode: sum, initial_state: {constant: 0.5}}
  cells:
    type: time_distributed
    input: [x, g]
    mask: {lengths: lengths}
    layer: {type: rnn, cells: [{type: lstm_cell, units: 2}, {type: gru_cell, units: 3}]}
  simple:
    type: time_distributed
    input: x
    layer: {type: simple_rnn, units: 3, go_backwards: true, return_sequences: true}
  held:
    type: time_distributed
    input: x
    mask: {input: mask}
    layer: {type: lstm, units: 3, padded_output: hold, initial_state: learned}
  given:
    type: time_distributed
    input: x
    mask: {value: 0.0}
    layer: {type: gru, units: 4, initial_state: {h: start}}
  decoded:
    type: time_distributed
    input: x
    layer: {type: lstm, units: 4, initial_state: lstm}
  encoder: {type: lstm, input: flat, units: 3}
  again: {type: time_distributed, input: x, mask: {input: mask}, layer: {call: encoder}}
  twice: {call: lstm, input: x, mask: {lengths: lengths}}
  dense: {type: dense, input: flat, units: 2}
  each: {type: time_distributed, input: x, layer: {call: dense}}
  local: {type: conv1d, input: flat, filters: 3, kernel_size: 2, padding: valid}
  windows: {type: time_distributed, input: x, mask: {lengths: lengths}, layer: {call: local}}
  average: {type: global_average_pooling1d, input: flat}
  averages: {type: time_distributed, input: windows, layer: {call: average}}
outputs:
  lstm: lstm
  lstm_sequence: lstm.sequence
  lstm_state: lstm.state
  stack: stack.sequence
  stack_state: stack.state
  ways: ways
  ways_sequence: ways.sequence
  ways_state: ways.state
  cells: cells
  cells_state: cells.state
  simple: simple
  held: held.sequence
  held_state: held.state
  given: given.sequence
  given_last: given
  decoded: decoded
  again: again.sequence
  twice: twice.state
  each: each
  windows: windows
  averages: averages
"""
"""Every kind of recurrent layer, every port, and calls, inside one wrapper."""
if keras.backend.backend() == "jax":  # which is refused, as Keras holds other outputs there
    KINDS = KINDS.replace(" padded_output: hold,", "")


PADDED = """
inputs:
  x: {shape: [segments, steps, 3]}
  y: {shape: [segments, steps, 3]}
  ids: {shape: [documents, segments, steps], dtype: int32}
  mask: {shape: [segments, steps], dtype: bool}
  used: {shape: [segments], dtype: bool}
  lengths: {shape: [], dtype: int32}
layers:
  projected: {type: dense, input: x, units: 3}
  inner:
    type: time_distributed
    input: projected
    mask: {input: mask}
    layer: {type: gru, units: 4}
  outer: {type: lstm, input: inner, units: 4}
  hidden: {type: time_distributed, input: y, mask: {input: used}, layer: {type: lstm, units: 4}}
  seen: {type: gru, input: hidden, units: 4}
  first:
    type: time_distributed
    input: y
    layer: {type: gru, units: [3, 2], bidirectional: true}
  firsts: {type: lstm, input: first, units: 3, mask: {lengths: lengths}}
  scores: {type: dense, input: inner, units: 1}
  embedded: {type: embedding, input: ids, input_dim: 7, output_dim: 3, mask_zero: true}
  sentence:
    type: time_distributed
    input: embedded
    layer: {type: time_distributed, layer: {type: gru, units: 3}}
  document: {type: time_distributed, input: sentence, layer: {type: lstm, units: 2}}
  shelf: {type: gru, input: document, units: 2}
outputs: {outer: outer, seen: seen, firsts: firsts, scores: scores, shelf: shelf, hidden: hidden}
"""
"""Every form of a mask, each with padding that holds NaN, and one wrapper inside another."""


def padded_example(seed: int = 0) -> Arrays:
    """Inputs of `PADDED`: what no mask counts is NaN, and there are rows without any step."""
    random = np.random.default_rng(seed)
    known = example(seed)
    lengths = np.array([2, 0, SEGMENTS], "int32")
    used = np.arange(SEGMENTS) < lengths[:, None]
    x = random.normal(size=(2, ROWS, SEGMENTS, STEPS, 3)).astype("float32")
    ids = random.integers(0, 7, (ROWS, DOCUMENTS, SEGMENTS, STEPS)).astype("int32")
    ids[1], ids[0, 1] = 0, 0
    return {
        "x": np.where(known["mask"][..., None], x[0], np.nan),
        "y": np.where(used[..., None, None], x[1], np.nan),
        "ids": ids,
        "mask": known["mask"],
        "used": used,
        "lengths": lengths,
    }


def flat(text: str, folds: int = 1) -> str:
    """The recipe without its wrappers, for inputs without the axes that these fold."""
    data: dict[str, Any] = yaml.safe_load(text)
    for name, tensor in data["inputs"].items():
        if name != "flat":
            del tensor["shape"][:folds]
    for layer in data["layers"].values():
        inner = layer
        while inner.get("type") == "time_distributed":
            inner = inner["layer"]
        if inner is not layer:
            outer = {key: layer[key] for key in ("input", "mask") if key in layer}
            layer.clear()
            layer.update({**inner, **outer})
    return with_header(yaml.safe_dump(data, sort_keys=False), "flat")


def example(seed: int = 0) -> Arrays:
    """Inputs of `KINDS` with empty and with full segments, and a row without any step."""
    random = np.random.default_rng(seed)
    lengths = random.integers(0, STEPS + 1, (ROWS, SEGMENTS)).astype("int32")
    lengths[0, 0], lengths[0, 1], lengths[1] = 0, STEPS, 0
    mask = random.random((ROWS, SEGMENTS, STEPS)) < 0.5
    mask[0, 0], mask[0, 1], mask[1] = False, True, False
    x = random.normal(size=(ROWS, SEGMENTS, STEPS, 3)).astype("float32")
    return {
        "x": np.where(mask[..., None], x, 0).astype("float32"),
        "g": random.normal(size=(ROWS, SEGMENTS, 2)).astype("float32"),
        "start": random.normal(size=(ROWS, SEGMENTS, 4)).astype("float32"),
        "mask": mask,
        "lengths": lengths,
        "flat": random.normal(size=(ROWS * SEGMENTS, 6, 3)).astype("float32"),
    }


def folded(data: Arrays, folds: int = 1) -> Arrays:
    """The arrays with their leading axes folded to one."""
    return {
        name: array if name == "flat" else array.reshape(-1, *array.shape[folds + 1 :])
        for name, array in data.items()
    }


def drawn(seed: int, count: int = 6) -> str:
    """A recipe like `KINDS`, with `count` layers by chance that share inputs, masks and states."""
    random = np.random.default_rng(seed)

    def one_of(*choices: Any) -> Any:
        return choices[random.integers(len(choices))]

    data: dict[str, Any] = yaml.safe_load(KINDS)
    steps = one_of("steps", STEPS)
    for name in ("x", "mask"):
        data["inputs"][name]["shape"][1] = steps
    data["layers"], data["outputs"] = {}, {}
    for number in range(count):
        name, kind = f"l{number}", one_of("lstm", "gru", "simple_rnn", "rnn")
        units, slots = 4, {"lstm": "hc", "rnn": "h"}.get(kind, "h")
        inner: dict[str, Any] = {"type": kind, "units": one_of(4, [3, 4])}
        if kind == "rnn":
            cell = {"type": one_of("gru_cell", "simple_rnn_cell"), "units": units}
            inner = {"type": kind, "cells": [cell]}
        else:
            inner |= {"activation": one_of("tanh", "relu"), "use_bias": one_of(True, False)}
            inner |= one_of({}, {"units": [4, 4], "residual": True}, {"normalization": "layer"})
        plain = not {"residual", "normalization"} & set(inner)
        if one_of(True, False):
            inner |= {"bidirectional": True, "merge_mode": one_of("concat", "sum", "ave")}
        mask = one_of(None, {"input": "mask"}, {"lengths": "lengths"}, {"value": 0.0})
        joined = one_of("x", ["x", "g"])
        states: list[Any] = ["zeros", "learned", {"constant": 0.25}]
        stacked = isinstance(inner.get("units"), list)
        if not stacked and "bidirectional" not in inner:
            states.append(dict.fromkeys(slots, "start"))
        inner["initial_state"] = states[random.integers(len(states))]
        layer = {"type": "time_distributed", "input": joined, "layer": inner}
        data["layers"][name] = layer | ({"mask": mask} if mask else {})
        ports = ["", ".sequence", ".state"] if plain else [".sequence", ".state"]
        for port in ports:
            if one_of(True, False) or port == ".sequence":
                data["outputs"][f"{name}{port.replace('.', '_')}"] = f"{name}{port}"
        if one_of(True, False):
            again: dict[str, Any] = {"call": name, "input": joined, "mask": one_of("none", mask)}
            again["initial_state"] = "zeros"
            data["layers"][f"{name}_again"] = {key: v for key, v in again.items() if v is not None}
            if again["mask"] is None and mask is None:
                data["layers"][f"{name}_again"].pop("mask", None)
            data["outputs"][f"{name}_again"] = f"{name}_again.sequence"
    read = {str(each) for each in data["layers"].values()}
    for name in [*data["inputs"]]:
        if not any(f"'{name}'" in text for text in read):
            del data["inputs"][name]
    return yaml.safe_dump(data, sort_keys=False)
