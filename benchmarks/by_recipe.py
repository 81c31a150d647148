"""Our side: the models as recipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lstmgraph
from benchmarks.grid import CHAIN_FEATURES, CHAIN_UNITS, CLASSES, FEATURES, STEPS, UNITS

if TYPE_CHECKING:
    import keras
    import numpy as np

    from benchmarks.grid import Batch, Case


def chain_text(depth: int) -> str:
    """A chain of `depth` masked LSTM layers, each a layer of its own, and a dense head."""
    chain = []
    source = "sequence"
    for index in range(depth):
        chain.append(
            f"  recurrent{index}: {{type: lstm, input: {source}, units: {CHAIN_UNITS}, "
            "return_sequences: true, mask: {lengths: lengths}}"
        )
        source = f"recurrent{index}"
    return "\n".join(
        [
            "recipe: 1",
            f"name: chain-of-{depth}",
            "inputs:",
            f"  sequence: {{shape: [time, {CHAIN_FEATURES}]}}",
            "  lengths: {shape: [], dtype: int32}",
            "layers:",
            *chain,
            f"  head: {{type: dense, input: {source}, units: 1}}",
            "outputs: {head: head}",
            "training: {optimizer: adam, loss: mse}",
        ]
    )


def chain(depth: int) -> keras.Model:
    """The model of `chain_text`."""
    return lstmgraph.load(chain_text(depth)).build()


def classifier_recipe(case: Case) -> lstmgraph.Recipe:
    """A model of the grid; where it is masked, the lengths are an input."""
    lengths = ["  lengths: {shape: [], dtype: int32}"] if case.masked else []
    mask = ", mask: {lengths: lengths}" if case.masked else ""
    text = [
        "recipe: 1",
        "name: classifier",
        "inputs:",
        f"  sequence: {{shape: [{STEPS}, {FEATURES}]}}",
        *lengths,
        "layers:",
        f"  reader: {{type: lstm, input: sequence, units: {[UNITS] * case.depth}{mask}}}",
        f"  label: {{type: dense, input: reader, units: {CLASSES}, activation: softmax}}",
        "outputs: {label: label}",
        "training: {optimizer: adam, loss: sparse_categorical_crossentropy}",
    ]
    return lstmgraph.load("\n".join(text))


def inputs(case: Case, batch: Batch) -> dict[str, np.ndarray]:
    """What the model of `case` is fed."""
    given = {"sequence": batch.sequence}
    return {**given, "lengths": batch.lengths} if case.masked else given
