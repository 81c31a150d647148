"""Warn of numbers that get lost: in 16 bits, small integers, dropout, or a batch of one row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.heads import activation_of
from lstmgraph.compiler.graph import OUTPUT
from lstmgraph.compiler.passes.masks import looks_up
from lstmgraph.keras_facts.dtypes import compute_dtype, is_half
from lstmgraph.keras_facts.layers.dense import REVERSE
from lstmgraph.language.declaration.recipe import RecurrentDeclaration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.compiler.graph import Node
    from lstmgraph.compiler.lint.checked import Checked
    from lstmgraph.messages.diagnostics import Path

LARGEST = {"int8": 127, "uint8": 255, "int16": 32_767, "uint16": 65_535}
"""The largest number of each integer dtype that is too small for many embeddings."""

DROPOUTS = frozenset(
    {
        "AlphaDropout",
        "Dropout",
        "GaussianDropout",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
    }
)
MOST_DROPPED = 0.8


def check_half_heads(checked: Checked) -> None:
    """Warn (W401) of a last layer or a softmax that its own policy keeps in 16 bits.

    Source: https://www.tensorflow.org/guide/mixed_precision#building_the_model
    """
    heads = {node.name for port in checked.graph.outputs.values() if (node := checked.head(port))}
    for node in checked.graph.nodes:
        key, dtype = "dtype_policy", compute_dtype(node.dtype_policy)
        if node.arguments.get(REVERSE):
            key, dtype = "reverse_dtype", node.outputs[OUTPUT].dtype
        if not node.is_layer or not is_half(dtype) or _is_of_recurrent(checked, node):
            continue
        squashes = activation_of(node) in ("softmax", "sigmoid")
        if squashes or node.name in heads:
            what = "ends in a " + str(activation_of(node)) if squashes else "gives an output"
            checked.document.warn(
                "W401",
                (*node.path, key),
                f"'{node.weights_layer}' {what}, but computes in {dtype}: values that the loss "
                "must distinguish are rounded to the same number",
                hint=f"leave `{key}` out here: with a mixed policy under `runtime:`, such "
                "layers stay float32",
            )


def check_ids(checked: Checked) -> None:
    """Warn (W402) of an embedding with more rows than its input's dtype has ids."""
    for node in checked.graph.nodes:
        if not looks_up(node):
            continue
        dtype = checked.graph.specs[node.inputs[0]].dtype
        largest, rows = LARGEST.get(dtype), node.arguments["input_dim"]
        if largest is not None and rows > largest + 1:
            checked.document.warn(
                "W402",
                (*node.path, "input_dim"),
                f"'{node.weights_layer}' has {rows} rows, but {dtype} ids end at {largest}: larger "
                "ids would wrap around to other rows",
                hint=f"declare '{node.inputs[0]}' with `dtype: int32`",
            )


def check_dropout(checked: Checked) -> None:
    """Warn of dropout as the last layer before an output (W403), and of very high rates (W407)."""
    for name, port in checked.graph.outputs.items():
        node = checked.head(port)
        if node is not None and node.op in DROPOUTS:
            checked.document.warn(
                "W403",
                node.path,
                f"'{node.layer}' drops values of the output '{name}' itself: in training, random "
                "values that the loss reads would be 0",
                hint="put the dropout before the layer that computes the output",
                at_key=True,
            )
    for node in checked.graph.nodes:
        for path, rate in _rates(node):
            if rate >= MOST_DROPPED:
                checked.document.warn(
                    "W407",
                    path,
                    f"'{node.weights_layer}' drops {rate:.0%} of its values; Keras's rate is the "
                    "part that is dropped, not the part that is kept",
                    hint=f"write {1 - rate:.2g} to keep {rate:.0%}",
                )


def check_batch_of_one(checked: Checked) -> None:
    """Warn (W408) of batch normalization over one row, which is its own mean.

    Source: ``_moments`` of ``keras/src/layers/normalization/batch_normalization.py``.
    """
    training = checked.recipe.training
    if training is None or training.batch_size != 1:
        return
    for node in checked.graph.nodes:
        if node.op == "BatchNormalization" and node.outputs[OUTPUT].rank == 2:
            checked.document.warn(
                "W408",
                node.path,
                f"'{node.layer}' subtracts the mean of the batch from its only row, so that in "
                "training the result is always 0",
                hint="write a larger `batch_size`, or `type: layer_normalization`",
                at_key=True,
            )


def _is_of_recurrent(checked: Checked, node: Node) -> bool:
    """Return whether the node is part of a recurrent layer, which follows its policy anyway."""
    return isinstance(checked.recipe.layers.get(node.layer), RecurrentDeclaration)


def _rates(node: Node) -> Iterator[tuple[Path, float]]:
    """Yield the dropout rates of a node with their paths."""
    if node.op in DROPOUTS:
        yield (*node.path, "rate"), node.arguments["rate"]
    elif node.recurrence:
        for key in ("dropout", "recurrent_dropout"):
            yield (*node.path, key), node.arguments.get(key) or 0.0
            for index, cell in enumerate(node.recurrence.cells):
                yield (*node.path, "cells", index, key), cell.get(key) or 0.0
