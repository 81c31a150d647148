"""Read a Functional or Sequential model from any of its forms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.reading.graph import read_top
from lstmgraph.interop.reading.problems import Problems
from lstmgraph.interop.reading.sources import check_depth, is_json_text, parsed, read_file
from lstmgraph.language.text.model_folder import model_path
from lstmgraph.messages.diagnostics import MAPPING

if TYPE_CHECKING:
    import keras

    from lstmgraph.interop.keras_model import KerasModel


def read_model(source: str | Path | Mapping[str, Any] | keras.Model) -> KerasModel:
    """Read a Functional or Sequential Keras model as data, without running anything of it.

    Args:
        source: the path of a ``.keras`` file, of a training's folder, of a whole model's ``.h5``
            file, or of a file with ``model.to_json()``; that JSON itself as text or
            mapping; or a ``keras.Model``.

    Raises:
        ModelFileError: it cannot be read; every layer that cannot is named.
        OSError: the file cannot be read.
    """
    if isinstance(source, Mapping):
        problems = Problems(MAPPING)
        check_depth(dict(source), problems)
        return read_top(source, problems)
    if isinstance(source, (str, Path)):
        if is_json_text(source):
            problems = Problems("<text>")
            return read_top(parsed(source, problems), problems)
        problems = Problems(str(source))
        found = read_file(model_path(source), problems)
        return read_top(found.config, problems, found.version)
    from lstmgraph.interop.reading.live import read_live  # noqa: PLC0415 - imports Keras

    return read_live(source)
