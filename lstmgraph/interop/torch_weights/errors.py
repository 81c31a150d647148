"""What is wrong with a file of PyTorch weights, and what to know about one that is read."""

from __future__ import annotations

from lstmgraph.messages.errors import WeightsFileError


class TorchFileError(WeightsFileError):
    """A file holds no PyTorch weights, or not as plain tensors. Its text begins with a code."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        self.code = code
        super().__init__(f"{code}: {message}\n  hint: {hint}")

    def __reduce__(self) -> tuple[type[WeightsFileError], tuple[str, ...]]:
        return WeightsFileError, (str(self),)
