"""Weights of PyTorch: the numbers that torch computed itself, by ``tests/torch/make.py``."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from building import load, outputs_of, with_header
from typer.testing import CliRunner, Result

from lstmgraph import WeightsFileError
from lstmgraph.cli import app
from lstmgraph.interop.torch_weights import transfer_torch

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

HERE = Path(__file__).parent / "torch"
EXPECTED = np.load(HERE / "expected.npz")
LENGTHS = np.array([5, 2, 3], "int32")
MOST = 1e-6
"""The largest error that is allowed, of numbers up to 1."""

RNN = """
inputs: {{x: {{shape: [time, 3]}}, n: {{shape: [], dtype: int32}}}}
layers:
  reader:
    type: {kind}
    input: x
    units: {units}
    bidirectional: {both}
    mask: {{lengths: n}}
    initial_state: input
outputs: {{y: reader.sequence, state: reader.state}}
"""
PLAIN = """
inputs: {{x: {{shape: [time, 3]}}}}
layers: {{rnn: {{type: {kind}, input: x, units: {units}, bidirectional: {both}}}}}
outputs: {{y: rnn.sequence}}
"""
TAGGER = """
inputs: {words: {shape: [5], dtype: int32}}
layers:
  embedding: {type: embedding, input: words, input_dim: 11, output_dim: 6}
  mixed: {type: conv1d, input: embedding, filters: 8, kernel_size: 3, padding: same}
  normed: {type: layer_normalization, input: mixed, epsilon: 1e-5}
  reader: {type: simple_rnn, input: normed, units: 4, return_sequences: true}
  hidden: {type: dense, input: reader, units: 5, activation: tanh}
  tags: {type: time_distributed, input: hidden, layer: {type: dense, units: 2}}
outputs: {tags: tags}
"""


def states_of(name: str, both: bool) -> list[str]:
    """The names of PyTorch's states in order: by layer, then by direction."""
    layers = ["_1", "_2"] if "-2" in name else [""]
    return [
        f"{layer}{side}"
        for layer in layers
        for side in (["_forward", "_backward"] if both else [""])
    ]


@pytest.mark.parametrize("both", [False, True], ids=["one-way", "both-ways"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_recurrent(kind: str, layers: int, both: bool) -> None:
    name = f"{kind}-{layers}{'-both' if both else ''}"
    own = {"kind": kind, "units": [4] * layers if layers > 1 else 4, "both": str(both).lower()}
    path = HERE / f"{name}.pt"
    found = transfer_torch(path, load(RNN.format(**own)))
    assert {each.outcome for each in found.layers} == {"loaded"}
    given = EXPECTED[f"{name}/states"]
    slots = ["h", "c"][: len(given)]
    for masked in (False, True):
        for begun in (False, True):
            key = f"{name}/{'packed' if masked else 'plain'}-{'begun' if begun else 'zeros'}"
            batch = {"x": EXPECTED[f"{name}/x"], "n": LENGTHS if masked else np.full(3, 5, "int32")}
            for slot, states in zip(slots, given, strict=True):
                for part, state in zip(states_of(name, both), states, strict=True):
                    batch[f"reader{part}_{slot}"] = state if begun else np.zeros_like(state)
            outputs = outputs_of(found.model, batch)
            np.testing.assert_allclose(outputs["y"], EXPECTED[f"{key}-y"], rtol=0, atol=MOST)
            for slot, states in zip(slots, EXPECTED[f"{key}-last"], strict=True):
                for part, state in zip(states_of(name, both), states, strict=True):
                    if f"state{part}_{slot}" in outputs:
                        own_state = outputs[f"state{part}_{slot}"]
                        np.testing.assert_allclose(own_state, state, rtol=0, atol=MOST)
    unmasked = transfer_torch(path, load(PLAIN.format(**own))).model
    outputs = outputs_of(unmasked, {"x": EXPECTED[f"{name}/x"]})
    wanted = EXPECTED[f"{name}/plain-zeros-y"]
    np.testing.assert_allclose(outputs["y"], wanted, rtol=0, atol=MOST)
    print(sorted(outputs_of(found.model, batch)))


@pytest.mark.parametrize("file", ["tagger.safetensors", "tagger.pt"])
def test_every_kind_of_module(file: str) -> None:
    found = transfer_torch(HERE / file, load(TAGGER))
    print(*found.pairs, *found.layers, *found.notes, sep="\n")
    outputs = outputs_of(found.model, {"words": EXPECTED["tagger/words"].astype("int32")})
    np.testing.assert_allclose(outputs["tags"], EXPECTED["tagger/y"], rtol=0, atol=1e-5)
