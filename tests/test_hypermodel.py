"""``Recipe.hypermodel()`` with every tuner of keras-tuner, and what it does with hard values."""

from __future__ import annotations

import importlib.util
import json
import random
from typing import TYPE_CHECKING, Any

import keras
import keras_tuner
import numpy as np
import pytest
from building import load
from keras_tuner.engine import trial as trials

import lstmgraph
from lstmgraph.language.space import text_of

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.tuning.hypermodel import RecipeHyperModel

pytestmark = [
    # keras-tuner 1.4.8 asks threads for their names in the old way,
    pytest.mark.filterwarnings("ignore:currentThread:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:getName:DeprecationWarning"),
    # Keras 3.15 makes arrays of variables in NumPy 1's way when keras-tuner saves a model,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    # and gives back the best model with an optimizer that has not stepped yet,
    pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer"),
    # and few points are too few for a Gaussian process to find its length scale.
    pytest.mark.filterwarnings("ignore:The optimal value found for dimension"),
    pytest.mark.filterwarnings("ignore:lbfgs failed to converge"),
]

UNITS = "layers.hidden.units"
HAS_SCIKIT_LEARN = importlib.util.find_spec("sklearn") is not None

SMALL = """
inputs: {x: {shape: [3]}}
layers:
  hidden: {type: dense, input: x, units: {$search: {int: [2, 6], step: 2}}}
  y: {type: dense, input: hidden, units: 1, use_bias: {$search: {bool: true}}}
outputs: {y: y}
runtime: {seed: 1}
training:
  loss: mse
  epochs: 2
  batch_size: {$search: {choice: [4, 8]}}
  optimizer:
    $choose:
      adam: {type: adam, learning_rate: {$search: {float: [1e-3, 1e-1], scale: log}}}
      sgd: {type: sgd, momentum: {$search: {float: [0, 0.5], step: 0.1}}}
"""
STACK = """
inputs: {x: {shape: [time, 3]}}
layers:
  reader:
    type: lstm
    input: x
    units: {$search: {choice: [2, 3], per_layer: true}}
    depth: {$search: {int: [1, 3]}}
    kernel_regularizer: {$search: {choice: [null, l2, {type: l2, l2: 0.5}]}}
outputs: {y: reader}
"""
RANDOM = np.random.default_rng(0)
X = {"x": RANDOM.normal(size=(8, 3)).astype("float32")}
Y = {"y": RANDOM.normal(size=(8, 1)).astype("float32")}


def hypermodel(text: str) -> RecipeHyperModel:
    return load(text).hypermodel()


def declared(text: str, **values: Any) -> keras_tuner.HyperParameters:
    """Hyperparameters as a tuner hands them to ``build``."""
    hp = keras_tuner.HyperParameters()
    hypermodel(text).declare_hyperparameters(hp)
    hp.values |= {name.replace("__", "."): value for name, value in values.items()}
    hp.ensure_active_values()
    return hp


# --- every tuner ---

TUNERS = {
    "random": (keras_tuner.RandomSearch, {"max_trials": 2}),
    "grid": (keras_tuner.GridSearch, {"max_trials": 2}),
    "hyperband": (keras_tuner.Hyperband, {"max_epochs": 2}),
    "bayesian": (keras_tuner.BayesianOptimization, {"max_trials": 3, "num_initial_points": 2}),
}
"""keras-tuner's BayesianOptimization needs scikit-learn, which the test dependencies have."""


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("name", TUNERS)
def test_a_tuner_searches_the_recipe(name: str, tmp_path: Path) -> None:
    if name == "bayesian" and not HAS_SCIKIT_LEARN:
        pytest.skip("scikit-learn is not installed")
    kind, options = TUNERS[name]
    recipe = load(SMALL)
    hyper = recipe.hypermodel()
    tuner = kind(hyper, objective="val_loss", directory=tmp_path, seed=3, **options)
    tuner.search(X, Y, validation_data=(X, Y), verbose=0)
    done = list(tuner.oracle.trials.values())
    assert [trial.status for trial in done] == ["COMPLETED"] * len(done)
    assert len({json.dumps(trial.hyperparameters.values) for trial in done}) > 1

    best = tuner.get_best_hyperparameters()[0]
    model = tuner.get_best_models()[0]
    units, bias = best.get(UNITS), best.get("layers.y.use_bias")
    assert model.count_params() == (3 + 1) * units + units + bias
    scores = [trial.score for trial in done]
    predicted = model.predict(X, verbose=0)["y"]
    assert np.mean((predicted - Y["y"]) ** 2) == pytest.approx(min(scores), rel=1e-4)

    concrete = recipe.at(hyper.values(best))
    assert lstmgraph.load(concrete.resolved()).build().count_params() == model.count_params()


def points_of(oracle: keras_tuner.Oracle, most: int) -> list[dict[str, Any]]:
    """What `oracle` would try, without training anything."""
    found = []
    for _ in range(most):
        trial = oracle.create_trial("tuner")
        if trial.status == trials.TrialStatus.STOPPED:
            break
        found.append(dict(trial.hyperparameters.values))
        oracle.update_trial(trial.trial_id, {"loss": 1.0})
        trial.status = trials.TrialStatus.COMPLETED
        oracle.end_trial(trial)
    return found


@pytest.mark.slow
def test_keras_tuners_grid_is_the_space_s_own(tmp_path: Path) -> None:
    text = SMALL.replace("{float: [1e-3, 1e-1], scale: log}", "{choice: [0.1, 0.2]}")
    text = text.replace("[2, 6]", "[2, 4]").replace("step: 0.1", "step: 0.25")
    text = text.replace("units: 1,", "units: {$choose: {one: 1, more: {$search: {int: [2, 3]}}}},")
    hyper = hypermodel(text)
    tuner = keras_tuner.GridSearch(hyper, objective="loss", directory=tmp_path)
    space = hyper.space
    theirs = [space.key(point) for point in points_of(tuner.oracle, 1000)]
    assert len(theirs) == space.size() == 2 * 3 * 2 * 2 * (2 + 3)
    assert set(theirs) == {space.key(point) for point in space.grid()}


def test_conditional_dimensions_are_sampled_from_the_first_trial_on(tmp_path: Path) -> None:
    """Had the space been found by building, their first values would all be the defaults."""
    hyper = hypermodel(SMALL)
    tuner = keras_tuner.RandomSearch(
        hyper, objective="loss", max_trials=30, directory=tmp_path, seed=1
    )
    points = points_of(tuner.oracle, 30)
    rates = {p.get("training.optimizer.adam.learning_rate") for p in points} - {None}
    momenta = {p.get("training.optimizer.sgd.momentum") for p in points} - {None}
    assert len(rates) > 8
    assert len(momenta) > 3
    assert all(hyper.space.point(point) for point in points)


def test_a_search_goes_on_where_it_stopped(tmp_path: Path) -> None:
    options = {"objective": "loss", "directory": tmp_path, "project_name": "kept", "seed": 3}
    for most in (2, 4):
        tuner = keras_tuner.RandomSearch(hypermodel(SMALL), max_trials=most, **options)
        points_of(tuner.oracle, most + 1)
        tuner.save()
        assert len(tuner.oracle.trials) == most
    best = tuner.get_best_hyperparameters()[0]
    assert hypermodel(SMALL).build(best).get_layer("hidden").units == best.get(UNITS)


# --- hyperparameters ---


def test_the_whole_space_is_declared_with_its_conditions() -> None:
    hp = declared(STACK)
    depth = "layers.reader.depth"
    found = {each.name: [(c.name, c.values) for c in each.conditions] for each in hp.space}
    assert found == {
        depth: [],
        "layers.reader.units.1": [],
        "layers.reader.units.2": [(depth, [2, 3])],
        "layers.reader.units.3": [(depth, [3])],
        "layers.reader.kernel_regularizer": [],
    }
    assert hp.values == {
        depth: 1,
        "layers.reader.units.1": 2,
        "layers.reader.kernel_regularizer": "null",
    }


def test_declaring_twice_changes_nothing() -> None:
    hyper, hp = hypermodel(STACK), declared(STACK)
    before = hp.get_config()
    hyper.declare_hyperparameters(hp)
    assert hp.get_config() == before


def test_the_model_has_the_values() -> None:
    values = {"layers__reader__depth": 3, "layers__reader__units__2": 3}
    hp = declared(STACK, **values, layers__reader__units__3=2)
    model = hypermodel(STACK).build(hp)
    stack = [model.get_layer(f"reader_{number}").units for number in (1, 2, 3)]
    assert stack == [2, 3, 2]


@pytest.mark.parametrize(
    ("choice", "strength"), [(None, None), ("l2", 0.01), ({"type": "l2", "l2": 0.5}, 0.5)]
)
def test_choices_that_keras_tuner_cannot_hold_are_named_by_their_json(
    choice: Any, strength: float | None
) -> None:
    hp = declared(STACK, layers__reader__kernel_regularizer=text_of(choice))
    hyper = hypermodel(STACK)
    assert hyper.values(hp)["layers.reader.kernel_regularizer"] == choice
    found = hyper.build(hp).get_layer("reader").kernel_regularizer
    assert (found and float(found.l2)) == (strength and pytest.approx(strength))


def test_simple_choices_stay_what_they_are() -> None:
    hp = declared(SMALL)
    kinds = {each.name: type(each).__name__ for each in hp.space}
    assert kinds["layers.y.use_bias"] == "Boolean"
    assert hp.values["training.batch_size"] == 4
    assert hp.values["training.optimizer"] == "adam"


def test_with_the_defaults_it_builds_the_recipe() -> None:
    recipe = load(SMALL)
    built = recipe.hypermodel().build(keras_tuner.HyperParameters())
    assert json.dumps(built.get_config()) == json.dumps(recipe.build().get_config())
    assert built.optimizer.get_config()["learning_rate"] == pytest.approx(1e-3)


def test_the_last_tenth_can_be_drawn() -> None:
    """Declared plainly, keras-tuner counts 0, 0.1, ..., 0.5 as five."""
    hp = declared(SMALL, training__optimizer="sgd")
    momentum = next(each for each in hp.space if each.name.endswith("momentum"))
    assert list(momentum.values) == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])


def test_a_number_that_keras_tuner_rounds_out_of_the_range_is_the_bound() -> None:
    """Its Int(11, 24, sampling="reverse_log") gives 10 where it draws the lowest."""
    text = SMALL.replace("{int: [2, 6], step: 2}", "{int: [11, 24], scale: reverse_log}")
    hp = declared(text)
    drawn = next(each for each in hp.space if each.name == UNITS).prob_to_value(0.0)
    hp.values[UNITS] = drawn
    assert hypermodel(text).build(hp).get_layer("hidden").units == 11


# --- what goes wrong ---

WRONG_TOGETHER = """
inputs: {x: {shape: [4, 2]}, s: {shape: [4]}}
layers:
  reader:
    type: lstm
    input: x
    units: {$search: {choice: [4, 8]}}
    initial_state: {$choose: {bridged: {h: {from: s, bridge: dense}}, fed: {h: s}}}
outputs: {y: reader}
training: {loss: mse}
"""


def test_a_point_at_which_the_recipe_is_wrong_is_a_failed_trial() -> None:
    hp = declared(WRONG_TOGETHER, layers__reader__units=8, layers__reader__initial_state="fed")
    with pytest.raises(keras_tuner.errors.FailedTrialError, match=r"error\[L604\]: the state h"):
        hypermodel(WRONG_TOGETHER).build(hp)


def test_a_value_that_is_not_searched_ends_the_search() -> None:
    """It comes from hyperparameters of the caller's own, or from another search's folder."""
    hp = keras_tuner.HyperParameters()
    hp.Fixed(UNITS, 3)
    with pytest.raises(keras_tuner.errors.FatalValueError, match="must be int from 2 to 6"):
        hypermodel(SMALL).build(hp)


def test_hyperparameters_of_the_caller_s_own_are_kept(tmp_path: Path) -> None:
    hp = keras_tuner.HyperParameters()
    hp.Fixed(UNITS, 4)
    tuner = keras_tuner.RandomSearch(
        hypermodel(SMALL),
        objective="loss",
        max_trials=3,
        directory=tmp_path,
        hyperparameters=hp,
        tune_new_entries=True,
    )
    assert {point[UNITS] for point in points_of(tuner.oracle, 3)} == {4}


# --- fit ---


class Recorder:
    """Stands for a model: keeps what ``fit`` is given."""

    def fit(self, *_arrays: Any, **kwargs: Any) -> dict[str, Any]:
        return {name: value for name, value in kwargs.items() if name not in ("x", "y")}


def fitted(*args: Any, **kwargs: Any) -> Any:
    hp = declared(SMALL, training__batch_size=8)
    return hypermodel(SMALL).fit(hp, Recorder(), *args, **kwargs)


def test_fit_has_the_batch_size_and_epochs_of_the_trial() -> None:
    assert fitted(X, Y) == {"batch_size": 8, "epochs": 2}
    assert fitted(x=X, y=Y) == {"batch_size": 8, "epochs": 2}
    assert fitted([X["x"]], Y) == {"batch_size": 8, "epochs": 2}


def test_what_the_caller_says_counts() -> None:
    assert fitted(X, Y, epochs=5, batch_size=3) == {"batch_size": 3, "epochs": 5}


class Batches(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Any:
        return X, Y


def test_arrays_do_not_lose_class_weights() -> None:
    found = load(SMALL.replace("loss: mse", "loss: hinge\n  class_weight: {1: 3.0}"))
    of_classes = found.hypermodel()
    hp = keras_tuner.HyperParameters()
    with pytest.raises(keras_tuner.errors.FatalValueError, match="as_keras"):
        of_classes.fit(hp, Recorder(), X, Y)
    batches = (
        found.load_data((X, {name: np.sign(y) for name, y in Y.items()})).train.as_keras(4).dataset
    )
    assert of_classes.fit(hp, Recorder(), batches) == {"epochs": 2}


def test_data_in_batches_keep_their_size() -> None:
    assert fitted(Batches()) == {"epochs": 2}
    assert fitted(iter([(X, Y)])) == {"epochs": 2}


def test_without_training_fit_says_nothing() -> None:
    assert hypermodel(STACK).fit(declared(STACK), Recorder(), X) == {}


# --- the shipped recipe ---


@pytest.mark.parametrize("seed", range(6))
def test_points_of_the_shipped_recipe_are_models(seed: int) -> None:
    recipe = lstmgraph.load(lstmgraph.packaged_recipe("speaker-classifier-search"))
    point = recipe.space().sample(random.Random(seed))
    model = recipe.at(point).build()
    assert model.count_params() == parameters(point)
    assert type(model.optimizer).__name__.lower() == point["training.optimizer"]


def parameters(point: dict[str, Any]) -> int:
    """Of LSTMs, or of GRUs with two biases (``reset_after``), one after the other, and the head."""
    gates, biases = {"lstm": (4, 1), "gru": (3, 2)}[point["layers.voice.type"]]
    ways = 2 if point["layers.voice.bidirectional"] else 1
    width, total = 12, 0
    for number in range(1, point["layers.voice.depth"] + 1):
        units = point[f"layers.voice.units.{number}"]
        total += ways * gates * units * (width + units + biases)
        width = ways * units
    return total + (width + 1) * 9
