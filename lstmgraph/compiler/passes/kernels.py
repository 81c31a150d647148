"""Choose the kernel of each recurrent node, and say why not a faster one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import SEQUENCE, Graph, Kernel, Node, Port
from lstmgraph.compiler.passes.fused import fused_obstacle
from lstmgraph.compiler.passes.remarks import of_mask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Note

CUDNN_REASON = "on a GPU; without one Keras's loop runs"
CUDNN_MASKED_REASON = "on a GPU, for batches without an empty row; otherwise Keras's loop runs"


def choose_kernels(graph: Graph, document: Document) -> Graph:
    """Return the graph with the kernel of every recurrent node.

    The conditions are those of ``keras.layers.LSTM`` and ``GRU``, and of the cuDNN operation,
    which fails at run time on masks that are not padded on the right.
    """
    used, read = graph.used_ports(), graph.used_ports(by_unread=True)
    nodes = []
    for node in graph.nodes:
        if node.recurrence and node.outputs:
            kernel = _kernel(graph, node, used, document)
            if kernel.name == "unrolled":
                _check_unrolled(node, read, document)
            node = _on(node, kernel)  # noqa: PLW2901
        nodes.append(node)
    return _of_layers(graph.with_nodes(nodes))


def _of_layers(graph: Graph) -> Graph:
    """Return the graph with one kernel for all calls of a layer, as it is the layer that has it."""
    others: dict[str, tuple[str, str]] = {}  # by layer, the first call that is not on cuDNN
    for node in graph.nodes:
        kernel = node.recurrence and node.recurrence.kernel
        if kernel and kernel.name != "cudnn":
            others.setdefault(node.keras_name, (kernel.name, node.name))
    nodes = []
    for node in graph.nodes:
        kernel = node.recurrence and node.recurrence.kernel
        if kernel and kernel.name == "cudnn" and node.keras_name in others:
            name, other = others[node.keras_name]
            node = _on(node, Kernel(name, f"as '{other}', a call of the same layer"))  # noqa: PLW2901
        nodes.append(node)
    return graph.with_nodes(nodes)


def _on(node: Node, kernel: Kernel) -> Node:
    return replace(node, recurrence=node.recurrence and replace(node.recurrence, kernel=kernel))


def _kernel(graph: Graph, node: Node, used: frozenset[Port], document: Document) -> Kernel:
    choice = graph.kernel_choice
    if choice == "unrolled" or (node.arguments["unroll"] and choice not in {"cudnn", "fused"}):
        reason = "`unroll: true`" if node.arguments["unroll"] else "`kernel: unrolled`"
        return Kernel("unrolled", reason)
    if choice == "fused":
        return _fused(node, document)
    if choice == "standard":
        return Kernel("standard", "`kernel: standard`")
    obstacles = list(cudnn_obstacles(node, used))
    if not obstacles and graph.compiled_by_xla and choice == "auto":
        return Kernel("standard", "`xla: true`: XLA cannot compile cuDNN")
    if not obstacles:
        return Kernel("cudnn", CUDNN_MASKED_REASON if node.mask else CUDNN_REASON)
    if choice == "cudnn":
        _refuse(node, "L701", choice, obstacles[0], "", document)
    return Kernel("standard", obstacles[0][1])


def _fused(node: Node, document: Document) -> Kernel:
    obstacle = fused_obstacle(node)
    if obstacle is None:
        return Kernel("fused", "`kernel: fused`")
    rest = ", which leaves this layer to Keras's loop"
    _refuse(node, "L770", "fused", obstacle, rest, document)
    return Kernel("standard", obstacle[1])


def _refuse(  # noqa: PLR0913, PLR0917 - the parts of one message
    node: Node, code: str, kernel: str, obstacle: tuple[str, str], rest: str, document: Document
) -> None:
    """Report that the recipe's kernel cannot run a node: the argument, and the reason."""
    argument, reason = obstacle
    document.report(
        code,
        (*node.path, argument),
        f"`kernel: {kernel}` cannot run '{node.name}': {reason}",
        hint=f"change this, or write `kernel: auto`{rest}",
        notes=(document.note(("runtime", "kernel"), "the kernel is chosen here"),),
    )


def zeroes_wrong_steps(node: Node, used: frozenset[Port]) -> bool:
    """Return whether Keras's unrolled loop would zero the backward outputs at other steps."""
    both = node.recurrence is not None and node.recurrence.bidirectional
    return node.mask is not None and both and Port(node.name, SEQUENCE) in used


def _check_unrolled(node: Node, used: frozenset[Port], document: Document) -> None:
    steps = node.outputs[SEQUENCE].shape[1]
    choice_notes: tuple[Note, ...] = ()
    if not node.arguments["unroll"]:
        choice_notes = (document.note(("runtime", "kernel"), "all layers are unrolled here"),)
    if not isinstance(steps, int):
        document.report(
            "L702",
            (*node.path, "unroll"),
            f"'{node.name}' cannot be unrolled: its number of steps, `{steps}`, is known only from "
            "the data",
            hint="give the input a fixed number of steps, or use another kernel",
            notes=choice_notes,
        )
    elif node.mask and zeroes_wrong_steps(node, used):
        document.report(
            "L703",
            (*node.path, "bidirectional"),
            f"'{node.name}' cannot be unrolled: Keras would zero its backward outputs at the wrong "
            "steps",
            hint="use another kernel, or read only `.last` and `.state`",
            notes=(
                *choice_notes,
                *(document.note(*remark) for remark in of_mask(node.mask, node.inputs[0])),
            ),
        )


def cudnn_obstacles(node: Node, used: frozenset[Port]) -> Iterator[tuple[str, str]]:
    """Yield what keeps `node` from cuDNN: the argument, and the reason."""
    arguments = node.arguments
    if arguments["unroll"]:
        yield "unroll", "`unroll: true`"
    if node.op == "RNN":
        yield "type", "cells run in Keras's loop"
        return
    if node.op == "SimpleRNN":
        yield "type", "cuDNN has no SimpleRNN"
        return
    if arguments["activation"] != "tanh":
        yield "activation", "activation is not tanh"
    if arguments["recurrent_activation"] != "sigmoid":
        yield "recurrent_activation", "recurrent_activation is not sigmoid"
    if not arguments["use_bias"]:
        yield "use_bias", "it has no bias"
    if arguments["recurrent_dropout"]:
        yield "recurrent_dropout", f"recurrent_dropout is {arguments['recurrent_dropout']}"
    if not arguments.get("reset_after", True):
        yield "reset_after", "reset_after is false"
    if node.mask and node.mask.kind == "step":
        yield "mask", "cuDNN fails on a row whose step of the loop is padding"
    elif node.mask and node.mask.padding != "right":
        yield "mask", f"its mask is not known to be padded on the right ({node.mask})"
    reads_sequence = Port(node.name, SEQUENCE) in used
    if node.mask and reads_sequence and node.recurrence and node.recurrence.padded_output == "hold":
        yield "padded_output", "cuDNN gives zeros at padded steps"
