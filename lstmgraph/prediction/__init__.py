"""Predictions: a saved or exported model run on new data, with the keys that people join on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.prediction.batches import PredictionBatch
from lstmgraph.prediction.loading import Request, load_query
from lstmgraph.prediction.models import OpenedModel, open_model
from lstmgraph.prediction.naming import OutputLayout, class_names, part_names
from lstmgraph.prediction.origins import check_origins
from lstmgraph.prediction.result import Predictions

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.compiler.load import HasCompiled
    from lstmgraph.prediction.origins import Origins

__all__ = [
    "OpenedModel",
    "OutputLayout",
    "PredictionBatch",
    "Predictions",
    "class_names",
    "open_model",
    "part_names",
    "predict",
]


def predict(  # noqa: PLR0913 - each says one thing
    model: Any,
    data: Any,
    *,
    recipe: HasCompiled | str | Path | None = None,
    future: Any = None,
    origins: Origins = None,
    stride: int = 1,
    batch_size: int | None = None,
    part: str | None = None,
    with_targets: bool = False,
) -> Predictions:
    """Return the predictions of a model for data; they are computed as they are iterated.

    Args:
        model: the path of a ``.keras``, ONNX or LiteRT file, or of a training's folder; a Keras
            model with its `recipe`; or what ``open_model`` returned.
        data: what ``Recipe.load_data`` takes, or a part that it returned; targets need not be
            there.
        recipe: the recipe, for a model without one in it.
        future: a table of rows that follow those of `data`, with what is known of them.
        origins: for windows, how many forecasts to make for each series, from one origin each; or
            ``all``. None is one, for the steps after the last row with values of the target.
        stride: the rows from one origin to the next.
        batch_size: how many examples the model is given at a time.
        part: for arrays of several parts, the part to predict for.
        with_targets: whether to predict only where the data has the targets, to compare with.

    Raises:
        DataError: the data does not fit the model; it holds every problem.
        ModelFileError, OtherModelError, RecipeError, ImportError, OSError: as ``open_model`` does.
        ValueError: an argument is out of range.
    """
    check_origins(origins, stride)
    opened = model if isinstance(model, OpenedModel) else open_model(model, recipe)
    request = Request(future, origins, None, stride, part, with_targets)
    return Predictions(opened, load_query(opened, data, request), batch_size)
