"""Decide which kernel runs each recurrent call on a machine, in training and in prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.compiler.machine.fused import fused_nodes, runs_one_step
from lstmgraph.compiler.machine.obstacles import kernel_on
from lstmgraph.compiler.machine.plan import XlaChoice, choose_xla
from lstmgraph.compiler.passes.fused import fused_obstacle

if TYPE_CHECKING:
    from collections.abc import Collection

    from lstmgraph.compiler.graph import Graph, Kernel, Node
    from lstmgraph.compiler.machine.machine import Machine
    from lstmgraph.language.declaration.recipe import Runtime

SINGLE_STEP = "single step"
"""The kernel of a call on one step (``models/building/single_steps.py``)."""


@dataclass(frozen=True)
class KernelUse:
    """The kernels of a recurrent call on a machine, and why these.

    Each is ``cudnn``, ``fused``, ``standard`` (Keras's loop), ``unrolled`` or ``single step``.
    """

    training: str
    """That of `train` and `tune`, as far as XLA pays there; otherwise Keras's loop."""
    prediction: str
    reason: str


def kernel_uses(runtime: Runtime, graph: Graph, machine: Machine) -> dict[str, KernelUse]:
    """Return the kernels of the recurrent calls of `graph` on `machine`, by the call's name."""
    fused = fused_nodes(runtime, graph, machine)
    choice = choose_xla(runtime, graph, machine)
    planned = [(node, kernel_on(node, machine.backend)) for node in graph.nodes]
    return {
        node.name: _use(node, kernel, runtime, graph, machine, fused, choice)
        for node, kernel in planned
        if kernel is not None
    }


def _use(  # noqa: PLR0913, PLR0917 - what decides
    node: Node,
    planned: Kernel,
    runtime: Runtime,
    graph: Graph,
    machine: Machine,
    fused: Collection[str],
    choice: XlaChoice,
) -> KernelUse:
    has_gpu = bool(machine.gpus) and runtime.device != "cpu"
    is_by_keras = planned.name == "unrolled" or (planned.name == "cudnn" and has_gpu)
    if machine.backend != "tensorflow" and planned.name == "cudnn" and not has_gpu:
        return _alike("standard", f"there is no GPU ({machine.no_gpu_because})")
    if machine.backend != "tensorflow" or is_by_keras or graph.kernel_choice == "cudnn":
        return _alike(planned.name, planned.reason)
    if runs_one_step(graph, node):
        return _alike(SINGLE_STEP, "one step needs no loop")
    if has_gpu or graph.kernel_choice == "standard":
        return _alike(planned.name, planned.reason)
    if node.name not in fused:
        obstacle = fused_obstacle(node)
        return _alike("standard", obstacle[1] if obstacle else f"`strategy: {runtime.strategy}`")
    if graph.kernel_choice == "fused":
        return _alike("fused", planned.reason)
    if runtime.xla is True:
        return _alike("fused", "`xla: true`: XLA compiles it")
    if not choice.fit:
        return _alike("standard", f"XLA is {choice.reason}")
    if choice.predict:
        return _alike("fused", "XLA compiles `predict`, and where it pays `train` and `tune`")
    return KernelUse(
        "fused",
        "standard",
        f"XLA compiles `train` and `tune` where it pays; not `predict`: {choice.not_predict}",
    )


def _alike(kernel: str, reason: str) -> KernelUse:
    return KernelUse(kernel, kernel, reason)
