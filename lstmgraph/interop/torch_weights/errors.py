"""What is wrong with a file of PyTorch's weights."""

from __future__ import annotations

from lstmgraph.messages.errors import WeightsFileError


def torch_file_error(code: str, message: str, hint: str) -> WeightsFileError:
    """Return the error of a file, whose text begins with a code of docs/errors.md."""
    return WeightsFileError(f"{code}: {message}\n  help: {hint}")
