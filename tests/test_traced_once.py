"""Trainings and trials trace a step once: TensorFlow traces one twice that makes variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import pytest
from training_cases import arrays, recipe

from lstmgraph.tuning.fitting import FitRequest, fit
from lstmgraph.tuning.search.results import Objective

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import lstmgraph

pytestmark = pytest.mark.tensorflow("others make variables before they trace")


def trained(small: lstmgraph.Recipe, folder: Path) -> None:
    small.train(rows(), folder=folder)


def tried(small: lstmgraph.Recipe, folder: Path) -> None:
    train = small.load_data(rows()).train
    request = FitRequest(small.compiled, "", (Objective("loss", "min"),), folder)
    fit(request, train, None)


def rows() -> tuple[dict[str, Any], dict[str, Any]]:
    """Whole batches: a smaller one is another shape."""
    inputs, targets = arrays()
    return {"x": inputs["x"][:32]}, {"y": targets["y"][:32]}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("begin", [trained, tried])
def test_a_step_is_traced_once(
    begin: Callable[[lstmgraph.Recipe, Path], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make, step = keras.Model.make_train_function, keras.Model.train_step
    traced = []

    def train_step(model: keras.Model, data: object) -> object:
        traced.append(model.name)
        return step(model, data)

    # As it is without conftest.py.
    monkeypatch.setattr(keras.Model, "make_train_function", getattr(make, "__wrapped__", make))
    monkeypatch.setattr(keras.Model, "train_step", train_step)
    begin(recipe(**{"training.epochs": 2}), tmp_path)
    assert traced == ["small"]
