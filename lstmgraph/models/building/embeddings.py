"""Tables of embeddings that begin with the values of a file."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.compiler.checks.embeddings import is_in_model_file, tables
from lstmgraph.messages.diagnostics import Diagnostics
from lstmgraph.messages.errors import RecipeError
from lstmgraph.npz import file_array

if TYPE_CHECKING:
    import keras

    from lstmgraph.compiler.checks.embeddings import Table
    from lstmgraph.compiler.compile import CompiledRecipe


def fill_tables(model: keras.Model, compiled: CompiledRecipe) -> None:
    """Give the tables of `model` the values of their files; those in a model file are there.

    Raises:
        RecipeError: a file has changed since the recipe was checked, or holds NaN or infinity.
    """
    if is_in_model_file(compiled.document):
        return
    for table in tables(compiled.graph):
        layer = model.get_layer(table.node)
        for _ in range(table.depth):
            layer = layer.layer
        layer._embeddings.assign(_values(table, compiled))  # with LoRA, `embeddings` is a sum


def table_digests(compiled: CompiledRecipe) -> dict[str, str]:
    """Return a hash of the values of each file, by the layer that begins with them."""
    if is_in_model_file(compiled.document):
        return {}
    return {
        table.node: hashlib.blake2b(_values(table, compiled).tobytes(), digest_size=16).hexdigest()
        for table in tables(compiled.graph)
    }


def _values(table: Table, compiled: CompiledRecipe) -> np.ndarray:
    document = replace(compiled.document, diagnostics=Diagnostics())
    assert document.folder is not None, "`check_embeddings` has looked"
    problem, values = "", np.empty(table.shape)
    try:
        values = file_array(table.located(document.folder), table.array)
    except (OSError, ValueError) as error:
        problem = f"cannot be read: {getattr(error, 'strerror', None) or error}"
    else:
        if values.shape != table.shape:
            problem = f"has changed: it has shape {values.shape} now"
        elif not np.isfinite(values).all():
            row = int(np.argwhere(~np.isfinite(values))[0][0])
            problem = f"holds NaN or infinity, first for the id {row}"
    if problem:
        document.report("L781", table.path, f"'{table.file}' {problem}", hint="write it anew")
        raise RecipeError(document.diagnostics.ordered(), document.sources)
    return values
