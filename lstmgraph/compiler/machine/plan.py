"""What the settings of ``runtime:`` do on a machine, and why; decided without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from lstmgraph.compiler.machine.obstacles import kernel_on, obstacles
from lstmgraph.messages.wording import listed

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph, Node, Recurrence
    from lstmgraph.compiler.machine.machine import Machine
    from lstmgraph.language.declaration.recipe import Runtime

MANY_UNITS = 256
FEW_ROWS = 32
"""On a CPU XLA multiplies large matrices slower than TensorFlow: with more units than these and
more rows, `predict` took up to 2.4 of its time with XLA, and else 0.1 to 1.0 (2 cores, LSTM and
GRU, 128 to 512 units, 4 to 256 rows)."""


@dataclass(frozen=True)
class RuntimeRow:
    """A setting, and what it does here; `effect` is empty where it does nothing."""

    key: str
    value: str | int | bool | None
    effect: str


@dataclass(frozen=True)
class XlaChoice:
    """What is compiled with XLA, and why."""

    predict: bool
    """Whether `predict` alone is: all of the model is where Keras's own ``jit_compile`` says so."""
    reason: str
    most_rows: int | None = None
    """Batches of more rows are predicted without XLA; None where all are compiled."""


def explain_runtime(runtime: Runtime, graph: Graph, machine: Machine) -> list[RuntimeRow]:
    """Every setting, in the order of the schema, with what it does on `machine`."""
    effects = {
        "dtype_policy": _dtype_policy(graph),
        "kernel": _kernel(graph, machine),
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
    """What ``xla:`` compiles on `machine`."""
    if runtime.xla != "auto":
        off = "off" if machine.backend != "jax" else "off: JAX runs each operation by itself"
        each = "compiled for every new shape of a batch" if runtime.xla else off
        return XlaChoice(predict=False, reason=each)
    if machine.backend != "tensorflow":
        return XlaChoice(predict=False, reason=f"{machine.backend} compiles as it always does")
    off = _why_no_xla(runtime, graph, machine)
    if off:
        return XlaChoice(predict=False, reason=f"off: {off}")
    if machine.gpus and runtime.device != "cpu":
        return XlaChoice(predict=False, reason="on, as Keras chooses on a GPU")
    wide = any(recurrence.units > MANY_UNITS for _, recurrence in _recurrent(graph))
    batches = f"size up to {FEW_ROWS} rows" if wide else "size"
    return XlaChoice(
        predict=True,
        reason=f"`predict` is compiled, once for each batch {batches}; `fit` gains nothing by it",
        most_rows=FEW_ROWS if wide else None,
    )


def _why_no_xla(runtime: Runtime, graph: Graph, machine: Machine) -> str:
    """Why ``xla: auto`` compiles nothing; empty where it does.

    On a CPU `predict` gains with XLA, and `fit` does not always (benchmarks/); XLA compiles for a
    second or so for every new shape.
    """
    if runtime.strategy == "mirrored":
        return "`strategy: mirrored`"
    if runtime.deterministic:
        return "`deterministic: true`"
    kernels = [kernel for kernel in _kernels(graph).values() if kernel]
    if machine.gpus and runtime.device != "cpu":
        return "XLA cannot compile cuDNN" if "cudnn" in kernels else ""
    if not kernels:
        return "no recurrent call would gain by it"
    if "unrolled" in kernels:
        return "an unrolled loop would compile for long"
    open_sizes = {
        str(size)
        for tensor in graph.inputs.values()
        for size in tensor.spec.shape[1:]
        if not isinstance(size, int)
    }
    if open_sizes:
        names = listed([f"`{name}`" for name in sorted(open_sizes)])
        return f"{names} would be compiled anew for every size"
    return ""


def _kernels(graph: Graph) -> dict[str, str]:
    """The kernel of each recurrent call by name."""
    return {
        node.name: recurrence.kernel.name
        for node, recurrence in _recurrent(graph)
        if recurrence.kernel
    }


def _recurrent(graph: Graph) -> list[tuple[Node, Recurrence]]:
    return [(node, node.recurrence) for node in graph.nodes if node.recurrence]


def _kernel(graph: Graph, machine: Machine) -> str:
    found = {node.name: kernel_on(node, machine.backend) for node, _ in _recurrent(graph)}
    kernels = {name: kernel.name for name, kernel in found.items() if kernel}
    by_cudnn = [name for name, kernel in kernels.items() if kernel == "cudnn"]
    if not kernels:
        return ""
    if machine.gpus and by_cudnn:
        rest = "" if len(by_cudnn) == len(kernels) else "; the other recurrent calls do not"
        condition = (
            "" if machine.backend == "tensorflow" else f", where {machine.backend} sees the GPU"
        )
        return f"{listed(by_cudnn)} run{'s' * (len(by_cudnn) == 1)} on cuDNN{rest}{condition}"
    if by_cudnn:
        return "without a GPU Keras's loop runs every call"
    loops = {"standard": "Keras's loop", "unrolled": "an unrolled loop"}
    return f"{listed([loops[kernel] for kernel in sorted(set(kernels.values()))])} on any machine"


def _dtype_policy(graph: Graph) -> str:
    policies = {node.dtype_policy for node in graph.nodes if node.is_layer}
    if "mixed_float16" in policies:
        return "weights stay in float32; in training the loss is scaled"
    return "weights stay in float32" if "mixed_bfloat16" in policies else ""


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
        return "one copy of the model: there are no GPUs to share a batch out among"
    return f"a copy of the model on each of {machine.gpus} GPUs, which share every batch out"


def _plain_effects(runtime: Runtime, machine: Machine) -> dict[str, str]:
    """Of settings that do the same everywhere; those of a GPU's memory do nothing without one."""
    on_gpus = "" if machine.gpus else "; there is no GPU here"
    effects = {
        "memory_growth": f"GPU memory is taken as it is needed{on_gpus}"
        if runtime.memory_growth
        else "",
        "memory_limit_mb": f"{runtime.memory_limit_mb} MiB of each GPU may be taken{on_gpus}",
        "threads": f"{runtime.threads} inside an operation, {runtime.threads} operations at once",
        "deterministic": f"deterministic operations, all global seeds set to {runtime.seed}",
        "seed": "initial weights and dropout of every layer follow from it",
        "batch_size": f"every batch has {runtime.batch_size} rows",
    }
    values = {key: getattr(runtime, key) for key in effects}
    return {key: effects[key] for key, v in values.items() if v is not None and v is not False}
