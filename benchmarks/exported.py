"""Prediction in onnxruntime: our export against Keras's own and against torch."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from benchmarks import by_hand, by_recipe
from benchmarks.floor import floor_of, onnx_session
from benchmarks.grid import Case, cases
from benchmarks.inference import require_equal_outputs
from benchmarks.options import Options, missing
from benchmarks.timing import OURS, Figure, Side, compare

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    import lstmgraph

PART = "inference, ONNX"
KERAS = "Keras's own export"
TORCH = "torch.nn.LSTM"
KERAS_AIMS = {1: 0.3, 32: 0.7}
"""By batch size, masked."""


def measure(options: Options) -> Iterator[Figure]:
    """Figures of every case of the grid; Keras's own export only of the masked ones."""
    absent = missing("onnx", "onnxruntime")
    for case in cases(options):
        sides = {OURS: absent, TORCH: absent} if absent else _sides(case)
        aims = {TORCH: 1.1}
        if case.batch in KERAS_AIMS:
            aims[KERAS] = KERAS_AIMS[case.batch]
        floor = None if absent else floor_of(case.forward_flops(), "onnxruntime")
        yield from compare(PART, str(case), sides, options, aims=aims, floor=floor)
        keras.backend.clear_session()


def _sides(case: Case) -> dict[str, Side]:
    batch = case.data()
    recipe = by_recipe.classifier_recipe(case)
    model, theirs = recipe.build(), by_hand.classifier(case)
    theirs.set_weights(model.get_weights())
    sides: dict[str, Side] = {OURS: _ours(recipe, model, by_recipe.inputs(case, batch))}
    if case.masked:
        sides[KERAS] = missing("tf2onnx") or _keras_export(theirs, batch.sequence)
    sides[TORCH] = missing("torch")
    if not sides[TORCH]:
        from benchmarks.by_torch import Runner

        sides[TORCH] = Runner(case, batch, model.get_weights()).predict
    require_equal_outputs(case, sides)
    return sides


def _ours(recipe: lstmgraph.Recipe, model: keras.Model, inputs: dict[str, np.ndarray]) -> Side:
    from lstmgraph.export.onnx import onnx_model

    weights = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    exported = onnx_model(recipe.compiled, weights)
    session = onnx_session(exported.SerializeToString())
    return lambda: session.run(["label"], inputs)[0]


def _keras_export(model: keras.Model, sequence: np.ndarray) -> Side:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        model(sequence)  # Keras exports only what has been called
        model.export(path, format="onnx", verbose=False)
        session = onnx_session(path.read_bytes())
    feed = {session.get_inputs()[0].name: sequence}
    return lambda: session.run(None, feed)[0]
