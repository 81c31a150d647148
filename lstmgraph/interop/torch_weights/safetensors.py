"""Read ``.safetensors`` files: a length of 8 bytes, a JSON header, and numbers.

Source: https://github.com/huggingface/safetensors, section Format. The package itself cannot give
bfloat16 to NumPy.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from lstmgraph.files import read_regular_file
from lstmgraph.interop.torch_weights.arrays import DTYPES, array_of
from lstmgraph.interop.torch_weights.errors import torch_file_error

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from lstmgraph.messages.errors import WeightsFileError

MOST_HEADER = 25_000_000
"""Bytes of the header; the format allows 100 MB, but a state of weights needs far less."""
LENGTH = 8


def read_safetensors(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Return the tensors of a file by name, in the order of the file.

    Raises:
        WeightsFileError: the file is damaged (M401).
        OSError: it cannot be read.
    """
    content = read_regular_file(path)
    header_end = LENGTH + int.from_bytes(content[:LENGTH], "little")
    if len(content) < LENGTH or not LENGTH < header_end <= min(len(content), MOST_HEADER):
        raise _damaged(path, "its header is longer than the file")
    try:
        header = json.loads(content[LENGTH:header_end].decode("utf-8"))
    except (ValueError, RecursionError):
        raise _damaged(path, "its header is not JSON") from None
    if not isinstance(header, dict):
        raise _damaged(path, "its header is not a mapping")
    data = memoryview(content)[header_end:]
    entries = [(name, entry) for name, entry in header.items() if name != "__metadata__"]
    found = {name: _tensor(path, name, entry, data) for name, entry in entries}
    return dict(sorted(found.items(), key=lambda item: header[item[0]]["data_offsets"][0]))


def _tensor(path: Path, name: str, entry: Any, data: memoryview) -> np.ndarray[Any, Any]:
    try:
        dtype, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        sizes = [int(size) for size in shape]
        whole = all(type(n) is int and n >= 0 for n in (*shape, start, end))
    except (KeyError, TypeError, ValueError):
        raise _damaged(path, f"the entry of '{name[:80]}' is incomplete") from None
    if dtype not in DTYPES or not whole or len(sizes) > 8:
        raise _damaged(path, f"'{name[:80]}' has no known dtype or shape")
    if not start <= end <= len(data) or end - start != math.prod(sizes) * DTYPES[dtype][1]:
        raise _damaged(path, f"the numbers of '{name[:80]}' are not where its header says")
    return array_of(data[start:end], dtype, sizes)


def _damaged(path: Path, problem: str) -> WeightsFileError:
    hint = "save it anew with safetensors.torch.save_file(model.state_dict(), path)"
    return torch_file_error("M401", f"{path} is no whole .safetensors file: {problem}", hint)
