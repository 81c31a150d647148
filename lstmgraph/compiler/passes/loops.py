"""The operations of loops: the steps that they read, the results of all steps, what is fed back."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import FOLD, STEP, UNFOLD, Port
from lstmgraph.compiler.passes.mistakes import GraphMistake
from lstmgraph.compiler.passes.remarks import of_dtype, of_tensor
from lstmgraph.keras_facts.dtypes import compute_dtype, is_float
from lstmgraph.keras_facts.tensors import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.compiler.graph import Graph, MaskSpec, Node
    from lstmgraph.messages.diagnostics import Path

    Specs = Mapping[Port, TensorSpec]


def step_spec(node: Node, inputs: list[TensorSpec]) -> TensorSpec:
    """Return the spec of one step of a sequence: (batch, 1, ...).

    Raises:
        GraphMistake: if the sequence does not have exactly the steps of the loop (L317).
    """
    (spec,) = inputs
    steps = node.arguments["steps"]
    if spec.shape[1:2] == (steps,):
        return TensorSpec((spec.shape[0], 1, *spec.shape[2:]), spec.dtype)
    source = node.inputs[0]
    hint = f"give '{source}' {_counted(steps)}, such as `shape: [{steps}, ...]`"
    found = f"is {spec}, which has no steps"
    if spec.rank > 1 and isinstance(spec.shape[1], int):
        found = f"has {_counted(spec.shape[1])}"
        hint = f"write `steps: {spec.shape[1]}`, or give '{source}' {_counted(steps)}"
        if spec.rank == 2:  # ids, or static features
            hint += "; what is the same in every step stands under `input:`"
    elif spec.rank > 1:
        found = f"has `{spec.shape[1]}` steps, which are known only from the data"
    is_truth = node.loop is not None and node.loop.prepares
    raise GraphMistake(
        "L317",
        (*node.path, "teacher") if is_truth else node.path,
        f"the loop has {_counted(steps)}, but '{source}' {found}",
        hint,
    )


def _counted(steps: int) -> str:
    return f"{steps} step" if steps == 1 else f"{steps} steps"


def is_sequence(spec: TensorSpec) -> bool:
    """Return whether the result of a step is a sequence of one step, (batch, 1, ...)."""
    return spec.rank > 2 and spec.shape[1] == 1


def stacked_spec(_node: Node, inputs: list[TensorSpec]) -> TensorSpec:
    """Return the spec of the results of all steps, which are alike: (batch, steps, ...)."""
    first = inputs[0]
    rest = first.shape[2:] if is_sequence(first) else first.shape[1:]
    return TensorSpec((first.shape[0], len(inputs), *rest), first.dtype)


def full_spec(node: Node, inputs: list[TensorSpec]) -> TensorSpec:
    """Return the spec of a tensor (batch, *shape) with the same value everywhere."""
    shape = (inputs[0].shape[0], *node.arguments["shape"])
    return TensorSpec(shape, compute_dtype(node.dtype_policy))


def check_taught(node: Node, inputs: list[TensorSpec]) -> None:
    """Check the shapes of what a loop mixes: its own results, and the steps of true values.

    Raises:
        GraphMistake: if they differ, or are no sequences of one step (L318).
    """
    if node.loop is None or not node.loop.prepares:
        return
    path = (*node.path, "teacher")
    if node.op == "Multiply" and not is_sequence(inputs[0]):
        what = "a step of the true values is" if node.name.endswith("_teacher") else "`then` is"
        message = f"{what} {inputs[0]}, but with `teacher` it must have time: (batch, 1, features)"
        raise GraphMistake("L318", path, message, "give it time, for example with a reshape")
    if node.op == "Add" and inputs[0].shape != inputs[1].shape:
        own, true = inputs
        message = f"a step of the true values is {true}, but the block gives {own}"
        raise GraphMistake("L318", path, message, f"give the true values steps of {own}")


class Feedback:
    """Compares what a loop feeds back with what its block reads in the first step."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._pairs: defaultdict[str, list[tuple[Path, Port, Port]]] = defaultdict(list)
        for path, (first, later) in graph.feedback.items():
            self._pairs[later.node].append((path, first, later))

    def mistakes(self, node: Node, specs: Specs) -> Iterator[tuple[Port, GraphMistake]]:
        """Yield the outputs of `node` that do not fit the input that they are fed to (L318)."""
        for path, first, later in self._pairs.get(node.name, ()):
            wanted, given = specs.get(first), specs.get(later)
            if wanted is None or given is None or wanted == given:
                continue
            same_shape = wanted.shape == given.shape
            if same_shape and is_float(wanted.dtype) and is_float(given.dtype):
                continue  # layers cast them to the dtype that they compute in
            remark = of_dtype if same_shape else of_tensor
            one, other = (wanted.dtype, given.dtype) if same_shape else (str(wanted), str(given))
            yield (
                later,
                GraphMistake(
                    "L318",
                    path,
                    f"'{path[-1]}' is {one} in the first step, but '{_in_block(node, later)}', "
                    f"which the next steps read in its place, is {other}",
                    "give both the same dtype"
                    if same_shape
                    else f"start with a tensor of {given}, or feed back one of {wanted}"
                    + _of_sequence(wanted, given),
                    notes=(
                        remark(self.graph, first, wanted),
                        remark(self.graph, later, given),
                    ),
                ),
            )


def _of_sequence(wanted: TensorSpec, given: TensorSpec) -> str:
    """Return how a recurrent layer gives a sequence of one step, if the other has no time."""
    if {wanted.rank, given.rank} != {2, 3}:
        return ""
    return "; a recurrent layer gives (batch, 1, units) as its `.sequence`"


def _in_block(node: Node, port: Port) -> str:
    """Return the name that a port of the first step has in the block."""
    return str(port).removeprefix(node.loop.first) if node.loop else str(port)


def fed_ports(graph: Graph, node: Node) -> frozenset[Port]:
    """Return the inputs of `node` that its loop feeds back, or starts with."""
    return frozenset(port for port in node.inputs if is_fed(graph, node, port))


def is_fed(graph: Graph, node: Node, port: Port) -> bool:
    """Return whether a loop feeds `port` back to the step of `node`, or starts with it."""
    source, ports = graph.by_name.get(port.node), {port}
    if node.loop is None:
        return False
    while source and source.op in (FOLD, UNFOLD):
        ports.add(source.inputs[0])
        source = graph.by_name.get(source.inputs[0].node)
    if source and source.loop and source.loop.prepares:  # mixed with the truth, or zeros
        return True
    theirs = source.loop.levels if source and source.loop else ()
    for own, other in zip(node.loop.levels, theirs, strict=False):
        if own.layer != other.layer:
            break
        if own.step != other.step:
            return other.step < own.step
    return node.loop.step == 1 and not ports.isdisjoint(graph.first_ports)


def reads_by_place(node: Node) -> Iterator[tuple[int | str, Port]]:
    """Yield the ports that a call reads, by the number of the input or the name of the state."""
    yield from enumerate(node.inputs)
    for state in node.recurrence.states if node.recurrence else ():
        if state.source:
            yield state.slot, state.source


def of_whole(graph: Graph, mask: MaskSpec) -> MaskSpec:
    """Return the mask of one step that a loop reads as the step of the mask of all steps.

    So the steps of a sequence have one mask, whether it is made before the loop or inside it.
    """
    source = graph.by_name.get(mask.port.node)
    if source is None or source.op != STEP or mask.shape[1:2] != (1,):
        return mask
    steps, index = source.arguments["steps"], source.arguments["index"]
    shape = (mask.shape[0], steps, *mask.shape[2:])
    return replace(mask, port=source.inputs[0], shape=shape).step(index)


def of_lengths(graph: Graph, node: Node, mask: MaskSpec) -> MaskSpec:
    """Return the mask of lengths that `node` defines: of its steps, or of those of its loop.

    Raises:
        GraphMistake: if the loop reads no sequence that has the steps (L524).
    """
    if node.loop is None or mask.shape[1:2] != (1,):
        return mask
    sequence = graph.loop_sequences.get((node.loop.layer, node.loop.step))
    if sequence is None:
        raise GraphMistake(
            "L524",
            mask.path,
            "the lengths would count the steps of a loop that reads no sequence step by step",
            "give the loop a sequence under `each:`, or leave the mask out",
        )
    whole = replace(mask, shape=(mask.shape[0], node.loop.steps), like=sequence)
    return whole.step(node.loop.step - 1)
