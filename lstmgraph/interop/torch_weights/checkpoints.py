"""Read ``.pt`` files of ``torch.save(model.state_dict(), path)``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.archives import Archive, ArchiveError, opened_archive
from lstmgraph.interop.torch_weights.arrays import DTYPES, array_of
from lstmgraph.interop.torch_weights.errors import torch_file_error
from lstmgraph.interop.torch_weights.pickles import (
    PickleError,
    StoredTensor,
    Unread,
    read_pickle,
)

if TYPE_CHECKING:
    from pathlib import Path

MOST_PICKLE = 50_000_000
"""Bytes of the description of the tensors."""
INSIDE = ("state_dict", "model_state_dict", "model")
"""Where checkpoints keep the state dict."""


def read_checkpoint(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Return the tensors of a state dict by name. No code of the file is run, and none is needed.

    Raises:
        WeightsFileError: the file is damaged (M402), or holds no state dict (M403).
        OSError: it cannot be read.
    """
    try:
        with opened_archive(path) as archive:
            pickles = [name for name in archive.names if name.rpartition("/")[2] == "data.pkl"]
            if len(pickles) != 1:
                raise ArchiveError("it has no member data.pkl")
            root = pickles[0].removesuffix("data.pkl")
            tensors = _state(path, read_pickle(archive.read(pickles[0], MOST_PICKLE)))
            big = f"{root}byteorder" in archive and archive.read(f"{root}byteorder", 20) == b"big"
            order = ">" if big else "<"
            most = path.stat().st_size  # torch does not compress
            return {
                name: _array(archive, f"{root}data/", each, order, most)
                for name, each in tensors.items()
            }
    except (ArchiveError, PickleError) as error:
        hint = "save it anew with torch.save(model.state_dict(), path), in PyTorch 1.6 or later"
        raise torch_file_error("M402", f"{path} is no whole .pt file: {error}", hint) from None


def _state(path: Path, value: Any) -> dict[str, StoredTensor]:
    """Return the tensors of a state dict, which may stand in a checkpoint."""
    found = value if isinstance(value, dict) else {}
    tensors = {k: v for k, v in found.items() if isinstance(v, StoredTensor)}
    for key in INSIDE:
        inner = found.get(key)
        if not tensors and isinstance(inner, dict):
            tensors = {k: v for k, v in inner.items() if isinstance(v, StoredTensor)}
    if tensors:
        return {str(name): tensor for name, tensor in tensors.items()}
    held = f"an object of {value.name}" if isinstance(value, Unread) else "no tensors by name"
    hint = "save the tensors alone: torch.save(model.state_dict(), path)"
    raise torch_file_error("M403", f"{path} holds {held}, not a state dict", hint)


def _array(
    archive: Archive, folder: str, tensor: StoredTensor, order: str, most: int
) -> np.ndarray[Any, Any]:
    storage, size = tensor.storage, DTYPES[tensor.storage.dtype][1]
    count = math.prod(tensor.shape)
    last = tensor.offset + sum(
        (n - 1) * s for n, s in zip(tensor.shape, tensor.strides, strict=True) if n
    )
    if len(tensor.shape) > 8 or count > storage.count or (count and last >= storage.count):
        raise PickleError("a tensor reaches beyond its numbers")
    content = archive.read(f"{folder}{storage.key}", most)
    if len(content) != storage.count * size:
        raise ArchiveError(f"its member {storage.key} has another length than it says")
    numbers = array_of(content, storage.dtype, [storage.count], order)
    strides = [each * numbers.itemsize for each in tensor.strides]
    view = np.lib.stride_tricks.as_strided(
        numbers[tensor.offset :] if count else numbers, tensor.shape, strides
    )
    return np.array(view)
