"""Check the files that tables of embeddings begin with: where they are, and their shapes."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from lstmgraph.messages.diagnostics import Diagnostics
from lstmgraph.messages.errors import RecipeError
from lstmgraph.messages.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path

SUFFIXES = (".npy", ".npz")
KEY = "embeddings"
SAVING = "save the vectors with `numpy.save`, as floats, a row for each id"


@dataclass(frozen=True)
class Table:
    """A table of embeddings that begins with the values of a file."""

    node: str
    """The node of the graph, which is a layer of Keras."""
    path: Path
    """Where the recipe names the file."""
    depth: int
    """How many wrappers the embedding layer is in."""
    shape: tuple[int, int]
    """(ids, size of a vector)."""
    file: str
    array: str | None

    def located(self, folder: FilePath) -> FilePath:
        """Return the path of the file, for a recipe in `folder`."""
        return folder / self.file


def tables(graph: Graph) -> Iterator[Table]:
    """Yield the tables of `graph` that begin with the values of a file."""
    for node in graph.nodes:
        arguments: Mapping[str, Any] = node.arguments
        path, depth = node.path, 0
        while isinstance(arguments.get("layer"), dict):
            arguments, path, depth = arguments["layer"], (*path, "layer"), depth + 1
        given = arguments.get(KEY)
        if given is not None and graph.by_keras_name[node.keras_name][0] is node:
            shape = (arguments["input_dim"], arguments["output_dim"])
            path = (*path, KEY, "from")
            yield Table(node.keras_name, path, depth, shape, given["from"], given.get("array"))


def is_in_model_file(document: Document) -> bool:
    """Return whether a recipe was read from a ``.keras`` file, which holds its tables."""
    return document.folder is None and document.source.endswith(".keras")


def check_embeddings(graph: Graph, document: Document) -> None:
    """Report files that are not there or outside of the recipe's folder, and other arrays.

    An initializer beside a file has no effect, and is reported too (L794).
    """
    for table in tables(graph):
        if is_in_model_file(document):
            return
        other = (*table.path[:-2], f"{KEY}_initializer")
        if other in document.values:
            document.report(
                "L794",
                other,
                f"`{other[-1]}` has no effect: the table begins with the vectors of a file",
                hint=f"remove it, or `{KEY}:`",
                at_key=True,
                notes=(document.note(table.path, "the file is here"),),
            )
        problem = _location_problem(table.file, document.folder)
        if problem is not None:
            hint = "paths are relative to the folder of the recipe, which must hold the file"
            if FilePath(table.file).suffix not in SUFFIXES:
                hint = SAVING
            elif document.folder is None:
                hint = "save the recipe to a file beside it, or give `lstmgraph.load` its `folder`"
            document.report("L780", table.path, problem, hint=hint)
            continue
        assert document.folder is not None
        found = _array_problem(table, table.located(document.folder))
        if found is not None:
            document.report("L781", table.path, found[0], hint=found[1])


def _location_problem(file: str, folder: FilePath | None) -> str | None:
    if FilePath(file).suffix not in SUFFIXES:
        return f"{shown(file)} does not name a .npy or .npz file"
    if folder is None:
        return f"{shown(file)} cannot be found: this recipe is not in a folder"
    if not file.isprintable() or FilePath(file).is_absolute() or "\\" in file:
        return f"{shown(file)} is not a relative path written with `/`"
    real, root = (FilePath(os.path.realpath(each)) for each in (folder / file, folder))
    if not real.is_relative_to(root):
        return f"{shown(file)} is outside the recipe's folder"
    return None if real.is_file() else f"there is no file {shown(file)}"


def _array_problem(table: Table, path: FilePath) -> tuple[str, str] | None:
    """Return what is wrong with an array, and a hint."""
    from lstmgraph.npz import NoSuchArrayError, file_header  # noqa: PLC0415 - imports NumPy

    name, wanted = shown(table.file), f"({table.shape[0]}, {table.shape[1]})"
    try:
        shape, dtype = file_header(path, table.array)
    except NoSuchArrayError as error:
        return str(error), f"write `array: {error.names[0]}` beside `from:`, or another of these"
    except (OSError, ValueError) as error:
        return f"{name} cannot be read: {getattr(error, 'strerror', None) or error}", SAVING
    if dtype.kind != "f":
        return f"{name} holds {dtype}, not floats", SAVING
    if shape != table.shape:
        hint = "make `input_dim` and `output_dim` those of the file, or choose another file"
        return f"{name} has shape {shape}, but the layer's table is {wanted}", hint
    return None


def refuse_fresh_tables(graph: Graph, document: Document) -> None:
    """Refuse to begin anew with tables whose files a model file does not hold.

    Raises:
        RecipeError: there is such a table (L780).
    """
    document = replace(document, diagnostics=Diagnostics())
    for table in tables(graph) if is_in_model_file(document) else ():
        message = f"{shown(table.file)} is not in the model file, so its table cannot begin anew"
        hint = "leave `--fresh` out (`weights=False`), or use the recipe beside the file of vectors"
        document.report("L780", table.path, message, hint=hint)
    if document.diagnostics:
        raise RecipeError(document.diagnostics.ordered(), document.sources)
