"""Numbers that get lost: in 16 bits, in small integers, in dropout, in a batch of one row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import OUTPUT
from lstmgraph.compiler.lint.checked import activation_of
from lstmgraph.keras_facts.dtypes import compute_dtype, is_half
from lstmgraph.language.declaration.recipe import RecurrentDeclaration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.compiler.graph import Node
    from lstmgraph.compiler.lint.checked import Checked
    from lstmgraph.messages.diagnostics import Path

LARGEST = {"int8": 127, "uint8": 255, "int16": 32_767, "uint16": 65_535}
"""The largest number of each integer dtype that an embedding's ids can pass."""

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
    """W401: a layer before an output, or a softmax, that a policy of its own keeps in 16 bits.

    Source: https://www.tensorflow.org/guide/mixed_precision#building_the_model
    """
    heads = {node.name for port in checked.graph.outputs.values() if (node := checked.head(port))}
    for node in checked.graph.nodes:
        dtype = compute_dtype(node.dtype_policy)
        if not node.is_layer or not is_half(dtype) or _is_of_recurrent(checked, node):
            continue
        squashes = activation_of(node) in ("softmax", "sigmoid")
        if squashes or node.name in heads:
            what = "ends in a " + str(activation_of(node)) if squashes else "gives an output"
            checked.document.warn(
                "W401",
                (*node.path, "dtype_policy"),
                f"'{node.layer}' {what}, and computes it in {dtype}: what the loss needs to tell "
                "apart is rounded to the same number",
                hint="leave `dtype_policy` out here: under a mixed policy of `runtime:` such "
                "layers stay float32",
            )


def check_ids(checked: Checked) -> None:
    """W402: an embedding with rows that no id of its input's dtype can reach."""
    for node in checked.graph.nodes:
        if node.op != "Embedding":
            continue
        dtype = checked.graph.specs[node.inputs[0]].dtype
        largest, rows = LARGEST.get(dtype), node.arguments["input_dim"]
        if largest is not None and rows > largest + 1:
            checked.document.warn(
                "W402",
                (*node.path, "input_dim"),
                f"'{node.layer}' has {rows} rows, and {dtype} ids end at {largest}: larger ones "
                "would wrap around to other rows",
                hint=f"declare '{node.inputs[0]}' with `dtype: int32`",
            )


def check_dropout(checked: Checked) -> None:
    """W403: dropout as the last thing before an output. W407: a rate that drops nearly all."""
    for name, port in checked.graph.outputs.items():
        node = checked.head(port)
        if node is not None and node.op in DROPOUTS:
            checked.document.warn(
                "W403",
                node.path,
                f"'{node.layer}' drops numbers of the output '{name}' itself: in training the loss "
                "would be of zeros, drawn at random",
                hint="put the dropout before the layer that gives the output",
                at_key=True,
            )
    for node in checked.graph.nodes:
        for path, rate in _rates(node):
            if rate >= MOST_DROPPED:
                checked.document.warn(
                    "W407",
                    path,
                    f"'{node.layer}' drops {rate:.0%} of its numbers; Keras's rate is what is "
                    "dropped, not what is kept",
                    hint=f"write {1 - rate:.2g} where {rate:.0%} are to be kept",
                )


def check_batch_of_one(checked: Checked) -> None:
    """W408: batch normalization of one row: it is its own mean, and nothing is left of it.

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
                f"'{node.layer}' subtracts the mean of a batch from its one row: in training "
                "nothing is left of it",
                hint="write a larger `batch_size`, or `type: layer_normalization`",
                at_key=True,
            )


def _is_of_recurrent(checked: Checked, node: Node) -> bool:
    """Whether the call is one of a recurrent layer: as outputs too, these follow their policy."""
    return isinstance(checked.recipe.layers.get(node.layer), RecurrentDeclaration)


def _rates(node: Node) -> Iterator[tuple[Path, float]]:
    """The dropout rates of a call, and where each is written."""
    if node.op in DROPOUTS:
        yield (*node.path, "rate"), node.arguments["rate"]
    elif node.recurrence:
        for key in ("dropout", "recurrent_dropout"):
            yield (*node.path, key), node.arguments.get(key) or 0.0
            for index, cell in enumerate(node.recurrence.cells):
                yield (*node.path, "cells", index, key), cell.get(key) or 0.0
