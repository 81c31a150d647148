"""Evaluation: how good a model is on data, beside forecasts that anyone would make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.evaluation.evaluate import evaluate_predictions
from lstmgraph.evaluation.evaluation import Evaluation
from lstmgraph.evaluation.results import ClassResult, ColumnResult
from lstmgraph.prediction import open_model, predict

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.compiler.load import HasCompiled
    from lstmgraph.prediction import OpenedModel
    from lstmgraph.prediction.origins import Origins

__all__ = ["ClassResult", "ColumnResult", "Evaluation", "evaluate"]

ALL = "all"


def evaluate(  # noqa: PLR0913 - each says one thing
    model: Any,
    data: Any,
    *,
    recipe: HasCompiled | str | Path | None = None,
    part: str = ALL,
    origins: Origins = ALL,
    stride: int = 1,
    season: int | None = None,
    batch_size: int | None = None,
) -> Evaluation:
    """Return measures of a model on data with targets, beside those of naive forecasts.

    Args:
        model: the path of a ``.keras``, ONNX or LiteRT file, or of a training's folder; or a Keras
            model with its `recipe`.
        data: what ``Recipe.load_data`` takes.
        recipe: the recipe, for a model without one in it.
        part: ``train``, ``validation`` or ``test``, as the recipe splits the data; ``all`` of it.
        origins: of windows, how many forecasts to make for each series, the last ones; or ``all``.
        stride: the rows from one origin to the next.
        season: the steps of a season, for the seasonal naive forecast and the scale of MASE; by
            default that of the table's time step, such as 24 for hours.
        batch_size: how many examples the model is given at a time.

    Raises:
        DataError: the data does not fit the model, has no targets, or no such part.
        ModelFileError, OtherModelError, RecipeError, ImportError, OSError: as for ``predict``.
        ValueError: an argument is out of range.
    """
    if season is not None and season < 1:
        raise ValueError(f"a season has at least 1 step, not {season}")
    opened = open_model(model, recipe)
    examples = data if part == ALL else _part(opened, data, part)
    own: dict[str, Any] = {"origins": origins, "stride": stride} if part == ALL else {}
    predictions = predict(opened, examples, **own, batch_size=batch_size, with_targets=True)
    return evaluate_predictions(predictions, opened.compiled.declaration.name, season)


def _part(opened: OpenedModel, data: Any, part: str) -> Any:
    """Return the examples of one part of the data, as the recipe splits it."""
    from lstmgraph.data.loading import load_data  # noqa: PLC0415 - only for parts

    loaded = load_data(opened.compiled, data)
    if part not in loaded.parts:
        known = ", ".join(loaded.parts)
        raise ValueError(f"the data has no part '{part}'; it has {known}, and all")
    return loaded.parts[part]
