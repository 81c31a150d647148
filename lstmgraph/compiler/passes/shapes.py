"""Infer the shapes, dtypes and weights of every node, without TensorFlow."""

from __future__ import annotations

import re
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.graph import (
    ADD_SEASON,
    BY_ROW,
    BY_SERIES,
    BY_WINDOW,
    CHANGE,
    CLIP,
    CONSTANT_STATE,
    FOLD,
    FULL,
    INTERVALS,
    JOIN,
    LAST,
    LOG,
    MASK,
    OUTPUT,
    PARAMETERS,
    QUANTILES,
    REPEAT,
    ROW_IDS,
    SCORES,
    SEQUENCE,
    STACK,
    STEP,
    UNFOLD,
    Graph,
    Node,
    Parameters,
    Port,
    Recurrence,
    state_outputs,
)
from lstmgraph.compiler.passes.loops import (
    Feedback,
    check_taught,
    full_spec,
    stacked_spec,
    step_spec,
)
from lstmgraph.compiler.passes.mistakes import GraphMistake, Reported
from lstmgraph.compiler.passes.remarks import of_dtype, of_tensor
from lstmgraph.keras_facts.catalogue import CELLS
from lstmgraph.keras_facts.dtypes import compute_dtype, full_dtype, is_float, promoted
from lstmgraph.keras_facts.layers import LayerMistake, layer_facts, places
from lstmgraph.keras_facts.layers.attention import scores_spec
from lstmgraph.keras_facts.layers.dense import REVERSE
from lstmgraph.keras_facts.layers.lookups import OF_TEXTS, STRING
from lstmgraph.keras_facts.tensors import BATCH, TensorSpec, multiply_dims
from lstmgraph.messages.wording import counted, did_you_mean, few

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lstmgraph.compiler.passes.mistakes import Remark
    from lstmgraph.keras_facts.layers import Weight
    from lstmgraph.keras_facts.tensors import Dim
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path

Specs = dict["Port", "TensorSpec"]
SCORES_CODES: Mapping[str | None, str] = {
    "flash_attention": "L417",
    None: "L418",
    "activity_regularizer": "L419",
}
"""The code of a layer that cannot return scores, by the argument that prevents it."""
_SNAKE = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Where Keras's snake case puts an underscore: ``LSTMCell`` is ``lstm_cell``."""


def infer_shapes(graph: Graph, document: Document) -> Graph:
    """Return the graph with the outputs and parameters of every node.

    A node with a mistake is reported. It and the nodes that read it get no outputs, and no further
    reports. So are tensors that a loop feeds back to an input of another shape.
    """
    specs: Specs = {Port(tensor.name): tensor.spec for tensor in graph.inputs.values()}
    _check_time_major(graph, document)
    scored = with_scores(graph, graph.used_ports(by_unread=True))
    nodes = []
    feedback, reported = Feedback(graph), Reported()
    known: dict[tuple[str, str, bool, tuple[TensorSpec, ...]], Node] = {}
    for node in graph.nodes:
        inputs = [specs[port] for port in node.inputs if port in specs]
        if len(inputs) == len(node.inputs):
            try:
                reverse = bool(node.arguments.get(REVERSE))
                key = (node.keras_name, node.op, reverse, tuple(inputs))
                alike = known.get(key) if node.calls else None
                if node.op == "RepeatVector" and isinstance(node.arguments["n"], str):
                    node = _repeated_along(node, inputs, specs)  # noqa: PLW2901
                elif alike:
                    node = _as_inferred(node, alike)  # noqa: PLW2901
                else:
                    node = _inferred(node, inputs)  # noqa: PLW2901
                if node.calls and node.outputs:
                    known[key] = node
                if node.keras_name in scored:
                    node = _with_scores(node, inputs)  # noqa: PLW2901
            except GraphMistake as mistake:
                # Where columns do not fit a layer that scales them, `data:` does not fit either.
                of_data = node.path[0] == "data" or _has_other_columns(graph, node, document)
                if reported.is_new(mistake, node) and not of_data:
                    unfit = _of_target(graph, node, inputs, document)
                    remarks = () if unfit else _input_remarks(graph, node, specs, mistake)
                    (unfit or mistake).report(document, *remarks)
        specs |= {Port(node.name, output): spec for output, spec in node.outputs.items()}
        for port, fed in feedback.mistakes(node, specs):
            fed.report(document)
            del specs[port]  # its readers, of the next step, would report what follows from it
        nodes.append(node)
    return graph.with_nodes(nodes)


def _has_other_columns(graph: Graph, node: Node, document: Document) -> bool:
    """Return whether a node scales an input that takes another number of columns (L854)."""
    scaled: Node | None = node
    port = node.inputs[0]
    while scaled is not None:
        if document.written(scaled.path)[0] != "data" or not scaled.inputs:
            return False
        port = scaled.inputs[0]
        scaled = graph.by_name.get(port.node)
    entry: Any = document.data.get("data")
    for key in ("inputs", port.node, "columns"):
        entry = entry.get(key) if isinstance(entry, dict) else None
    if port.node not in graph.inputs or not isinstance(entry, list):
        return False
    size = graph.inputs[port.node].spec.shape[-1]
    return isinstance(size, int) and size != len(entry)


def _of_target(
    graph: Graph, node: Node, inputs: Sequence[TensorSpec], document: Document
) -> GraphMistake | None:
    """Return the mistake of a target's columns that do not fit the output that they scale."""
    if document.written(node.path)[0] != "data" or not inputs:
        return None
    spec = inputs[0]
    for output, port in graph.outputs.items():
        chain = list(_chain(graph, graph.by_name.get(port.node), document))
        path: Path = ("data", "targets", output, "columns")
        columns = document.at(path)
        if node not in chain or not isinstance(columns, list):
            continue
        count, own = len(columns), chain[-1]
        several = own.name != node.inputs[0].node  # quantiles, on the last axis
        if not several and spec.shape[-1] == count:
            continue
        what = f"`units: {count}`" if "units" in own.arguments else f"{count} numbers"
        hint = f"give '{own.layer}' {what}, or list {counted(int(spec.shape[-1] or 0), 'column')}"
        if several:
            hint = (
                f"let the axis before the last have {count}, one for each column, with a "
                f"`reshape` behind '{own.layer}'"
            )
        read = f"{counted(count, 'column')} ({few(columns)})"
        message = f"'{output}' has {read}, with a scale, but '{own.layer}' gives {spec}"
        return GraphMistake("L854", path, message, hint)
    return None


def _chain(graph: Graph, node: Node | None, document: Document) -> Iterator[Node]:
    """Yield a node and those it reads first, up to the first that is a layer of the recipe."""
    while node is not None:
        yield node
        if document.written(node.path)[0] == "layers" or not node.inputs:
            return
        node = graph.by_name.get(node.inputs[0].node)


def _input_remarks(
    graph: Graph, node: Node, specs: Specs, mistake: GraphMistake
) -> Iterator[Remark]:
    """Yield notes on the inputs that `mistake` is about: what they are, and where declared."""
    if mistake.code in SCORES_CODES.values():
        yield from _score_readers(graph, node)
        if mistake.code != SCORES_CODES[None]:  # those are about an argument
            return
    every = range(len(node.inputs))
    concerned = [i for i in every if input_path(node, i) == mistake.path]
    if mistake.code in ("L414", "L318"):
        return
    if mistake.code == "L401" or not concerned:  # about an argument, or all inputs together
        concerned = list(every)
    if mistake.code == "L404":
        concerned = [i for i in every if specs[node.inputs[i]].rank == 3]
    if node.calls and node.arguments.get(REVERSE):
        path = ("layers", node.calls.layer, "output_dim")
        yield path, f"the size of the vectors of '{node.calls.layer}' is here"
    for port in dict.fromkeys(node.inputs[index] for index in concerned):
        spec = specs[port]
        is_type = mistake.code in ("L403", "L880") or mistake.message.endswith(f"got {spec.dtype}")
        yield of_dtype(graph, port, spec) if is_type else of_tensor(graph, port, spec)


def _check_time_major(graph: Graph, document: Document) -> None:
    for tensor in graph.inputs.values():
        if tensor.time_major and tensor.spec.rank < 3:
            document.report(
                "L408",
                (*tensor.path, "time_major"),
                f"'{tensor.name}' is {tensor.spec}, which has no features for each time step",
                hint="write the shape as [time, features], or remove `time_major:`",
                notes=(document.note((*tensor.path, "shape"), "the shape is declared here"),),
            )


def is_static(spec: TensorSpec) -> bool:
    """Return whether a tensor is static features: floats of shape (batch, features)."""
    return spec.rank == 2 and is_float(spec.dtype)


def input_path(node: Node, index: int) -> Path:
    """Return the path in the recipe of input number `index` of `node`."""
    if node.path[-1] == "static":
        return node.path if node.inputs[index].node.endswith("_static") else (*node.path, index)
    if node.op == FOLD:
        return node.path
    if node.path[-1] == "input" or node.path[0] != "layers" or len(node.path) > 2:
        return (*node.path, index) if node.op == JOIN else node.path
    if node.input_names:
        return (*node.path, "input", node.input_names[index])
    return (*node.path, "input", index) if len(node.inputs) > 1 else (*node.path, "input")


def _as_inferred(node: Node, alike: Node) -> Node:
    """Return a call with what is known of another call of the same layer, on such inputs too."""
    return replace(node, outputs=alike.outputs, parameters=alike.parameters, weights=alike.weights)


def _inferred(node: Node, inputs: list[TensorSpec]) -> Node:
    _refuse_texts(node, inputs)
    if not node.is_layer:
        return replace(node, outputs={OUTPUT: OPERATIONS[node.op](node, inputs)})
    if node.recurrence:
        return _recurrent(node, node.recurrence, inputs[0])
    if node.path[-1] == "static" and not all(is_static(spec) for spec in inputs):
        return node  # `check_graph` reports every source
    check_taught(node, inputs)
    if node.stands_for:
        _check_sequence(replace(node, op=node.stands_for), inputs[0], input_path(node, 0))
    arguments = node.arguments
    try:
        facts = layer_facts(node.op, arguments, inputs, compute_dtype(node.dtype_policy))
    except LayerMistake as mistake:
        found = _from_layer(node, mistake)
        if node.op == "Concatenate" and found.code == "L401":
            found.hint = _with_last(node, inputs, found.hint)
        raise found from None
    outputs = {OUTPUT: facts.output}
    return replace(node, outputs=outputs, **_weights(arguments, facts.weights))


def _refuse_texts(node: Node, inputs: list[TensorSpec]) -> None:
    """Report (L880) texts where only numbers can be read."""
    texts = [index for index, spec in enumerate(inputs) if spec.dtype == STRING]
    if texts and node.op not in OF_TEXTS:
        name = node.op if node.is_layer else f"'{node.layer}'"
        raise GraphMistake(
            "L880",
            input_path(node, texts[0]),
            f"{name} needs numbers, but '{node.inputs[texts[0]]}' is text",
            "put a `text_vectorization` (words), `string_lookup` (categories) or `hashing` layer "
            "between them, which gives ids, with an `embedding` behind it",
        )


def _score_readers(graph: Graph, node: Node) -> Iterator[Remark]:
    """Yield a note on where the scores of the node, or of a call of its layer, are read first."""
    scores = {Port(each.name, SCORES) for each in graph.by_keras_name[node.keras_name]}
    paths = [graph.output_paths[name] for name, port in graph.outputs.items() if port in scores]
    paths += [
        input_path(reader, index)
        for reader in graph.nodes
        for index, port in enumerate(reader.inputs)
        if port in scores
    ]
    paths += [path for path, port in graph.further_ports.items() if port in scores]
    yield from ((path, "the scores are read here") for path in paths[:1])


def with_scores(graph: Graph, used: frozenset[Port]) -> frozenset[str]:
    """Return the Keras layers whose calls return scores, as one of them is read.

    All calls do: Keras's model takes the number of outputs of each from the layer's first one. In
    a part of a graph they do as in the whole, for the same numbers to the last bit.
    """
    return frozenset(
        node.keras_name
        for node in graph.nodes
        if Port(node.name, SCORES) in used or SCORES in node.outputs
    )


def _with_scores(node: Node, inputs: list[TensorSpec]) -> Node:
    dtype = node.outputs[OUTPUT].dtype
    try:
        scores = scores_spec(node.op, node.arguments, inputs, dtype)
    except LayerMistake as mistake:
        path = (*node.path, mistake.argument or "input")
        code = SCORES_CODES[mistake.argument]
        raise GraphMistake(code, path, str(mistake), mistake.hint) from None
    return replace(node, outputs={**node.outputs, SCORES: scores})


def _from_layer(node: Node, mistake: LayerMistake) -> GraphMistake:
    path = node.path
    if mistake.argument is not None and len(path) == 2:
        path = (*path, *mistake.argument.split("."))
    elif len(path) == 2:
        path = input_path(node, mistake.input) if mistake.input is not None else (*path, "input")
    elif path[-1] == "static":
        path = input_path(node, mistake.input or 0)
    code = "L306" if node.arguments.get(REVERSE) else "L401"
    message, hint = str(mistake), mistake.hint
    source = node.inputs[mistake.input or 0]
    if hint == "reshape the input to (batch, time, features)" and _is_last_or_state(source):
        hint = f"read the sequence: `{source.node}.sequence`"
    return GraphMistake(code, path, message, hint)


def _with_last(node: Node, inputs: list[TensorSpec], hint: str | None) -> str | None:
    """Return `hint`; to join a recurrent layer's sequence with vectors, its last step first."""
    pairs = list(zip(node.inputs, inputs, strict=True))
    sequences = [port for port, spec in pairs if spec.rank == 3]
    others = {spec.rank for port, spec in pairs if port not in sequences}
    if others != {2} or not all(port.output == SEQUENCE for port in sequences):
        return hint
    last = " and ".join(f"`{port.node}.{LAST}`" for port in dict.fromkeys(sequences))
    return f"for one row each, read {last}; or {hint}"


def _weights(arguments: Mapping[str, object], weights: Sequence[Weight]) -> dict[str, Any]:
    """Return the number of parameters of a node, and the shapes of its weights."""
    counts = {True: 0, False: 0}
    for weight in weights:
        trained = weight.trainable and arguments.get("trainable") is not False
        counts[trained] += 0 if weight.shared else prod(weight.shape)
    return {"parameters": Parameters(counts[True], counts[False]), "weights": places(weights)}


def _recurrent(node: Node, recurrence: Recurrence, spec: TensorSpec) -> Node:
    _check_sequence(node, spec, input_path(node, 0))
    dtype = compute_dtype(node.dtype_policy)
    try:
        weights = _cell_weights(node, recurrence, spec, dtype)
    except LayerMistake as mistake:
        raise _from_layer(node, mistake) from None
    if recurrence.bidirectional:
        ways = ("backward_layer", "forward_layer")
        weights = [weight.within(way) for way in ways for weight in weights]
    units = recurrence.units
    wide = units * 2 if recurrence.merge_mode == "concat" else units
    outputs = {
        SEQUENCE: TensorSpec((*spec.shape[:2], wide), dtype),
        LAST: TensorSpec((spec.shape[0], wide), dtype),
    }
    for slot in state_outputs(recurrence):
        outputs[slot] = TensorSpec((spec.shape[0], recurrence.units_of(slot)), dtype)
    return replace(node, outputs=outputs, **_weights(node.arguments, weights))


def _cell_weights(node: Node, recurrence: Recurrence, spec: TensorSpec, dtype: str) -> list[Weight]:
    """Return the weights of one direction: of the layer, or of its cells in order."""
    weights = []
    cells = recurrence.cells or ({**node.arguments, "type": node.op},)
    for cell, part in zip(cells, _parts(recurrence.cells), strict=True):
        arguments = {**cell, "return_sequences": True}
        facts = layer_facts(CELLS.get(cell["type"], node.op), arguments, [spec], dtype)
        weights += [replace(weight, part=part) for weight in facts.weights]
        spec = facts.output
    return weights


def _parts(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the path of each cell in its layer; Keras numbers the second and later of a kind."""
    if len(cells) < 2:
        return ["cell"]
    names = [_SNAKE.sub("_", cell["type"]).lower() for cell in cells]
    seen = [names[:index].count(name) for index, name in enumerate(names)]
    return [
        f"cell/cells/{name}" + (f"_{count}" if count else "")
        for name, count in zip(names, seen, strict=True)
    ]


def _is_last_or_state(port: Port) -> bool:
    """Return whether a port is the last output or a state of a recurrent layer."""
    return port.output not in (OUTPUT, SEQUENCE, SCORES)


def _check_sequence(node: Node, spec: TensorSpec, path: Path) -> None:
    source = node.inputs[0]
    if spec.rank != 3:
        hint = "use an input of shape (batch, time, features)"
        if spec.rank > 3:
            hint = (
                "to run it on each of the segments, wrap it: `type: time_distributed`, with this "
                "layer, without its `input:` and `mask:`, under `layer:`"
            )
        if _is_last_or_state(source):
            hint = f"read the sequence: `{source.node}.sequence`"
        elif spec.rank == 2 and not is_float(spec.dtype):
            hint = "put an embedding between the ids and this layer"
        elif spec.rank == 2:
            hint = (
                f"put static features next to a sequence, `input: [SEQUENCE, {source}]`, or into "
                f"`initial_state: {{static: [{source}]}}`"
            )
        message = f"{node.op} needs a sequence (batch, time, features), but '{source}' is {spec}"
        raise GraphMistake("L402", path, message, hint)
    _check_floats(node.op, source, spec, path)


def _check_floats(op: str, source: Port, spec: TensorSpec, path: Path) -> None:
    if not is_float(spec.dtype):
        hint = "declare the input with `dtype: float32`, or put an embedding before this layer"
        message = f"{op} needs floats, but '{source}' is {spec.dtype}"
        raise GraphMistake("L403", path, message, hint)


def _joined(node: Node, inputs: list[TensorSpec]) -> TensorSpec:
    """Return the spec of the joined sequence: (batch, time, sum of features)."""
    sequences = [(i, spec) for i, spec in enumerate(inputs) if spec.rank == 3]
    if not sequences:
        hint = "add a sequence of shape (batch, time, features) to the list"
        raise GraphMistake("L402", node.path, "none of the joined inputs is a sequence", hint)
    batch, time = sequences[0][1].shape[:2]
    features = 0
    for index, spec in enumerate(inputs):
        features += _joined_features(node, index, spec)
        if spec.rank == 3 and spec.shape[1] != time:
            first = node.inputs[sequences[0][0]]
            raise GraphMistake(
                "L404",
                input_path(node, index),
                f"'{node.inputs[index]}' has {_steps(spec.shape[1])} but '{first}' {_steps(time)}",
                _hint_for_lengths(node, {time: first, spec.shape[1]: node.inputs[index]}),
            )
    return TensorSpec((batch, time, features), promoted([spec.dtype for spec in inputs]))


def _hint_for_lengths(node: Node, by_length: Mapping[Dim, Port]) -> str:
    """Return what to do about sequences of two lengths, one of which may be that of the loop."""
    if node.loop and node.loop.steps in by_length and 1 in by_length:
        source = by_length[node.loop.steps]
        return f"give the block one step of '{source}' at a time: write it under `each:`"
    return "join sequences with the same time dimension; equal names mean equal lengths"


def _steps(dim: Dim) -> str:
    if dim == 1:
        return "1 step"
    return f"{dim} steps" if isinstance(dim, int) else f"`{dim}` steps"


def _joined_features(node: Node, index: int, spec: TensorSpec) -> int:
    path = input_path(node, index)
    name = node.inputs[index]
    if spec.rank not in (2, 3):
        hint = "join tensors of shape (batch, time, features) and (batch, features)"
        message = f"'{name}' is {spec}, which is neither a sequence nor static features"
        raise GraphMistake("L402", path, message, hint)
    if not is_float(spec.dtype):
        message = f"joined features must be floats, but '{name}' is {spec.dtype}"
        raise GraphMistake(
            "L403", path, message, "declare it with `dtype: float32`, or embed its ids"
        )
    features = spec.shape[-1]
    if not isinstance(features, int):
        message = f"the number of features of '{name}' is unknown: it is {spec}"
        raise GraphMistake("L405", path, message, "give the last dimension a size")
    return features


def _repeated_along(node: Node, inputs: list[TensorSpec], specs: Specs) -> Node:
    """Return a `repeat_vector` along a named size as the operation that reads it of a tensor."""
    size = node.arguments["n"]
    try:
        facts = layer_facts(
            node.op, {**node.arguments, "n": 1}, inputs, compute_dtype(node.dtype_policy)
        )
    except LayerMistake as mistake:
        raise _from_layer(node, mistake) from None
    batch, _, features = facts.output.shape
    found = next((port for port, spec in specs.items() if size in spec.shape[1:]), None)
    if found is None:
        named = {d for spec in specs.values() for d in spec.shape[1:] if isinstance(d, str)}
        names = sorted(named - {BATCH})
        hint = f"write a number, or one of: {few(names)}" if names else "write a number"
        message = f"no tensor before '{node.layer}' has a size `{size}`{did_you_mean(size, names)}"
        raise GraphMistake("L414", (*node.path, "n"), message, hint)
    return replace(
        node,
        op=REPEAT,
        calls=None,  # it has no weights
        inputs=(*node.inputs, found),
        input_names=None,
        arguments={"axis": specs[found].shape.index(size, 1)},
        outputs={OUTPUT: TensorSpec((batch, size, features), facts.output.dtype)},
    )


def _constant_state(node: Node, inputs: list[TensorSpec]) -> TensorSpec:
    return TensorSpec((inputs[0].shape[0], node.arguments["units"]), full_dtype(node.dtype_policy))


def _row_ids(_node: Node, inputs: list[TensorSpec]) -> TensorSpec:
    return TensorSpec((inputs[0].shape[0],), "int32")


def _fold(node: Node, inputs: list[TensorSpec]) -> TensorSpec:
    """Return the spec of folded steps: (batch * segments, steps, ...)."""
    axes, spec, source = node.arguments["axes"], inputs[0], node.inputs[0]
    reader = node.arguments["sequence_of"]
    if spec.rank < axes + 2 or (reader and spec.rank != axes + 3):
        leading = "segments, " * axes
        wanted = f"(batch, {leading}steps, features)" if reader else f"(batch, {leading}...)"
        inside = f"{reader} inside `time_distributed`" if reader else "`time_distributed`"
        hint = f"use a tensor with {axes + 3 if reader else axes + 2} axes"
        if reader and spec.rank == axes + 2 and axes == 1:
            hint = "write the layer itself, without `time_distributed`: it runs over the steps"
        elif reader and spec.rank > axes + 3:
            hint = "wrap it in one more `time_distributed` for each further axis"
        message = f"{inside} needs {wanted}, but '{source}' is {spec}"
        raise GraphMistake("L411", node.path, message, hint)
    if reader:
        _check_floats(reader, source, spec, node.path)
    return TensorSpec((multiply_dims(spec.shape[: axes + 1]), *spec.shape[axes + 1 :]), spec.dtype)


def _unfold(node: Node, inputs: list[TensorSpec]) -> TensorSpec:
    """Return the spec of unfolded results: (batch, segments, ...)."""
    folded, like = inputs
    return TensorSpec((*like.shape[: node.arguments["axes"] + 1], *folded.shape[1:]), folded.dtype)


def _mask(node: Node, _inputs: list[TensorSpec]) -> TensorSpec:
    return TensorSpec(node.mask.shape if node.mask else (BATCH,), "bool")


def _of_first(node: Node, inputs: list[TensorSpec]) -> TensorSpec:
    return TensorSpec(inputs[0].shape, compute_dtype(node.dtype_policy))


def _numbers_of_series(node: Node, _inputs: list[TensorSpec]) -> TensorSpec:
    return _numbers(node, len(node.arguments["table"][0][0]))


def _numbers_of_window(node: Node, _inputs: list[TensorSpec]) -> TensorSpec:
    return _numbers(node, len(node.arguments["places"]))


def _numbers(node: Node, columns: int) -> TensorSpec:
    """Return the spec of centers and spreads: (batch, 2, columns)."""
    return TensorSpec((BATCH, 2, columns), compute_dtype(node.dtype_policy))


OPERATIONS: Mapping[str, Callable[[Node, list[TensorSpec]], TensorSpec]] = {
    JOIN: _joined,
    CONSTANT_STATE: _constant_state,
    FOLD: _fold,
    ROW_IDS: _row_ids,
    UNFOLD: _unfold,
    MASK: _mask,
    STEP: step_spec,
    STACK: stacked_spec,
    FULL: full_spec,
    CLIP: lambda _node, inputs: inputs[0],
    LOG: lambda _node, inputs: inputs[0],
    BY_SERIES: _numbers_of_series,
    BY_WINDOW: _numbers_of_window,
    CHANGE: _of_first,
    BY_ROW: _of_first,
    ADD_SEASON: _of_first,
    QUANTILES: _of_first,
    INTERVALS: _of_first,
    PARAMETERS: _of_first,
}
"""The function that returns the output spec of each graph operation."""
