"""Reads PyTorch's weights, and gives them to the layers of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lstmgraph.compiler.load import HasCompiled
    from lstmgraph.interop.torch_weights.transfer import TorchTransfer


def transfer_torch(
    path: Path, recipe: HasCompiled, given: Mapping[str, str] | None = None
) -> TorchTransfer:
    """Build the recipe's model with the weights of a PyTorch state dict that fit.

    Args:
        path: a ``.safetensors`` file, or a ``.pt`` file of a state dict, which is read as data.
        recipe: the recipe whose model is built.
        given: layers of the recipe by names of modules, where the guess is wrong.

    Raises:
        WeightsFileError: the file cannot be read, or `given` names what is not there.
        RecipeError: the model cannot be built.
        OSError: the file cannot be read.
    """
    from lstmgraph.interop.torch_weights.transfer import (  # noqa: PLC0415 - imports NumPy
        transfer_torch as run,
    )

    return run(path, recipe, given)
