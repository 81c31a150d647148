"""`intervals: calibrated`: the numbers that are found, the model with them, and its files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import yaml
from building import with_header
from onnx_running import exported, run

import lstmgraph

if TYPE_CHECKING:
    from pathlib import Path

# Keras 3.15 turns its variables into arrays in the way of NumPy 1.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RECIPE = """
inputs: {past: {shape: [48, 2]}}
layers:
  flat: {type: flatten, input: past}
  numbers: {type: dense, input: flat, units: 6}
  forecast: {type: reshape, input: numbers, target_shape: [2, 3]}
outputs: {forecast: forecast}
runtime: {seed: 1}
training:
  loss: {type: pinball, quantiles: [0.1, 0.5, 0.9]}
  metrics: [mae, coverage]
  intervals: calibrated
  epochs: 2
  callbacks: {checkpoint: {monitor: val_loss}}
data:
  series: place
  time: hour
  columns: {load: {scale: standard}}
  window: {history: 48, horizon: 2}
  inputs: {past: {columns: [heat, load]}}
  targets: {forecast: {columns: [load]}}
  split: {validation: 0.2, test: 0.1}
"""
HOURS, LEVELS = 700, np.array([0.1, 0.5, 0.9])


def table() -> dict[str, np.ndarray]:
    """Two places, of which the second varies ten times as much, in daily cycles."""
    random = np.random.default_rng(0)
    hour = np.arange(HOURS)
    loads = [100 + s * (5 * np.sin(hour * np.pi / 12) + random.normal(size=HOURS)) for s in (1, 10)]
    stamps = np.datetime64("2024-01-01T00:00:00") + 3600 * hour.astype("timedelta64[s]")
    return {
        "place": np.repeat([0, 1], HOURS),
        "hour": np.tile(stamps, 2),
        "load": np.concatenate(loads),
        "heat": random.normal(size=2 * HOURS),
    }


class Trained:
    """A training of the recipe, and what its validation part holds."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.recipe = folder, lstmgraph.load(with_header(RECIPE, "loads"))
        self.data = self.recipe.load_data(table())
        self.result = self.recipe.train(self.data, folder=folder)
        self.resolved = yaml.safe_load((folder / "loads.resolved.yaml").read_text())
        ((x, y),) = self.data.validation.as_keras(10_000).dataset
        self.x, self.y = np.asarray(x["past"], "float64"), np.asarray(y["forecast"], "float64")
        # The checkpoint holds the model before it is calibrated.
        raw = lstmgraph.load_model(folder / "checkpoint.keras")
        self.raw = raw.predict({"past": self.x.astype("float32")}, verbose=0)["forecast"]
        self.center, self.spread = self.resolved["data"]["columns"]["load"]["fitted"]

    def change(self) -> np.ndarray:
        """The mean absolute change of the scaled load in a day, (windows,)."""
        load = (self.x[..., 1] - self.center) / self.spread
        return np.abs(load[:, 24:] - load[:, :-24]).mean(1)

    def predicted(self) -> np.ndarray:
        found = self.result.model.predict({"past": self.x.astype("float32")}, verbose=0)
        return np.asarray(found["forecast"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("intervals"))


@pytest.mark.slow
def test_offsets_are_quantiles_of_the_differences_on_the_validation_part(trained: Trained) -> None:
    own = trained.resolved["training"]["intervals"]["forecast"]
    change, count = trained.change(), len(trained.x)
    assert own["season"] == 24
    np.testing.assert_allclose(own["smallest"], 0.1 * change.mean(), rtol=1e-5)
    factor = np.maximum(change, own["smallest"])[:, None]
    for at in (0, 2):
        gaps = np.sort((trained.y - trained.raw[..., at])[..., :] / trained.spread / factor, axis=0)
        rank = np.floor((count + 1) * 0.1) if at == 0 else np.ceil((count + 1) * 0.9)
        wanted = gaps[int(rank) - 1]  # of each step
        np.testing.assert_allclose(np.array(own["offsets"])[:, at], wanted, rtol=1e-3)
    assert np.array(own["offsets"])[:, 1].tolist() == [0, 0]  # the median stays


@pytest.mark.slow
def test_the_model_adds_them_and_its_files_do(trained: Trained) -> None:
    own = trained.resolved["training"]["intervals"]["forecast"]
    factor = np.maximum(trained.change(), own["smallest"])[:, None, None]
    wanted = np.sort(trained.raw + trained.spread * factor * np.array(own["offsets"]), axis=-1)
    found = trained.predicted()
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert (np.diff(found, axis=-1) >= 0).all()
    x = {"past": trained.x.astype("float32")}
    for name in ("loads.keras", "best.keras"):
        plain = keras.models.load_model(trained.folder / name)
        whole = lstmgraph.load_model(trained.folder / name)
        np.testing.assert_array_equal(plain.predict(x, verbose=0)["forecast"], found)
        np.testing.assert_array_equal(whole.predict(x, verbose=0)["forecast"], found)
    recipe = lstmgraph.load(trained.folder / "loads.keras")
    onnx = run(exported(recipe, whole), x)["forecast"]
    np.testing.assert_allclose(onnx, found, rtol=1e-5)
    recipe.export(whole, trained.folder, format="litert")  # which compares both


@pytest.mark.slow
def test_each_step_is_covered(trained: Trained) -> None:
    found, count = trained.predicted(), len(trained.x)
    inside = (found[..., 0] <= trained.y) & (trained.y <= found[..., 2])
    assert ((inside.mean(0) >= 0.8) & (inside.mean(0) <= 0.8 + 4 / count)).all()
    metrics = trained.result.metrics["validation"]
    np.testing.assert_allclose(metrics["coverage"], inside.mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics["mae"], abs(trained.y - found[..., 1]).mean(), rtol=1e-5)
    # Both places are, though one varies ten times as much as the other.
    second = trained.x[..., 1].std(1) > 20
    assert abs(inside[second].mean() - inside[~second].mean()) < 0.2


@pytest.mark.slow
def test_a_training_that_goes_on_calibrates_anew(trained: Trained, tmp_path: Path) -> None:
    longer = trained.recipe.train(trained.data, folder=trained.folder, epochs=3)
    straight = trained.recipe.train(trained.data, folder=tmp_path / "straight", epochs=3)
    assert longer.resumed_from == 2
    assert longer.metrics == straight.metrics
    text = [
        (f / "loads.resolved.yaml").read_text() for f in (trained.folder, tmp_path / "straight")
    ]
    assert text[0] == text[1]
    # A resolved recipe has the offsets of its model, which another is not trained with.
    again = lstmgraph.load(trained.folder / "loads.resolved.yaml")
    other = again.train(trained.data, folder=tmp_path / "again", epochs=3)
    assert other.history["loss"] == straight.history["loss"]
    assert other.metrics == straight.metrics


ARRAYS = """
inputs: {x: {shape: [3]}}
layers:
  one: {type: dense, input: x, units: 2}
  flat: {type: dense, input: x, units: 18}
  many: {type: reshape, input: flat, target_shape: [3, 2, 3]}
  plain: {type: dense, input: x, units: 3}
outputs: {one: one, many: many, plain: plain}
runtime: {seed: 1}
training:
  loss:
    one: {type: pinball, quantiles: [0.2, 0.8]}
    many: {type: pinball, quantiles: [0.2, 0.5, 0.8]}
    plain: {type: pinball, quantiles: [0.2, 0.5, 0.8]}
  intervals: {one: {}, many: {}}
"""


def arrays(rows: int, seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 3)).astype("float32")
    return {
        "x": x,
        "one": x[:, :1] + random.normal(size=(rows, 1)).astype("float32"),
        "many": random.normal(size=(rows, 3, 2)).astype("float32") * [1, 100],
        "plain": x[:, :1],
    }


@pytest.mark.slow
def test_outputs_of_any_shape_are_calibrated_for_each_number_where_there_are_enough(
    tmp_path: Path,
) -> None:
    recipe, given = lstmgraph.load(with_header(ARRAYS, "arrays")), arrays(300, 2)
    result = recipe.train(
        recipe.load_data(arrays(300, 1), validation=given), folder=tmp_path / "many"
    )
    resolved = yaml.safe_load((tmp_path / "many" / "arrays.resolved.yaml").read_text())
    offsets = resolved["training"]["intervals"]
    assert offsets.keys() == {"one", "many"}
    assert np.shape(offsets["one"]["offsets"]) == (1, 2)
    assert np.shape(offsets["many"]["offsets"]) == (6, 3)
    found = {
        k: np.asarray(v) for k, v in result.model.predict({"x": given["x"]}, verbose=0).items()
    }
    for name, axes in (("one", 0), ("many", 0)):
        y = given[name][:, 0] if name == "one" else given[name]
        inside = (found[name][..., 0] <= y) & (y <= found[name][..., -1])
        share = inside.mean(axes)
        assert ((share >= 0.6) & (share <= 0.6 + 4 / 300)).all(), name
        assert (np.diff(found[name], axis=-1) >= 0).all()
    own = lstmgraph.load(tmp_path / "many" / "arrays.keras")
    onnx = run(exported(own, result.model), {"x": given["x"]})
    for name, array in found.items():
        np.testing.assert_allclose(onnx[name], array, rtol=1e-4, atol=1e-5, err_msg=name)
    # Of few rows, all steps have the same numbers; of fewer than a quantile needs, there are none.
    few = {k: v[:5] for k, v in given.items()}
    recipe.train(recipe.load_data(arrays(300, 1), validation=few), folder=tmp_path / "few")
    resolved = yaml.safe_load((tmp_path / "few" / "arrays.resolved.yaml").read_text())
    assert np.shape(resolved["training"]["intervals"]["many"]["offsets"]) == (1, 3)
    few = {k: v[:3] for k, v in given.items()}
    message = r"'one' has 3 targets to calibrate its quantile 0.2 or 0.8 on, and 4 are needed"
    with pytest.raises(lstmgraph.DataError, match=message):
        recipe.train(recipe.load_data(arrays(300, 1), validation=few), folder=tmp_path / "fewer")


def test_without_validation_data_nothing_is_calibrated(tmp_path: Path) -> None:
    recipe = lstmgraph.load(with_header(ARRAYS + "data: {split: {validation: 0}}", "arrays"))
    with pytest.raises(lstmgraph.RecipeError, match=re.escape("error[L879]")):
        recipe.train(arrays(20, 1), folder=tmp_path)
