"""An import from beginning to end: read, convert, build, move the weights, and check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.importing.checking import Check, Differ, move_weights
from lstmgraph.interop.importing.conversion import Converted, convert
from lstmgraph.interop.reading import read_model
from lstmgraph.messages.errors import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import keras

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.interop.keras_model import KerasModel


@dataclass(frozen=True)
class Imported:
    """A Keras model as a recipe, and as the model that the recipe builds."""

    text: str
    """The recipe, in the layout of ``lstmgraph fmt``."""
    compiled: CompiledRecipe
    model: keras.Model | None
    """The recipe's model with the weights; None where the source has none."""
    check: Check
    notes: tuple[str, ...]
    """What the recipe names otherwise than the model does."""

    def save(self, path: Path) -> None:
        """Write the recipe's model and the recipe to one ``.keras`` file, whole or not at all.

        Raises:
            ValueError: the source has no weights, so that there is no model.
            OSError: the file cannot be written.
        """
        from lstmgraph.models.files import save_model  # noqa: PLC0415 - imports Keras

        if self.model is None:
            raise ValueError("there is no model to save, as the source has no weights")
        save_model(self.model, self.text, path)


def import_source(
    source: str | Path | Mapping[str, Any] | keras.Model,
    *,
    fix: bool = False,
    training: bool = True,
) -> Imported:
    """Return a Keras model as a recipe, with its weights where it has any.

    Args:
        source: as ``read_model`` takes it.
        fix: whether masks that the model loses silently are kept.
        training: whether the recipe has the losses and metrics that the model was compiled with.

    Raises:
        ModelFileError: it cannot be read (M1xx), or the language cannot say it (M2xx).
        OSError: the file cannot be read.
    """
    data = read_model(source)
    asked = convert(data, fix=fix, training=training)
    same = _faithful(data, training=training) if fix else asked
    from lstmgraph.interop.building import opened  # noqa: PLC0415 - imports Keras

    live = opened(source, data)
    if live is None:
        return _result(asked, None, Check(False, reason="the source has no weights"))
    checked = same or asked
    model = _with_weights(checked, live.layers)
    check = Differ(checked, live.model, model).check(padded=same is not None)
    if asked.text != checked.text:  # the check is of what the model computes, without the fixes
        model = _with_weights(asked, live.layers)
    return _result(asked, model, check)


def _faithful(data: KerasModel, *, training: bool) -> Converted | None:
    """Return the recipe without fixes; None if it cannot be said, for the masks that they fix."""
    try:
        return convert(data, training=training)
    except ModelFileError as error:
        if {each.code for each in error.diagnostics} != {"M206"}:
            raise
        return None


def _with_weights(converted: Converted, layers: Mapping[str, Any]) -> keras.Model:
    from lstmgraph.models.building import build_model  # noqa: PLC0415 - imports TensorFlow

    model = build_model(converted.compiled)
    move_weights(model, layers, converted.layers)
    return model


def _result(converted: Converted, model: keras.Model | None, check: Check) -> Imported:
    return Imported(converted.text, converted.compiled, model, check, converted.notes)


__all__ = ["Imported", "import_source"]
