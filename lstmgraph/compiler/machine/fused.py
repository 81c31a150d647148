"""Where recurrent layers run on the fused loop, from what was measured.

Measured on 2 cores with TensorFlow 2.21 (``benchmarks/kernels.py``): compiled by XLA, a training
step takes 0.15 to 0.85 of one with Keras's loop, and about as long from 256 rows of 128 units on;
without XLA it can take 1.4 times as long. So `auto` uses it only in what XLA compiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.passes.fused import fused_obstacle

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph, Node
    from lstmgraph.compiler.machine.machine import Machine
    from lstmgraph.language.declaration.recipe import Runtime

CHOICES = frozenset({"auto", "fused"})


def runs_fused(runtime: Runtime, graph: Graph, machine: Machine) -> bool:
    """Return whether layers of `graph` run on the fused loop on `machine`, where they can.

    With `auto`, they do so in what XLA compiles, and elsewhere on Keras's loop.
    """
    return graph.kernel_choice in CHOICES and runs_on_cpu(runtime, machine)


def runs_on_cpu(runtime: Runtime, machine: Machine) -> bool:
    """Return whether TensorFlow runs a model on the CPU, in one copy."""
    on_cpu = not machine.gpus or runtime.device == "cpu"
    return machine.backend == "tensorflow" and on_cpu and runtime.strategy == "none"


def fused_nodes(runtime: Runtime, graph: Graph, machine: Machine) -> list[str]:
    """Return the recurrent nodes that run on the fused loop, with `auto` where XLA compiles it."""
    if not runs_fused(runtime, graph, machine):
        return []
    recurrent = (node for node in graph.nodes if node.recurrence)
    return [node.name for node in recurrent if fused_obstacle(node) is None]


def runs_one_step(graph: Graph, node: Node) -> bool:
    """Return whether a recurrent call has one step, which needs no loop."""
    return bool(node.inputs) and graph.specs[node.inputs[0]].shape[1] == 1
