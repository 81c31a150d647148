"""Warn of recurrent layers that run on a slower kernel than they could."""

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
"""Arguments that keep a layer from cuDNN, probably unintentionally (unlike `unroll`)."""

MOST_STEPS = 100
"""The most steps that are unrolled without a warning. Keras adds operations for each step: the
first epoch of a small LSTM took 8 s for 100 steps, 61 s for 500, and 2 s with the loop (2 CPUs)."""


def check_cudnn(checked: Checked) -> None:
    """Warn (W701) of an argument that keeps a layer from cuDNN with ``kernel: auto``.

    Source: ``keras/src/backend/tensorflow/rnn.py``, ``cudnn_ok``.
    """
    used = checked.graph.used_ports()
    for node in _free_to_choose(checked):
        for argument, reason in cudnn_obstacles(node, used):
            if argument not in ARGUMENTS or _has_other_warning(node, argument):
                continue
            checked.document.warn(
                "W701",
                (*node.path, argument),
                f"'{node.weights_layer}' cannot run on cuDNN: {reason}",
                hint="leave it out, or write `kernel: standard` under `runtime:` to choose Keras's "
                "loop, which is slower on a GPU",
            )
            break


def check_unrolled(checked: Checked) -> None:
    """Warn (W702) of an unrolled loop over very many steps."""
    for node in checked.graph.nodes:
        kernel = node.recurrence.kernel if node.recurrence else None
        if kernel is None or kernel.name != "unrolled":
            continue
        steps = node.outputs[SEQUENCE].shape[1]
        if isinstance(steps, int) and steps > MOST_STEPS:
            checked.document.warn(
                "W702",
                (*node.path, "unroll") if node.arguments["unroll"] else ("runtime", "kernel"),
                f"'{node.weights_layer}' is unrolled over {steps} steps: building and tracing the "
                "model step by step takes long",
                hint="use `kernel: auto`; unrolling is for short sequences",
            )


def check_left_padding(checked: Checked) -> None:
    """Warn (W503) of padding on the left, which keeps layers from cuDNN."""
    reported: set[MaskSpec] = set()
    for node in _free_to_choose(checked):
        if node.mask is None or node.mask.padding != "left" or node.mask in reported:
            continue
        reported.add(node.mask)  # later layers inherit the mask: one warning is enough
        checked.document.warn(
            "W503",
            (*node.path, "mask", "padding"),
            f"'{node.layer}' reads steps that are padded on the left, but cuDNN supports padding "
            "only on the right",
            hint="pad on the right (Keras's `pad_sequences` with `padding='post'`) and write "
            "`padding: right`, or write `kernel: standard` under `runtime:`",
        )


def _free_to_choose(checked: Checked) -> Iterator[Node]:
    """Yield the layers that would run on cuDNN on a GPU unless an argument prevents it."""
    runtime = checked.recipe.runtime
    if runtime.kernel != "auto" or runtime.xla is True or runtime.device == "cpu":
        return
    for node in checked.graph.nodes:
        if node.op in ("LSTM", "GRU") and not node.arguments["unroll"]:
            yield node


def _has_other_warning(node: Node, argument: str) -> bool:
    """Return whether W405 or W406 warns of the activation already."""
    written = node.arguments.get(argument)
    if argument == "activation":
        return written in UNBOUNDED
    return argument == "recurrent_activation" and not is_gate(written)
