"""Errors of TensorFlow and the exporters, turned into mistakes at the recipe's lines."""

from __future__ import annotations

import re
import sys
from traceback import walk_tb
from typing import TYPE_CHECKING

from lstmgraph.compiler.named_nodes import CALLING, named_node
from lstmgraph.export.micro import ARENA
from lstmgraph.export.mistakes import ExportMistake

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LACKING = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")
_CONVERTER_SAYS = re.compile(r"loc\(.*\)\): (?:error: )?(.+)")
_KERNEL = re.compile(r"Node number \d+ \((\w+)\) failed to (?:prepare|invoke)")
_UNPREPARED = "TFLM failed to allocate tensors"
_LONGEST = 300
_OWN = __name__.partition(".")[0]
_CALLED = {*sys.stdlib_module_names, "numpy", "flatbuffers", "ai_edge_litert.schema_py_generated"}
"""What only does as it is told: its errors are those of the caller."""
_CUT = "traceback_utils"
"""What of Keras and TensorFlow takes their own functions out of a traceback."""


def is_own(error: Exception) -> bool:
    """Return whether an error is a mistake of this package, and no refusal of an exporter.

    Where Keras has cut the traceback, nobody can say: it counts as a refusal.
    """
    names = [str(frame.f_globals.get("__name__")) for frame, _ in walk_tb(error.__traceback__)]
    if any(name.endswith(_CUT) for name in names):
        return False
    callers = [name for name in names if not {name, name.partition(".")[0]} & _CALLED]
    return bool(callers) and callers[-1].partition(".")[0] == _OWN


def as_refusal(
    graph: Graph, title: str, error: Exception, quantize: str | None = None
) -> ExportMistake:
    """Return an exporter's error as a short mistake at the layer that its text names.

    Args:
        graph: the recipe's graph.
        title: the name of the format in messages.
        error: what the exporter raised.
        quantize: the kind of numbers that was asked for; None for the recipe's.
    """
    text = _COLOURS.sub("", str(error))
    node = named_node(graph, text)
    path = node.path if node else ()
    name = f"'{node.name}' ({node.op})" if node else f"'{graph.name}'"
    what = _essence(text, is_named=node is not None) or type(error).__name__
    hint = "use another layer, give its input fixed sizes, or choose another format"
    if quantize is not None:
        hint = f"choose another --quantize than {quantize}, or {hint}"
    return ExportMistake("L802", path, f"{title} cannot hold {name}: {what}", hint)


def _essence(text: str, *, is_named: bool) -> str:
    """Return the reason in an exporter's text, shortened."""
    lacking = sorted(set(_LACKING.findall(text)))
    if lacking and is_named:
        return "it has no operators for this layer with its arguments, dtype and rank"
    if lacking:
        return f"it has no operators for TensorFlow's {', '.join(lacking)} with this dtype and rank"
    if _UNPREPARED in text:
        return (
            "LiteRT for Microcontrollers cannot prepare an operator of it, which its own message "
            f"above names, or needs more than {ARENA >> 20} MiB"
        )
    kernel = _KERNEL.search(text)
    if kernel:
        return f"its operator {kernel[1]} does not compute in these numbers or sizes"
    reason = _CONVERTER_SAYS.search(text)
    if reason:
        return reason[1][:_LONGEST]
    text = CALLING.sub("", text).partition("Arguments received by")[0]
    return " ".join(text.split())[:_LONGEST]
