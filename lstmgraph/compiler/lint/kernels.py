"""Recurrent layers that run on a slower kernel than they could."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.graph import SEQUENCE
from lstmgraph.compiler.lint.recurrence import UNBOUNDED, is_gate
from lstmgraph.compiler.passes.kernels import cudnn_obstacles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.compiler.graph import MaskSpec, Node
    from lstmgraph.compiler.lint.checked import Checked

ARGUMENTS = frozenset(
    {"activation", "recurrent_activation", "recurrent_dropout", "reset_after", "use_bias"}
)
"""What keeps a layer from cuDNN by one small word; an `unroll` says itself what it is for."""

MOST_STEPS = 100
"""Steps that are unrolled without a word. Keras lays out each as operations of its own: the first
epoch of a small LSTM took 8 s for 100 steps, 61 s for 500, and with the loop 2 s (2 CPU cores)."""


def check_cudnn(checked: Checked) -> None:
    """W701: an argument keeps a layer from cuDNN, where ``kernel: auto`` would take it.

    Source: ``keras/src/backend/tensorflow/rnn.py``, ``cudnn_ok``.
    """
    used = checked.graph.used_ports()
    for node in _free_to_choose(checked):
        for argument, reason in cudnn_obstacles(node, used):
            if argument not in ARGUMENTS or _is_said_elsewhere(node, argument):
                continue
            checked.document.warn(
                "W701",
                (*node.path, argument),
                f"'{node.layer}' cannot run on cuDNN: {reason}",
                hint="leave it out, or write `kernel: standard` under `runtime:` where Keras's "
                "loop, slower on a GPU, is meant",
            )
            break


def check_unrolled(checked: Checked) -> None:
    """W702: very many steps laid out one by one."""
    for node in checked.graph.nodes:
        kernel = node.recurrence.kernel if node.recurrence else None
        if kernel is None or kernel.name != "unrolled":
            continue
        steps = node.outputs[SEQUENCE].shape[1]
        if isinstance(steps, int) and steps > MOST_STEPS:
            checked.document.warn(
                "W702",
                (*node.path, "unroll") if node.arguments["unroll"] else ("runtime", "kernel"),
                f"'{node.layer}' is unrolled over {steps} steps: the model is built and traced "
                "step by step, which takes long",
                hint="leave it to `kernel: auto`; unrolling is for short sequences",
            )


def check_left_padding(checked: Checked) -> None:
    """W503: padding on the left keeps from cuDNN what could be padded on the right."""
    told: set[MaskSpec] = set()
    for node in _free_to_choose(checked):
        if node.mask is None or node.mask.padding != "left" or node.mask in told:
            continue
        told.add(node.mask)  # the layers after it inherit the mask: that is one mistake
        checked.document.warn(
            "W503",
            (*node.path, "mask", "padding"),
            f"'{node.layer}' reads steps that are padded on the left, and cuDNN takes padding on "
            "the right only",
            hint="pad on the right (Keras's `pad_sequences` with `padding='post'`) and write "
            "`padding: right`, or write `kernel: standard` under `runtime:`",
        )


def _free_to_choose(checked: Checked) -> Iterator[Node]:
    """Layers that would run on cuDNN on a GPU, but for something about them."""
    runtime = checked.recipe.runtime
    if runtime.kernel != "auto" or runtime.xla is True or runtime.device == "cpu":
        return
    for node in checked.graph.nodes:
        if node.op in ("LSTM", "GRU") and not node.arguments["unroll"]:
            yield node


def _is_said_elsewhere(node: Node, argument: str) -> bool:
    """Whether W405 or W406 says that the activation itself is wrong."""
    written = node.arguments.get(argument)
    if argument == "activation":
        return written in UNBOUNDED
    return argument == "recurrent_activation" and not is_gate(written)
