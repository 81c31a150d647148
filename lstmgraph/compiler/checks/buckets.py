"""Find the axes of time that batches of a bucket may cut, where every layer leaves out padding.

A step that no mask counts changes no number of such a model, so that batches whose rows end early
need not be padded to the longest row of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.data_needs import masks_of
from lstmgraph.compiler.derive.steppable import EACH_STEP, MERGES, OVER_FEATURES
from lstmgraph.compiler.graph import (
    CONSTANT_STATE,
    JOIN,
    KEEPS_STEPS,
    MASK,
    OUTPUT,
    REPEAT,
    ROW_IDS,
    Port,
)
from lstmgraph.compiler.passes.checks import needed_names
from lstmgraph.keras_facts.layers.attention import ATTENTION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.compiler.checks.data_needs import Needs
    from lstmgraph.compiler.graph import Graph, MaskSpec, Node
    from lstmgraph.language.declaration.data import DataDeclaration
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path

CODE = "L773"
LENGTHS, BASE = "lengths", ("value", "ids", "lengths", "input")
OF_GRAPH = frozenset({JOIN, REPEAT, MASK, ROW_IDS, CONSTANT_STATE, *KEEPS_STEPS})
"""The graph's own operations that compute each step from itself, or only count rows."""
POOLS = frozenset({"GlobalAveragePooling1D", "GlobalMaxPooling1D"})


@dataclass(frozen=True)
class Counter:
    """An input that says which steps of a row count."""

    name: str
    kind: str
    """``lengths``, ``ids``, ``value`` or ``input``, as in ``MaskSpec``."""
    value: float = 0.0
    """For ``value``, what padded steps hold."""


@dataclass(frozen=True)
class Axis:
    """An open number of steps, the second axis of these tensors."""

    name: str
    counters: tuple[Counter, ...]
    inputs: tuple[str, ...]
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Obstacle:
    """Why batches cannot be cut along an axis."""

    reason: str
    path: Path


def bucketed_axes(needs: Needs, graph: Graph) -> dict[str, Axis | Obstacle]:
    """Return the open axes of steps of a graph without mistakes, or why one may not be cut."""
    names: dict[str, None] = {}
    for tensor in graph.inputs.values():
        names |= {size: None for size in tensor.spec.shape[1:2] if isinstance(size, str)}
    return {name: _axis(name, needs, graph) for name in names}


def check_bucket(data: DataDeclaration, needs: Needs, graph: Graph, document: Document) -> None:
    """Report (L773) `bucket:` where no axis of steps may be cut."""
    if data.bucket is None or document.diagnostics:
        return
    path: Path = ("data", "bucket")
    if graph.carrying:
        document.report(
            CODE,
            path,
            f"rows are put into other batches, but '{graph.carrying[0]}' carries its states from "
            "each row to the row in the same place of the next batch",
            hint="remove `bucket:`, or `initial_state: carried`",
        )
        return
    axes = bucketed_axes(needs, graph)
    obstacles = [axis for axis in axes.values() if isinstance(axis, Obstacle)]
    if len(obstacles) < len(axes):
        return
    if not obstacles:
        document.report(
            CODE,
            path,
            "no input has an open number of steps, so that all rows have the same",
            hint="declare an input as [time, FEATURES], or remove `bucket:`",
        )
        return
    first = obstacles[0]
    notes = (document.note(first.path, "here"),) if first.path else ()
    document.report(
        CODE,
        path,
        f"batches padded to fewer steps would give other numbers: {first.reason}",
        hint="mask the padded steps, as by `mask: {lengths: lengths}`, or remove `bucket:`",
        notes=notes,
    )


def _axis(name: str, needs: Needs, graph: Graph) -> Axis | Obstacle:
    outputs = {output: graph.outputs[output] for output in needs.targets}
    needed = needed_names(graph, list(outputs.values()))
    obstacle = next(_obstacles(name, outputs, needed, graph), None)
    if obstacle:
        return obstacle
    counters = dict.fromkeys(_counters(name, graph, needed))
    if not counters:
        return Obstacle(f"no mask counts the steps `{name}`", ())
    return Axis(
        name,
        tuple(counters),
        tuple(n for n, tensor in graph.inputs.items() if tensor.spec.shape[1:2] == (name,)),
        tuple(n for n, port in outputs.items() if graph.specs[port].shape[1:2] == (name,)),
    )


def _obstacles(
    name: str, outputs: Mapping[str, Port], needed: frozenset[str], graph: Graph
) -> Iterator[Obstacle]:
    for tensor in graph.inputs.values():
        if name in tensor.spec.shape[2:]:
            yield Obstacle(f"`{name}` is not the first axis of '{tensor.name}'", tensor.path)
    for mask in masks_of(graph):
        if mask.kind in BASE and name in mask.shape and mask.port.node not in graph.inputs:
            yield Obstacle(f"'{mask.port}' makes a mask of what is computed", mask.path)
        if name in mask.shape[2:]:
            yield Obstacle(f"`{name}` is an axis of a mask of segments", mask.path)
    for output, port in outputs.items():
        shape = graph.specs[port].shape
        path = graph.output_paths[output]
        if name in shape[2:] or (name in shape and _mask(graph, port) is None):
            yield Obstacle(f"the loss of '{output}' counts the padded steps of `{name}`", path)
    for node in graph.nodes:
        if node.name in needed:
            reason = _reads_padding(name, node, graph)
            if reason:
                yield Obstacle(f"'{node.name}' {reason}", node.path)


def _reads_padding(name: str, node: Node, graph: Graph) -> str:
    """Return how a node computes something of steps that do not count; "" if it does not."""
    ports = [port for port in node.inputs if name in graph.specs[port].shape[1:]]
    if not ports:
        return ""
    if any(name in graph.specs[port].shape[2:] for port in ports):
        return f"reads `{name}` as an axis of features"
    if node.drops_mask:
        return "reads padded steps, as it has no mask"
    unmasked = [port for port in ports if _mask(graph, port) is None]
    inner = node.arguments.get("layer")
    own = (node.arguments, inner if isinstance(inner, dict) else {})
    if node.op == "ActivityRegularization" or any(each.get("activity_regularizer") for each in own):
        return "adds a loss of all steps"
    if own[1].get("type") == "BatchNormalization":
        return "takes the mean of all steps"
    if node.recurrence:
        return "" if node.mask is not None else "runs over padded steps, as it has no mask"
    if node.op in ATTENTION:
        masked = dict(zip(node.inputs, node.input_masks, strict=False))
        bare = [port for port in node.inputs[1:] or ports if port in ports and not masked.get(port)]
        return f"attends to the padded steps of '{bare[0]}'" if bare else ""
    if node.op in POOLS or node.op == "BatchNormalization":
        return f"counts the padded steps of '{unmasked[0]}'" if unmasked else ""
    if node.op in OVER_FEATURES and not _is_over_features(node):
        return "computes over steps, as its `axis` says"
    if node.op in EACH_STEP | MERGES | OVER_FEATURES | OF_GRAPH:
        return ""
    return f"is a {node.op}, which is not known to leave out padded steps"


def _is_over_features(node: Node) -> bool:
    axis, rank = node.arguments.get("axis", -1), len(node.outputs[OUTPUT].shape)
    axes = axis if isinstance(axis, list | tuple) else [axis]
    return axis is not None and all(number % rank == rank - 1 for number in axes)


def _counters(name: str, graph: Graph, needed: frozenset[str]) -> Iterator[Counter]:
    for mask in masks_of(graph):
        if mask.kind in BASE and mask.shape[1:] == (name,) and mask.port.node in needed:
            value = 0.0 if mask.value is None else mask.value
            yield Counter(mask.port.node, mask.kind, value)


def _mask(graph: Graph, port: Port) -> MaskSpec | None:
    node = graph.by_name.get(port.node)
    return node.output_masks.get(port.output) if node else None
