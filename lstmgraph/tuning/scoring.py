"""The best model on the test data, which no trial saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.metric_names import in_order
from lstmgraph.compiler.load import load_compiled
from lstmgraph.models.carried import read_states, reset_states
from lstmgraph.models.files import load_as
from lstmgraph.models.run_errors import run_errors
from lstmgraph.tuning.data import read_parts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def test_score(path: Path, sources: Mapping[str, str], cache: Path) -> dict[str, float]:
    """Return what ``evaluate`` gives for the model at `path`; empty without test data.

    Raises:
        RecipeError: TensorFlow has started in this process with other settings than the recipe's,
            or cannot run the model on the data.
    """
    recipe = load_compiled(path)
    training = recipe.declaration.training
    data = read_parts(recipe, sources, cache)
    if data.test is None or training is None:
        return {}
    fixed = recipe.declaration.runtime.batch_size is not None
    feed = data.test.as_keras(training.batch_size, drop_last=fixed)
    model = load_as(recipe, path)
    if read_states(model):
        reset_states(model)
    with run_errors(recipe, feeds=[feed]):
        found: dict[str, float] = model.evaluate(feed.dataset, return_dict=True, verbose=0)
    ordered = in_order(found, training, list(model.output))
    return {name: float(value) for name, value in ordered.items()}
