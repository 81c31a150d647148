"""The weights of a model as HDF5 in memory, where they can be changed."""

from __future__ import annotations

import io
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import h5py

if TYPE_CHECKING:
    from collections.abc import Iterator

    import keras

MEMBER = "model.weights.h5"
"""Of a ``.keras`` file."""


@contextmanager
def own_weights(model: keras.Model) -> Iterator[h5py.File]:
    """Give the weights of `model` as Keras writes them; it has what the block makes of them.

    HDF5 itself writes no file: on a full disk its library ends the process. What goes through
    Python's files raises ``OSError``.

    Raises:
        OSError: the temporary folder cannot be written to.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.keras"
        model.save(path)
        with zipfile.ZipFile(path) as archive:
            content = io.BytesIO(archive.read(MEMBER))
        with h5py.File(content, "r+") as file:
            yield file
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(MEMBER, content.getbuffer())
        model.load_weights(path)
