"""Evaluation: how good a model is on data, compared with naive forecasts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.data.problems import Problems
from lstmgraph.evaluation.evaluate import evaluate_predictions
from lstmgraph.evaluation.evaluation import Evaluation
from lstmgraph.evaluation.results import ClassResult, ColumnResult
from lstmgraph.messages.wording import did_you_mean
from lstmgraph.prediction import Predictions, open_model, predict
from lstmgraph.prediction.loading import Request, load_query
from lstmgraph.prediction.origins import ALL, check_origins

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.compiler.load import HasCompiled
    from lstmgraph.data.examples import Examples
    from lstmgraph.data.loading import Data
    from lstmgraph.prediction import OpenedModel
    from lstmgraph.prediction.origins import Origins

__all__ = ["ClassResult", "ColumnResult", "Evaluation", "evaluate"]


def evaluate(  # noqa: PLR0913 - each says one thing
    model: Any,
    data: Any,
    *,
    recipe: HasCompiled | str | Path | None = None,
    part: str = ALL,
    origins: Origins = None,
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
        origins: of windows, how many forecasts to make for each series, the last ones of the part;
            or ``all``, the default.
        stride: the rows from one origin to the next.
        season: the steps of a season, for the seasonal naive forecast and the scale of MASE; by
            default that of the table's time step, such as 24 for hours.
        batch_size: how many examples the model is given at a time.

    Raises:
        DataError: the data does not fit the model, has no targets (D510) or no such part (D511).
        ModelFileError, OtherModelError, RecipeError, ImportError, OSError: as for ``predict``.
        ValueError: an argument is out of range.
    """
    if season is not None and season < 1:
        raise ValueError(f"a season has at least 1 step, not {season}")
    check_origins(origins, stride)
    opened = open_model(model, recipe)
    name = opened.compiled.declaration.name
    if part == ALL:
        request = Request(None, origins, ALL, stride, with_targets=True)
        every = Predictions(opened, load_query(opened, data, request), batch_size)
        return evaluate_predictions(every, name, season)
    loaded = _loaded(opened, data, part)
    examples = _thinned(loaded.parts[part], opened, origins, stride)
    found = predict(opened, examples, batch_size=batch_size)
    return evaluate_predictions(found, name, season, loaded.train)


def _loaded(opened: OpenedModel, data: Any, part: str) -> Data:
    """Return the data as the recipe splits it, which must have the part."""
    from lstmgraph.data.loading import load_data  # noqa: PLC0415 - only for parts

    loaded = load_data(opened.compiled, data)
    if part not in loaded.parts:
        problems = Problems("the data")
        problems.add(
            "D511",
            f"the data has no part '{part}'{did_you_mean(part, [*loaded.parts, ALL])}",
            f"there are: {', '.join(loaded.parts)}, all; `split:` of the recipe's data makes parts",
        )
        problems.raise_errors()
    return loaded


def _has_origins(opened: OpenedModel) -> bool:
    """Return whether the data has windows over rows, which begin at any of them."""
    data = opened.compiled.declaration.data
    return data is not None and data.window is not None and data.window.history is not None


def _thinned(examples: Examples, opened: OpenedModel, origins: Origins, stride: int) -> Examples:
    """Return the last origins of each series, every `stride` rows back from its last one."""
    if origins in (None, ALL) and stride == 1:
        return examples
    if not _has_origins(opened):
        problems = Problems("the data")
        problems.add(
            "D503",
            "origins are those of windows, but the recipe's data has no windows over rows",
            "leave --origins and --stride out",
        )
        problems.raise_errors()
    timeline, numbers = examples.timeline, examples.numbers
    series, rows = timeline.series[numbers], timeline.origins[numbers]
    last = np.full(len(timeline.series_starts), -1, np.int64)
    np.maximum.at(last, series, rows)
    back = last[series] - rows
    kept = back % stride == 0
    if origins not in (None, ALL):
        kept &= back < int(origins) * stride
    return replace(examples, numbers=numbers[kept])
