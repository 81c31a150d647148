"""Fitting of layers to the training part: vocabularies, boundaries of bins, means and variances.

What is found becomes part of the recipe: a layer that is made with its vocabulary has it in its
configuration, so every model built from the recipe, and every file, has it too. Keras itself would
write it into the `.keras` file line by line, which breaks words with line ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.checks.vocabularies import unfitted
from lstmgraph.data.fields import rows_of
from lstmgraph.data.scaling import with_scales
from lstmgraph.data.vocabularies import nothing_found, refuse_too_many
from lstmgraph.keras_facts.layers.lookups import FITTED, INT, STRING
from lstmgraph.language.declaration.defaults import complete_data
from lstmgraph.messages.diagnostics import Diagnostic
from lstmgraph.messages.errors import RecipeError
from lstmgraph.models.building.layers import make_layer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import keras

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph, Node
    from lstmgraph.data.examples import Examples

    Array = np.ndarray[Any, np.dtype[Any]]

VALUE_BY_VALUE = frozenset(
    {"StringLookup", "IntegerLookup", "Hashing", "Discretization", "Identity", "Rescaling"}
)
"""Layers that treat each value by itself, so that the steps of windows can be read one by one."""


def is_fitted(compiled: CompiledRecipe) -> bool:
    """Return whether the recipe has all scales, vocabularies and numbers that training finds."""
    data = compiled.declaration.data
    columns = data.columns.values() if data is not None else ()
    needs_numbers = any(column.needs_fitting for column in columns)
    graphs = (compiled.graph, *(model.graph for model in compiled.models.values()))
    return not needs_numbers and not any(list(unfitted(graph)) for graph in graphs)


def require_fitted(compiled: CompiledRecipe) -> None:
    """Check that the recipe has the vocabularies and numbers that training would find.

    Raises:
        RecipeError: a layer has none (L884); with an empty vocabulary every word would be unknown.
    """
    found = []
    for graph in (compiled.graph, *(model.graph for model in compiled.models.values())):
        for node in unfitted(graph):
            argument = FITTED[node.op]
            place = compiled.document.place(node.path)
            what = argument.replace("_", " ")
            hint = f"train the model, write `{argument}:`, or let `Recipe.fitted` find it in data"
            message = f"'{node.layer}' has no {what} yet, which training finds"
            found.append(Diagnostic("L884", message, node.path, place, hint))
    if found:
        raise RecipeError(_distinct(found), compiled.document.sources)


def _distinct(found: list[Diagnostic]) -> list[Diagnostic]:
    return list({each.path: each for each in found}.values())


def fitted(compiled: CompiledRecipe, train: Examples) -> CompiledRecipe:
    """Return the recipe with what it learns from the training part.

    These are scales, vocabularies, bins, means, and the names of classes.

    Raises:
        DataError: There is nothing to find (D413), or to scale by (D421 to D423).
    """
    compiled = fit_vocabularies(with_scales(compiled, train), train)
    named = {name: list(names) for name, names in train.source.classes.items()}
    if not named:
        return compiled
    data = compiled.completed.get("data")
    data = data or complete_data({}, carried=bool(compiled.graph.carrying))
    targets = data.get("targets", {})
    changed = {name: {**targets.get(name, {}), "classes": names} for name, names in named.items()}
    return compiled.with_sections(data={**data, "targets": {**targets, **changed}})


def fit_vocabularies(compiled: CompiledRecipe, examples: Examples) -> CompiledRecipe:
    """Return the recipe with what its layers learn from `examples`, the training part.

    Every row of the part counts once, in however many windows it is. Vocabularies are those of
    Keras's ``adapt``: the most frequent first, equally frequent ones from Z to A. Means and
    variances are those of all values, in float64.

    Raises:
        DataError: There is nothing to find (D413).
    """
    graph = compiled.graph
    for node in list(unfitted(graph)):
        given = {node.layer: _fitted(node, graph, examples)}
        refuse_too_many(node.layer, given[node.layer])
        compiled = compiled.with_arguments(given)
        graph = compiled.graph
    return compiled


def _fitted(node: Node, graph: Graph, examples: Examples) -> dict[str, Any]:
    batches = _batches(node, graph, examples)
    if node.op == "Normalization":
        return _moments(node, batches)
    layer = _layer(node)
    if node.op == "Discretization":
        layer.adapt(_numbers(batches, node))
        return {"bin_boundaries": [float(each) for each in layer.bin_boundaries], "num_bins": None}
    nothing = "no words" if node.op == "TextVectorization" else "no values"
    try:
        layer.adapt(_tensors(batches))
    except Exception as error:
        if type(error).__name__ != "InvalidArgumentError":  # of a vocabulary of padding alone
            raise
        raise nothing_found(node.layer, nothing) from None
    words = _words(node, layer)
    if not words:
        raise nothing_found(node.layer, nothing)
    found: dict[str, Any] = {"vocabulary": words}
    if node.arguments["output_mode"] == "tf_idf":
        store: dict[str, Any] = {}
        layer.save_own_variables(store)
        every = [_plain(word) for word in layer.get_vocabulary()]
        weights = dict(zip(every, np.asarray(store["idf_weights"]), strict=False))
        found["idf_weights"] = [float(weights[word]) for word in words]
    return found


def _words(node: Node, layer: keras.Layer) -> list[str | int]:
    """Return the vocabulary without what NumPy, in which Keras keeps it, cannot tell apart.

    NumPy drops NUL characters at the end of texts.
    """
    found = [_plain(word) for word in layer.get_vocabulary(include_special_tokens=False)]
    padding = "" if node.op == "TextVectorization" else node.arguments["mask_token"]
    return [word for word in dict.fromkeys(found) if word != padding or padding is None]


def _plain(word: Any) -> str | int:
    return str(word) if isinstance(word, str) else int(word)


def _layer(node: Node) -> keras.Layer:
    return make_layer(node, frozenset(), None, forced_cudnn=False)


def _batches(node: Node, graph: Graph, examples: Examples) -> Iterator[Array]:
    """Yield what `node` reads, in parts: each row of the training part once."""
    chain: list[Node] = []
    port = node.inputs[0]
    while port.node not in graph.inputs:
        chain.insert(0, graph.by_name[port.node])
        port = chain[0].inputs[0]
    rank = graph.inputs[port.node].spec.rank
    by_rows = all(_is_by_value(each, rank) for each in (*chain, node))
    layers = [_layer(each) for each in chain]
    for rows in rows_of(examples.source.inputs[port.node], examples.numbers, by_rows=by_rows):
        values: Any = rows
        for layer in layers:
            values = layer(_tensor(values))
        yield values


def _is_by_value(node: Node, rank: int) -> bool:
    """Return whether a layer computes the same of a step by itself as of a whole window."""
    if node.op == "Normalization":
        return node.arguments["axis"] in (None, -1, rank - 1, [-1], [rank - 1])
    is_ids = node.arguments.get("output_mode", INT) == INT
    return node.op in VALUE_BY_VALUE and (is_ids or node.arguments["output_mode"] != "tf_idf")


def _tensors(batches: Iterator[Array]) -> Iterator[Any]:
    return (_tensor(batch) for batch in batches)


def _tensor(values: Any) -> Any:
    import tensorflow as tf  # noqa: PLC0415 - other backends run without it

    is_text = isinstance(values, np.ndarray) and values.dtype.kind in "OUS"
    return tf.constant(values, STRING) if is_text else values


def _numbers(batches: Iterator[Array], node: Node) -> Iterator[Array]:
    """Yield the batches, and check that there are as many values as bins at least."""
    count = 0
    for batch in batches:
        values = np.asarray(batch)
        count += values.size
        yield values
    if count < node.arguments["num_bins"]:
        raise nothing_found(node.layer, f"{count} values for {node.arguments['num_bins']} bins")


def _moments(node: Node, batches: Iterator[Array]) -> dict[str, Any]:
    """Return the mean and the variance along the layer's axes, merged over the batches.

    The formula is that of Chan, Golub and LeVeque (1979) for the moments of two samples together.
    """
    axis = node.arguments["axis"]
    axes = [] if axis is None else axis if isinstance(axis, list) else [axis]
    count, mean, squares = 0, np.float64(0), np.float64(0)
    for batch in batches:
        values = np.asarray(batch, "float64")
        kept = {each % values.ndim for each in axes}
        reduced = tuple(each for each in range(values.ndim) if each not in kept)
        number = int(np.prod([values.shape[each] for each in reduced]))
        own = values.mean(reduced)
        spread = ((values - values.mean(reduced, keepdims=True)) ** 2).sum(reduced)
        squares = squares + spread + (own - mean) ** 2 * (count * number / (count + number))
        mean = mean + (own - mean) * (number / (count + number))
        count += number
    return {"mean": mean.tolist(), "variance": (squares / count).tolist()}
