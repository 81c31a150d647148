"""Split a graph with a loop: what a step of the loop computes, and what is known before the first.

A step is the block of the loop, the layers that compute what it reads under ``each:``, and those
that read its results. What the loop feeds back becomes states, of any shape.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lstmgraph.compiler.derive.axes import Axes, computed_from, find_axes
from lstmgraph.compiler.derive.split import CODE, Fed, Split
from lstmgraph.compiler.graph import (
    OUTPUT,
    STACK,
    STEP,
    Graph,
    GraphInput,
    MaskSpec,
    Node,
    Port,
    Recurrence,
    StateSpec,
    state_outputs,
)
from lstmgraph.compiler.passes.checks import needed_names
from lstmgraph.compiler.passes.loops import reads_by_place
from lstmgraph.compiler.passes.mistakes import GraphMistake
from lstmgraph.keras_facts.dtypes import is_half
from lstmgraph.keras_facts.tensors import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.messages.diagnostics import Path

    Place = tuple[str, int | str]
    """A node, and the number of an input or the name of a state that it reads."""


def split_loop(graph: Graph, path: Path, *, one_step: bool) -> Split | None:
    """Return the split of `graph` at the loop that its outputs come from; None without a loop.

    Args:
        graph: the main graph.
        path: the path of the ``derive:`` that needs it.
        one_step: whether the graph of the split has one step of the loop, or all.

    Raises:
        GraphMistake: if the outputs come from several loops, or a step cannot be told apart (L834).
    """
    name = _loop_of(graph, path)
    if name is None:
        return None
    return _Loop(graph, name, path, one_step=one_step).split()


def _loop_of(graph: Graph, path: Path) -> str | None:
    """Return the loop that the outputs come from, before which others may stand."""
    waiting = list(graph.outputs.values())
    seen, found = set[str](), dict[str, Node]()
    while waiting:
        node = graph.by_name.get(waiting.pop().node)
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        if node.loop:
            found.setdefault(node.loop.levels[0].layer, node)
        else:
            waiting += node.inputs[-1:] if node.op == STACK else node.reads
    if len(found) > 1:
        raise GraphMistake(
            CODE,
            path,
            f"the outputs come from several loops: {', '.join(sorted(found))}",
            "declare a model under `models:` with the outputs of one loop",
        )
    return next(iter(found), None)


@dataclass
class _Loop:
    graph: Graph
    name: str
    path: Path
    one_step: bool
    fed: dict[tuple[Port | None, Port], Fed] = field(default_factory=dict)
    """What is fed back, by its ports before the first step and in the first step."""
    replaced: dict[Place, str] = field(default_factory=dict)
    last: int = 0
    """The number of the last step."""
    stacks: set[str] = field(default_factory=set)
    """The nodes that put the results of all steps after each other."""

    def split(self) -> Split:
        """Return the split, whose graph reads what is fed back from inputs."""
        steps = {node.name: step for node in self.graph.nodes if (step := self.step_of(node))}
        self.last = max(steps.values())
        self.stacks = {
            node.name
            for node in self.graph.nodes
            if node.op == STACK
            and steps.get(node.inputs[0].node, 0) < steps.get(node.inputs[-1].node, 0)
        }
        first = {name for name, step in steps.items() if step == 1}
        repeated = {name for name in first if self.in_step(name, 2) in steps}
        if not repeated:
            node = self.graph.by_name[next(iter(first))]
            hint = "derive it from a recipe whose loop has two steps or more"
            raise GraphMistake(CODE, node.path, "a loop of one step feeds nothing back", hint)
        for name in repeated:
            self.find_fed(self.graph.by_name[name], steps)
        block = steps.keys() - (first - repeated)
        nodes = self.graph.nodes
        if self.one_step:
            # What is read of the last step alone has no node in the first.
            ends = {
                node.name
                for node in nodes
                if steps.get(node.name) == self.last
                and not (node.loop and node.loop.prepares)
                and self.shown(Port(node.name)).node not in first
            }
            kept = [node for node in nodes if steps.get(node.name, 1) == 1 or node.name in ends]
            nodes = tuple(replace(node, name=self.shown(Port(node.name)).node) for node in kept)
            renamed = {self.shown(Port(name)).node for name in ends}
            steps |= dict.fromkeys(renamed, 1)
            block = repeated | renamed
        nodes = tuple(self.changed(node, steps) for node in nodes)
        graph = replace(
            self.graph,
            inputs={**self.graph.inputs, **{fed.name: fed.tensor for fed in self.fed.values()}},
            nodes=nodes,
            outputs={name: self.shown(port) for name, port in self.graph.outputs.items()},
            feedback={},
        )
        return self.of_graph(graph, frozenset(block))

    def step_of(self, node: Node) -> int | None:
        """Return the step of the loop that a node belongs to, also as a part of a loop inside."""
        outer = node.loop.levels[0] if node.loop else None
        return outer.step if outer and outer.layer == self.name else None

    def in_step(self, name: str, step: int) -> str:
        """Return the name that a node of the first step has in another one."""
        return f"{self.name}_{step}_{name.removeprefix(f'{self.name}_1_')}"

    def shown(self, port: Port) -> Port:
        """Return the port in the graph of the split: with one step, that of the first."""
        last = f"{self.name}_{self.last}_"
        if not self.one_step or not port.node.startswith(last):
            return port
        return replace(port, node=f"{self.name}_1_{port.node.removeprefix(last)}")

    def find_fed(self, node: Node, steps: dict[str, int]) -> None:
        """Record what `node`, of the first step, reads of the step before in later ones."""
        before = dict(reads_by_place(node))
        later = self.graph.by_name[self.in_step(node.name, 2)]
        for place, port in reads_by_place(later):
            source = self.graph.by_name.get(port.node)
            if source is None or source.name not in steps:
                continue
            then = port
            if steps[source.name] == 2:
                if source.loop is None or not source.loop.prepares:
                    continue
                then = self.fed_to(source.loop.prepares)  # mixed with the truth in training
            pair = before.get(place), then
            if pair not in self.fed:
                self.fed[pair] = self.fed_input(node, place, pair[0], then)
            self.replaced[node.name, place] = self.fed[pair].name

    def fed_to(self, key: str) -> Port:
        """Return the port of the first step that is fed back to an input of the block."""
        pairs = ((path[-1], then) for path, (_, then) in self.graph.feedback.items())
        own = f"{self.name}_1_"
        return next(then for name, then in pairs if name == key and then.node.startswith(own))

    def fed_input(self, node: Node, place: int | str, first: Port | None, then: Port) -> Fed:
        spec = self.graph.specs[then]
        if is_half(spec.dtype):
            spec = TensorSpec(spec.shape, "float32")
        keys = [path[-1] for path, pair in self.graph.feedback.items() if pair == (first, then)]
        part = f"{node.name.removeprefix(f'{self.name}_1_')}_{place}"
        name = f"{self.name}_{keys[0] if keys else part}"
        if not self.one_step:
            then = replace(then, node=self.in_step(then.node, self.last))
        return Fed(GraphInput(name, spec, self.path, made=True), first, then)

    def changed(self, node: Node, steps: dict[str, int]) -> Node:
        """Return a node that reads what is fed back from inputs and, with one step, that step."""
        inputs = [self.shown(port) for port in node.inputs]
        for place in range(len(inputs)):
            if (node.name, place) in self.replaced:
                inputs[place] = Port(self.replaced[node.name, place])
        recurrence = node.recurrence
        if recurrence:
            states = tuple(
                self.changed_state(node.name, state)
                for state in recurrence.states or _zeros(recurrence)
            )
            given = any(state.source for state in states)
            recurrence = replace(recurrence, states=states if given else ())
        node = replace(node, inputs=tuple(inputs), recurrence=recurrence)
        if not self.one_step:
            return node
        if node.name in self.stacks:
            mask = next(iter(node.output_masks.values()), None)
            if mask and mask.kind == "joined":
                mask = mask.parts[0][1]
            return replace(
                node, inputs=node.inputs[:1], output_masks={OUTPUT: mask} if mask else {}
            )
        if node.name not in steps or node.loop is None or node.loop.layer != self.name:
            return node
        if node.op == STEP:
            node = replace(node, arguments={"index": 0, "steps": 1})
        return replace(
            node,
            mask=_whole(node.mask),
            input_masks=tuple(map(_whole, node.input_masks)),
            output_masks={o: w for o, mask in node.output_masks.items() if (w := _whole(mask))},
        )

    def changed_state(self, node: str, state: StateSpec) -> StateSpec:
        name = self.replaced.get((node, state.slot))
        if name is not None:
            return replace(state, source=Port(name), label=f"input {name}")
        return replace(state, source=state.source and self.shown(state.source))

    def of_graph(self, graph: Graph, block: frozenset[str]) -> Split:
        axes = find_axes(graph)
        own = {axes.of_port[port] for port in self.sequences(graph, block) if port in axes.of_port}
        of_port = {port: self.name if axis in own else axis for port, axis in axes.of_port.items()}
        axes = Axes(of_port, axes.reads)
        fed = tuple(self.fed.values())
        wanted = [*graph.outputs.values(), *(each.then for each in fed)]
        needed = needed_names(graph, wanted)
        given = {each.name for each in fed}
        inputs = [name for name in axes.inputs(self.name, graph) if name not in given]
        steps = tuple(name for name in inputs if name in needed)
        later: set[str] = set()
        for node in graph.nodes:
            read = {port.node for port in computed_from(node)}
            if node.name in needed and (node.name in block or read & (later | set(steps))):
                later.add(node.name)
        block |= {n.name for n in graph.nodes if n.op == STACK and n.inputs[0].node in block}
        split = Split(graph, axes, self.name, steps, frozenset(later), block, fed)
        self.check(split)
        return split

    def sequences(self, graph: Graph, block: frozenset[str]) -> Iterator[Port]:
        """Yield what the loop reads step by step, and the results of all steps."""
        for node in graph.nodes:
            if node.op == STEP and node.name in block and node.loop:
                if node.loop.layer == self.name:
                    yield node.inputs[0]
            elif node.name in self.stacks:
                yield Port(node.name)

    def check(self, split: Split) -> None:
        """Check that the sequences come from inputs, and the first values from before the loop."""
        for node in split.graph.nodes:
            if node.op != STEP or node.name not in split.block or not node.loop:
                continue
            port = node.inputs[0]
            if node.loop.layer == self.name and split.is_early(port):
                raise GraphMistake(
                    CODE,
                    node.path,
                    f"the loop reads the steps of '{port}', all known before its first",
                    "read the steps of an input under `each:`",
                )
        for fed in split.fed:
            if fed.first and not split.is_early(fed.first):
                raise GraphMistake(
                    CODE,
                    self.graph.by_name[fed.then.node].path,
                    f"'{fed.first}', which the loop begins with, reads the steps of the loop",
                    "begin with what is known before the first step",
                )


def _zeros(recurrence: Recurrence) -> tuple[StateSpec, ...]:
    return tuple(StateSpec(slot, None, "zeros") for slot in state_outputs(recurrence))


def _whole(mask: MaskSpec | None) -> MaskSpec | None:
    """Return the mask of all steps that `mask` is one of; in a step, that of its only one."""
    return mask.parts[0][1] if mask and mask.kind == "step" else mask
