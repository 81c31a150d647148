"""Find what a recipe requires that a machine or Keras backend lacks, without TensorFlow.

This is the only place that knows the limits of other backends; docs/backends.md lists them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import SEQUENCE, Kernel, Port
from lstmgraph.keras_facts.layers.lookups import TENSORFLOW_ONLY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.compiler.graph import Graph, Node
    from lstmgraph.compiler.machine.machine import Machine
    from lstmgraph.language.declaration.recipe import Runtime
    from lstmgraph.messages.diagnostics import Path

TENSORFLOW_SETTINGS = ("memory_growth", "memory_limit_mb", "threads", "strategy", "device")
"""Settings that only TensorFlow has; other backends are set up by the environment."""
WIDE = frozenset({"float64", "int64", "uint64"})
"""Dtypes that JAX narrows to 32 bits. With ``JAX_ENABLE_X64``, Keras still narrows them in some
functions, such as tanh (``keras/src/backend/jax/numpy.py``)."""


@dataclass(frozen=True)
class Obstacle:
    """Why a correct recipe cannot be built here. `key` is the setting that it concerns."""

    code: str
    key: str
    path: Path
    message: str
    hint: str


def obstacles(runtime: Runtime, graph: Graph, machine: Machine) -> list[Obstacle]:
    """Return what the recipe requires that `machine` lacks."""
    if machine.backend == "tensorflow":
        return list(_missing_gpus(runtime, machine))
    missing = [*_tensorflow_settings(runtime, machine), *_lookups(graph, machine)]
    if machine.backend == "jax":
        missing += [*_narrowed(runtime, graph), *_different_results(graph)]
    return missing


def kernel_on(node: Node, backend: str) -> Kernel | None:
    """Return the kernel of a recurrent node on a Keras backend; None if the node has none.

    On JAX, Keras uses cuDNN only for LSTMs without a mask (``keras/src/backend/jax/rnn.py``).
    """
    kernel = node.recurrence.kernel if node.recurrence else None
    if backend == "tensorflow" or kernel is None or kernel.name != "cudnn":
        return kernel
    if backend == "jax" and node.op == "LSTM" and node.mask is None:
        return kernel
    what = "masked calls" if node.mask else f"{node.op}s"
    return Kernel("standard", f"on {backend}, Keras's loop runs {what}")


def _missing_gpus(runtime: Runtime, machine: Machine) -> Iterator[Obstacle]:
    if runtime.device.startswith("gpu") and (runtime.gpu_index or 0) >= machine.gpus:
        yield _no_gpu("device", f"`device: {runtime.device}`", machine)
    if runtime.kernel == "cudnn" and (not machine.gpus or runtime.device == "cpu"):
        yield _no_gpu("kernel", "`kernel: cudnn`", machine)
    if runtime.kernel == "fused" and (machine.gpus and runtime.device != "cpu"):
        message = "`kernel: fused` is for CPUs, and there is a GPU"
        hint = "write `kernel: auto`, which uses cuDNN on a GPU, or add `device: cpu`"
        yield Obstacle("L771", "kernel", ("runtime", "kernel"), message, hint)


def _no_gpu(key: str, what: str, machine: Machine) -> Obstacle:
    there = {0: f"there is no GPU ({machine.no_gpu_because})", 1: "there is one GPU, `gpu:0`"}
    several = f"there are {machine.gpus} GPUs, the last `gpu:{machine.gpus - 1}`"
    reason = there.get(machine.gpus, several)
    if key == "kernel" and machine.gpus:
        reason = "`device: cpu` hides all GPUs"
    message = f"{what} needs a GPU: {reason}"
    return Obstacle("L762", key, ("runtime", key), message, f"write `{key}: auto`")


def _tensorflow_settings(runtime: Runtime, machine: Machine) -> Iterator[Obstacle]:
    elsewhere = f"here Keras runs on {machine.backend}"
    for key in TENSORFLOW_SETTINGS:
        if getattr(runtime, key) not in {None, "auto", "none", False}:
            message = f"`{key}` works only with TensorFlow, but {elsewhere}"
            hint = f"leave `{key}` out, or run with KERAS_BACKEND=tensorflow"
            yield Obstacle("L763", key, ("runtime", key), message, hint)
    if runtime.kernel in {"cudnn", "fused"}:
        message = f"`kernel: {runtime.kernel}` works only with TensorFlow, but {elsewhere}"
        hint = "write `kernel: auto`, or run with KERAS_BACKEND=tensorflow"
        yield Obstacle("L763", "kernel", ("runtime", "kernel"), message, hint)
    if runtime.deterministic and machine.gpus:
        message = f"on a GPU, `deterministic` works only with TensorFlow, but {elsewhere}"
        hint = "leave it out, or run on the CPU (for JAX: JAX_PLATFORMS=cpu)"
        yield Obstacle("L763", "deterministic", ("runtime", "deterministic"), message, hint)


def _lookups(graph: Graph, machine: Machine) -> Iterator[Obstacle]:
    """Yield the layers that look values up in TensorFlow's tables."""
    for node in graph.nodes:
        if node.op in TENSORFLOW_ONLY:
            message = f"'{node.layer}' works only with TensorFlow, but Keras runs here on "
            hint = "feed ids instead of texts, or run with KERAS_BACKEND=tensorflow"
            path = (*node.path, "type") if len(node.path) == 2 else node.path
            yield Obstacle("L888", "device", path, f"{message}{machine.backend}", hint)


def _narrowed(runtime: Runtime, graph: Graph) -> Iterator[Obstacle]:
    """Yield the 64-bit dtypes, each where the recipe asks for it."""
    for tensor in graph.inputs.values():
        if tensor.spec.dtype in WIDE and not (tensor.made or runtime.dtype_policy == "float64"):
            yield _narrow((*tensor.path, "dtype"), f"'{tensor.name}'", tensor.spec.dtype)
    if runtime.dtype_policy == "float64":
        yield _narrow(("runtime", "dtype_policy"), "the recipe", "float64")
        return
    for node in graph.nodes:
        wide = {spec.dtype for spec in node.outputs.values()} & WIDE
        if wide and not {graph.specs[port].dtype for port in node.inputs} & WIDE:
            yield _narrow((*node.path, "dtype_policy"), f"'{node.name}'", min(wide))


def _narrow(path: Path, what: str, dtype: str) -> Obstacle:
    message = f"{what} is {dtype}, but on jax Keras computes in 32 bits"
    hint = "use a 32-bit dtype, or run with KERAS_BACKEND=tensorflow"
    return Obstacle("L765", "dtype_policy", path, message, hint)


def _different_results(graph: Graph) -> Iterator[Obstacle]:
    """Yield the nodes for which Keras's loop on JAX gives other results than on TensorFlow.

    ``keras/src/backend/jax/rnn.py``: the unrolled loop ignores ``zero_output_for_mask``, and the
    other loop holds the initial state instead of zeros before the first step that counts.
    """
    used = graph.used_ports()
    for node in graph.nodes:
        recurrence = node.recurrence
        if recurrence is None or node.mask is None or Port(node.name, SEQUENCE) not in used:
            continue
        unrolled = recurrence.kernel is not None and recurrence.kernel.name == "unrolled"
        holds = recurrence.padded_output == "hold"
        if unrolled and not holds:
            yield _different_result(
                node,
                "unroll",
                "the unrolled loop repeats the last output at padded steps, instead of 0",
                "use another kernel",
            )
        elif holds and not unrolled and (recurrence.states or recurrence.carried):
            yield _different_result(
                node,
                "padded_output",
                "padded steps before the first real one hold the initial state, instead of 0",
                "write `padded_output: zero`",
            )


def _different_result(node: Node, argument: str, message: str, hint: str) -> Obstacle:
    return Obstacle(
        "L766",
        "kernel",
        (*node.path, argument),
        f"on jax Keras computes '{node.name}' differently: {message}",
        f"{hint}, or run with KERAS_BACKEND=tensorflow",
    )
