"""Loops as the graph has them, written out as calls of the same layers: step 1, step 2, ..."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import lstmgraph
from lstmgraph.compiler import compile as compiling
from lstmgraph.compiler.graph import FULL, STACK, STEP
from lstmgraph.language.declaration.blocks import LoopStep
from lstmgraph.language.declaration.recipe import Reference

if TYPE_CHECKING:
    import pytest

    from lstmgraph.compiler.graph import Graph, Port

Data = dict[str, Any]
LOOP = "looped"


@dataclass
class Loop:
    """A block that is repeated, and the recipe around it."""

    inputs: Data
    block: Data
    """The layers of a step, which read names of the block's inputs, of each other, and others."""
    outputs: dict[str, str]
    """The results of each step, which are put after each other."""
    steps: int
    before: Data = field(default_factory=dict)
    each: dict[str, str] = field(default_factory=dict)
    """The sequences of which a step reads one step, by the name of the block's input."""
    feedback: dict[str, tuple[str, str]] = field(default_factory=dict)
    """What an input of the block is in the first step, and what later."""
    full: dict[str, tuple[str, list[int], float]] = field(default_factory=dict)
    """Tensors with one value: the tensor that gives the rows, the shape and the value."""
    after: Data = field(default_factory=dict)
    forms: Data = field(default_factory=dict)
    """The mask and the initial state of the calls of a layer, where they name a tensor."""
    rest: Data = field(default_factory=dict)


def load_loop(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> lstmgraph.Recipe:
    """The recipe of the loop, whose graph is as that of ``loop:``."""
    written = _Written(loop)
    expand = compiling.expand
    with monkeypatch.context() as patch:
        patch.setattr(compiling, "expand", lambda *parts: written.looped(expand(*parts)))
        return lstmgraph.load(json.dumps(written.recipe()))


class _Written:
    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.operations: dict[str, tuple[str, Data]] = {}
        self.steps: dict[str, int] = {}

    def recipe(self) -> Data:
        loop = self.loop
        layers = dict(loop.before)
        for name, (source, shape, value) in loop.full.items():
            layers[name] = {"type": "identity", "input": source}
            self.operations[name] = FULL, {"shape": shape, "value": value}
        for step in range(1, loop.steps + 1):
            layers |= self.step(step)
        for name, source in loop.outputs.items():
            results = [self.at(source, step) for step in range(1, loop.steps + 1)]
            layers[name] = {"type": "add", "input": [*results] * (2 if len(results) == 1 else 1)}
            self.operations[name] = STACK, {}
        layers |= loop.after
        outputs = loop.rest.get("outputs", {f"of_{name}": name for name in loop.outputs})
        whole = {"inputs": loop.inputs, "layers": layers, **loop.rest, "outputs": outputs}
        return {"recipe": 1, "name": "loop", **whole}

    def step(self, step: int) -> Data:
        loop, made = self.loop, {}
        for name, source in loop.each.items():
            own = self.at(name, step)
            made[own] = {"type": "identity", "input": source}
            self.operations[own] = STEP, {"index": step - 1, "steps": loop.steps}
            self.steps[own] = step
        for name, layer in loop.block.items():
            own = self.at(name, step)
            self.steps[own] = step
            read = {"input": layer["input"]}
            if step == 1:
                read = layer
            else:
                forms = {key: layer[key] for key in ("mask", "initial_state") if key in layer}
                read = {"call": name, "input": layer["input"], **forms}
            texts = ("input", "mask", "initial_state")
            made[own] = {
                key: self.renamed(value, step) if key in texts else value
                for key, value in read.items()
            }
        return made

    def at(self, name: str, step: int) -> str:
        """The name of a tensor of the block in a step."""
        layer, dot, port = name.partition(".")
        if layer in self.loop.feedback:
            first, later = self.loop.feedback[layer]
            of_step = self.at(later, step - 1) if step > 1 else first
            return of_step if not dot else f"{of_step}{dot}{port}"
        if layer in self.loop.each or (layer in self.loop.block and step > 1):
            layer = f"{layer}_{step}"
        return f"{layer}{dot}{port}"

    def renamed(self, value: Any, step: int) -> Any:
        if isinstance(value, dict):
            return {key: self.renamed(own, step) for key, own in value.items()}
        if isinstance(value, list):
            return [self.renamed(own, step) for own in value]
        return self.at(value, step) if isinstance(value, str) else value

    def looped(self, graph: Graph) -> Graph:
        nodes = []
        for node in graph.nodes:
            step = self.steps.get(node.layer)
            node = replace(node, loop=LoopStep(LOOP, step, self.loop.steps) if step else None)  # noqa: PLW2901
            if node.name in self.operations:
                op, arguments = self.operations[node.name]
                inputs = node.inputs[:1] if op == STACK and self.loop.steps == 1 else node.inputs
                node = replace(node, op=op, arguments=arguments, inputs=inputs)  # noqa: PLW2901
            nodes.append(node)
        graph = replace(graph, nodes=tuple(nodes))
        feedback = {
            ("layers", _layer(later)): (_port(graph, first), _port(graph, later))
            for first, later in self.loop.feedback.values()
        }
        return replace(graph, feedback=feedback)


def _layer(name: str) -> str:
    return name.partition(".")[0]


def _port(graph: Graph, name: str) -> Port:
    layer, _, port = name.partition(".")
    return graph.primary_or_port(Reference(layer, port, ()))
