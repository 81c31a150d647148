"""Decide what the settings of ``runtime:`` do on a machine, and why, without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.vocabularies import tensorflow_only, unchecked_ids
from lstmgraph.compiler.machine.fused import fused_nodes, runs_one_step
from lstmgraph.compiler.machine.obstacles import kernel_on, obstacles
from lstmgraph.compiler.passes.fused import fused_obstacle
from lstmgraph.messages.wording import listed

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph, Node, Recurrence
    from lstmgraph.compiler.machine.machine import Machine
    from lstmgraph.language.declaration.recipe import Runtime

MANY_UNITS = 256
FEW_ROWS = 32
"""On a CPU, XLA multiplies large matrices more slowly than TensorFlow. With more units and rows
than these, `predict` with XLA took up to 2.4 times as long; otherwise 0.1 to 1.0 times as long
(2 cores, LSTM and GRU, 128 to 512 units, 4 to 256 rows)."""

TRAINING = "`train` and `tune` compile `fit` and `evaluate` where it pays"


@dataclass(frozen=True)
class RuntimeRow:
    """A setting and its effect here; `effect` is empty if it has none."""

    key: str
    value: str | int | bool | None
    effect: str


@dataclass(frozen=True)
class XlaChoice:
    """What is compiled with XLA, and the reason."""

    predict: bool
    """Whether `predict` is compiled by itself; Keras's ``jit_compile`` compiles the whole model."""
    reason: str
    fit: bool = False
    """Whether a training compiles its steps where `fitting.py` finds that it pays."""
    most_rows: int | None = None
    """The most rows of a batch that uses XLA; None for no limit."""
    not_predict: str = ""
    """Why not `predict`, where `fit` is compiled."""


def explain_runtime(runtime: Runtime, graph: Graph, machine: Machine) -> list[RuntimeRow]:
    """Return every setting, in the order of the schema, with its effect on `machine`."""
    effects = {
        "dtype_policy": _dtype_policy(graph),
        "kernel": _kernel(runtime, graph, machine),
        "xla": choose_xla(runtime, graph, machine).reason,
        "device": _device(runtime, machine),
        "strategy": _strategy(runtime, machine),
        **_plain_effects(runtime, machine),
    }
    effects |= {
        obstacle.key: f"cannot be built here: {obstacle.message}"
        for obstacle in reversed(obstacles(runtime, graph, machine))
    }
    return [
        RuntimeRow(key, getattr(runtime, key), effects.get(key, ""))
        for key in (field.name for field in fields(runtime))
    ]


def choose_xla(runtime: Runtime, graph: Graph, machine: Machine) -> XlaChoice:
    """Return what ``xla:`` compiles on `machine`."""
    if runtime.xla != "auto":
        off = "off" if machine.backend != "jax" else "off: JAX runs each operation by itself"
        reason = "compiled for every new batch shape" if runtime.xla else off
        return XlaChoice(predict=False, reason=reason)
    if machine.backend != "tensorflow":
        return XlaChoice(predict=False, reason=f"{machine.backend} compiles as it always does")
    off = _why_no_xla(runtime, graph, machine)
    if off:
        return XlaChoice(predict=False, reason=f"off: {off}")
    if machine.gpus and runtime.device != "cpu":
        return XlaChoice(predict=False, reason="on, as Keras chooses on a GPU")
    names = _open_sizes(graph)
    if names:
        again = f"every new size of {names} would be compiled again"
        reason = f"{TRAINING}; not `predict`: {again}"
        return XlaChoice(predict=False, reason=reason, fit=True, not_predict=again)
    wide = any(recurrence.units > MANY_UNITS for _, recurrence in _recurrent(graph))
    batches = f"size up to {FEW_ROWS} rows" if wide else "size"
    return XlaChoice(
        predict=True,
        reason=f"`predict` is compiled, once for each batch {batches}; {TRAINING}",
        fit=True,
        most_rows=FEW_ROWS if wide else None,
    )


def _why_no_xla(runtime: Runtime, graph: Graph, machine: Machine) -> str:
    """Return why ``xla: auto`` compiles nothing; "" if it compiles.

    On a CPU, `predict` is faster with XLA, but `fit` not always (benchmarks/), and XLA takes about
    a second to compile each new shape.
    """
    lookup = tensorflow_only(graph)
    if lookup is not None:
        return f"XLA cannot compile the table of '{lookup.layer}'"
    if runtime.strategy == "mirrored":
        return "`strategy: mirrored`"
    if runtime.deterministic:
        return "`deterministic: true`"
    kernels = [kernel for kernel in _kernels(graph).values() if kernel]
    if machine.gpus and runtime.device != "cpu":
        return "XLA cannot compile cuDNN" if "cudnn" in kernels else ""
    if not kernels:
        return "no recurrent layer would be faster"
    embedding = unchecked_ids(graph)
    if embedding is not None:
        return f"XLA would take ids that are not in the table of '{embedding.layer}' for others"
    if "unrolled" in kernels:
        return "an unrolled loop would take long to compile"
    return ""


def _open_sizes(graph: Graph) -> str:
    """Return the names of the inputs' sizes that only data decides; "" if there are none."""
    open_sizes = {
        str(size)
        for tensor in graph.inputs.values()
        for size in tensor.spec.shape[1:]
        if not isinstance(size, int)
    }
    return listed([f"`{name}`" for name in sorted(open_sizes)]) if open_sizes else ""


def _kernels(graph: Graph) -> dict[str, str]:
    """Return the kernel of each recurrent node, by name."""
    return {
        node.name: recurrence.kernel.name
        for node, recurrence in _recurrent(graph)
        if recurrence.kernel
    }


def _recurrent(graph: Graph) -> list[tuple[Node, Recurrence]]:
    return [(node, node.recurrence) for node in graph.nodes if node.recurrence]


def _kernel(runtime: Runtime, graph: Graph, machine: Machine) -> str:
    chosen = {node.name: kernel_on(node, machine.backend) for node, _ in _recurrent(graph)}
    kernels = {name: kernel.name for name, kernel in chosen.items() if kernel}
    by_cudnn = [name for name, kernel in kernels.items() if kernel == "cudnn"]
    if not kernels:
        return ""
    single = {node.name for node, _ in _recurrent(graph) if runs_one_step(graph, node)}
    fused = [name for name in fused_nodes(runtime, graph, machine) if name not in single]
    if fused:
        return _fused(runtime, graph, machine, fused)
    if machine.gpus and by_cudnn:
        rest = "" if len(by_cudnn) == len(kernels) else "; the other recurrent layers do not"
        condition = (
            "" if machine.backend == "tensorflow" else f", where {machine.backend} sees the GPU"
        )
        return f"{listed(by_cudnn)} run{'s' * (len(by_cudnn) == 1)} on cuDNN{rest}{condition}"
    if by_cudnn:
        return "Keras's loop runs every recurrent layer, as there is no GPU"
    loops = {
        "standard": "Keras's loop",
        "unrolled": "an unrolled loop",
        "fused": "the fused loop",
    }
    return f"{listed([loops[kernel] for kernel in sorted(set(kernels.values()))])} on any machine"


def _fused(runtime: Runtime, graph: Graph, machine: Machine, fused: list[str]) -> str:
    """Return what the fused loop runs, and why not the rest."""
    runs = f"the fused loop runs {listed(fused)}"
    others = [(node.name, fused_obstacle(node)) for node, _ in _recurrent(graph)]
    kept = [f"{name} ({found[1]})" for name, found in others if found]
    rest = f"; Keras's loop runs {listed(kept)}" if kept else ""
    if graph.kernel_choice == "fused":
        return runs
    choice = choose_xla(runtime, graph, machine)
    if choice.predict or choice.fit or runtime.xla is True:
        return f"{runs} in what XLA compiles, Keras's loop elsewhere{rest}"
    return f"Keras's loop runs every recurrent layer, as XLA is {choice.reason}"


def _dtype_policy(graph: Graph) -> str:
    policies = {node.dtype_policy for node in graph.nodes if node.is_layer}
    if "mixed_float16" in policies:
        return "weights stay float32; the loss is scaled in training"
    return "weights stay float32" if "mixed_bfloat16" in policies else ""


def _device(runtime: Runtime, machine: Machine) -> str:
    if machine.backend != "tensorflow":
        return f"{machine.backend} chooses"
    if runtime.device == "cpu":
        return "the CPU; GPUs are hidden from TensorFlow" if machine.gpus else "the CPU"
    if runtime.gpu_index is not None:
        return f"GPU {runtime.gpu_index}; others are hidden from TensorFlow"
    return "a GPU" if machine.gpus else f"the CPU: no GPU ({machine.no_gpu_because})"


def _strategy(runtime: Runtime, machine: Machine) -> str:
    if runtime.strategy == "none":
        return ""
    if machine.gpus < 2 or runtime.device != "auto":
        return "one copy of the model: there are no GPUs to split a batch over"
    return f"a copy of the model on each of {machine.gpus} GPUs, which split every batch"


def _plain_effects(runtime: Runtime, machine: Machine) -> dict[str, str]:
    """Return the effects of settings that are the same everywhere, or need only a GPU."""
    on_gpus = "" if machine.gpus else "; there is no GPU here"
    effects = {
        "memory_growth": f"GPU memory is allocated as needed{on_gpus}"
        if runtime.memory_growth
        else "",
        "memory_limit_mb": f"at most {runtime.memory_limit_mb} MiB of each GPU are used{on_gpus}",
        "threads": f"{runtime.threads} per operation, and {runtime.threads} operations at once",
        "deterministic": f"deterministic operations, all global seeds set to {runtime.seed}",
        "seed": "determines the initial weights and dropout of every layer",
        "batch_size": f"every batch has {runtime.batch_size} rows",
    }
    values = {key: getattr(runtime, key) for key in effects}
    return {key: effects[key] for key, v in values.items() if v is not None and v is not False}
