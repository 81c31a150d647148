"""Errors of TensorFlow in a running model, as mistakes at the recipe's lines."""

from __future__ import annotations

import errno
import os
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lstmgraph.compiler.named_nodes import named_node
from lstmgraph.messages.diagnostics import Diagnostic
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph
    from lstmgraph.data.feeding import Feed
    from lstmgraph.messages.diagnostics import Path

_NODE = re.compile(r"\{\{node (\S+)\}\}")
_FRAME = re.compile(r'\s*(File "|Detected at node|Graph execution error|\d+ root error|\[\[)')
_PREFIX = re.compile(r"^\s*(\(\d+\)\s*)?([A-Z_]+: )?(\{\{.*?\}\})?\s*")
_LONGEST = 300
NO_MEMORY = (
    "take fewer units or a smaller `batch_size`; `lstmgraph explain RECIPE --batch ROWS` estimates "
    "the memory"
)
_OTHER = "change the values in the data, or the arguments of the layer that reads them"
_HINTS = {"Embedding": "make `input_dim` larger than every id, or correct the ids in the data"}


@contextmanager
def run_errors(
    compiled: CompiledRecipe, graph: Graph | None = None, feeds: Iterable[Feed] = ()
) -> Iterator[None]:
    """Raise TensorFlow's errors in the block as mistakes of the recipe, at the layer they name.

    Args:
        compiled: the recipe of the model that runs.
        graph: that of the model; None for the recipe's main model.
        feeds: what the model reads; an error of reading is raised as it was.

    Raises:
        RecipeError: TensorFlow cannot run the model on the data (L902).
        OSError: the disk is full.
    """
    try:
        yield
    except Exception as error:
        for feed in feeds:
            if feed.error is not None:
                raise feed.error from None
        tensorflow = sys.modules.get("tensorflow")  # other backends run without it
        if tensorflow is None or not isinstance(error, tensorflow.errors.OpError):
            raise
        raise _translated(compiled, graph or compiled.graph, error) from error


def _translated(compiled: CompiledRecipe, graph: Graph, error: Exception) -> Exception:
    text = str(error)
    reason = _reason(text) or type(error).__name__
    is_full = type(error).__name__ == "ResourceExhaustedError"
    if is_full and os.strerror(errno.ENOSPC) in text:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    node = named_node(graph, " ".join(f"/{name}/" for name in _NODE.findall(text)))
    training: Path = ("training",) if compiled.declaration.training else ()
    path = node.path if node else training
    name = f"'{node.name}' ({node.op})" if node else f"'{graph.name}'"
    hint = NO_MEMORY if is_full else _HINTS.get(node.op if node else "", _OTHER)
    place = compiled.document.place(path)
    notes = compiled.document.origins.notes(path, place)
    name = compiled.document.as_written(name)
    message = f"TensorFlow cannot run {name} on this data: {reason}"
    return RecipeError(
        [Diagnostic("L902", message, path, place, hint, notes=notes)], compiled.document.sources
    )


def _reason(text: str) -> str:
    """Return the line that says why, without the calls that led there."""
    lines = (line for line in text.splitlines() if line.strip() and not _FRAME.match(line))
    return _PREFIX.sub("", next(lines, ""), count=1).strip()[:_LONGEST]
