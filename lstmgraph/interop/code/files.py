"""An existing model of Keras as code."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from lstmgraph.files import read_regular_file
from lstmgraph.interop.code.source_file import Additions, Code, model_source
from lstmgraph.interop.execution import flat_tensors
from lstmgraph.language.text.embedded import NoRecipeError, embedded_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    import keras

MOST = 64_000_000
"""The largest configuration that is looked at, in bytes."""


def is_keras_file(path: Path) -> bool:
    """Return whether a file holds a model of Keras, and no recipe."""
    if path.suffix in (".h5", ".hdf5"):
        return True
    if path.suffix == ".keras":
        try:
            embedded_recipe(path)
        except NoRecipeError:
            return True
        except OSError:
            return True  # which the reader says
        return False
    if path.suffix == ".json":
        with suppress(OSError, ValueError, RecursionError):
            found = json.loads(read_regular_file(path, MOST))
            return isinstance(found, dict) and "class_name" in found and "config" in found
    return False


def keras_code(source: str | Path | Mapping[str, Any] | keras.Model) -> Code:
    """Return a model of Keras as plain code that builds it.

    Args:
        source: a ``.keras`` file, a configuration as JSON, or a model.

    Raises:
        ModelFileError: it cannot be read.
        CodeError: plain Keras code cannot make a part of the model.
    """
    from lstmgraph.interop.code.training import compilation  # noqa: PLC0415 - only for code
    from lstmgraph.interop.reading import read_model  # noqa: PLC0415 - as above

    model = read_model(source)
    if not model.compile:
        return Code(model_source(model))
    outputs = len(list(flat_tensors(model.outputs)))
    compiled = compilation(model.compile, outputs=outputs)
    additions = Additions(
        after=compiled.lines, helpers=compiled.helpers, notes=tuple(compiled.notes)
    )
    return Code(model_source(model, additions), tuple(compiled.notes))
