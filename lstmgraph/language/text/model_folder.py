"""The folder of a training stands for the model in it, wherever a model's file is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lstmgraph.language.text.embedded import MODEL_SUFFIX
from lstmgraph.messages.errors import ModelFileError
from lstmgraph.messages.wording import few

if TYPE_CHECKING:
    from os import PathLike


def model_path(path: str | PathLike[str]) -> Path:
    """Return the model's file that a path names: of a training's folder, the one in it.

    It is the best model of the training, else the one of its last epoch.

    Raises:
        ModelFileError: the path is a folder that does not hold exactly one model.
    """
    folder = Path(path)
    if not folder.is_dir():
        return folder
    if (folder / "saved_model.pb").exists():
        raise ModelFileError(
            f"{folder} is a SavedModel, a program that could also read and write files: give the "
            f"{MODEL_SUFFIX} file that it was exported from, or export it as ONNX or LiteRT"
        )
    best = folder / "best.keras"
    if best.exists():
        return best
    models = [p for p in sorted(folder.glob(f"*{MODEL_SUFFIX}")) if p.name != "checkpoint.keras"]
    if len(models) == 1:
        return models[0]
    if not models:
        raise ModelFileError(
            f"{folder} holds no finished model: give a model's file, or the folder of a training"
        )
    raise ModelFileError(
        f"{folder} holds {len(models)} models; name one: {few([str(each) for each in models])}"
    )
