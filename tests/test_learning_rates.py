"""Learning rates of single layers, against NumPy in float64, and in the files that Keras reads."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from building import load

import lstmgraph

if TYPE_CHECKING:
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

BASE, SLOW = 0.0625, 0.00390625
"""Numbers that float32, in which Keras keeps learning rates, holds exactly."""
TEXT = """
inputs: {x: {shape: [3]}}
layers:
  a: {type: dense, input: x, units: 4}
  b: {type: dense, input: a, units: 2}
  y: {type: dense, input: b, units: 1}
outputs: {y: y}
runtime: {seed: 5, dtype_policy: float64}
training:
  loss: mse
  batch_size: 16
  epochs: 4
  shuffle: false
  optimizer: {type: sgd, learning_rate: 0.0625}
  learning_rates: {a: 0.00390625, b: 0.00390625}
"""
X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32").astype("float64")
Y = np.random.default_rng(1).normal(size=(16, 1)).astype("float32").astype("float64")
Step = "Callable[[np.ndarray, np.ndarray, dict[str, Any], float, int], np.ndarray]"


def sgd(w: Any, g: Any, kept: dict[str, Any], rate: float, _step: int) -> Any:
    """With momentum."""
    kept["m"] = 0.5 * kept.get("m", 0) - rate * g
    return w + kept["m"]


def adam(w: Any, g: Any, kept: dict[str, Any], rate: float, step: int) -> Any:
    kept["m"] = 0.9 * kept.get("m", 0) + 0.1 * g
    kept["v"] = 0.999 * kept.get("v", 0) + (1 - 0.999) * g**2
    first, second = np.float32([0.9, 0.999]).astype("float64") ** step  # as Keras has them
    alpha = rate * np.sqrt(1 - second) / (1 - first)
    return w - alpha * kept["m"] / (np.sqrt(kept["v"]) + 1e-7)


def adamw(w: Any, g: Any, kept: dict[str, Any], rate: float, step: int) -> Any:
    """The decay of the weights has their learning rate, too."""
    return adam(w - w * 0.25 * rate, g, kept, rate, step)


def rmsprop(w: Any, g: Any, kept: dict[str, Any], rate: float, _step: int) -> Any:
    kept["v"] = 0.9 * kept.get("v", 0) + 0.1 * g**2
    return w - rate * g / np.sqrt(kept["v"] + 1e-7)


OPTIMIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "sgd": (sgd, {"momentum": 0.5}),
    "adam": (adam, {}),
    "adamw": (adamw, {"weight_decay": 0.25}),
    "rmsprop": (rmsprop, {}),
}


def by_hand(update: Any, weights: list[np.ndarray], steps: int, rates: list[float]) -> Any:
    """The weights of three linear layers after some steps on the whole data."""
    weights, kept = [np.asarray(w, "float64") for w in weights], [{} for _ in weights]
    for step in range(1, steps + 1):
        seen = [X]
        for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
            seen.append(seen[-1] @ kernel + bias)
        error, gradients = 2 * (seen[-1] - Y) / len(Y), []
        for layer in (2, 1, 0):
            gradients = [seen[layer].T @ error, error.sum(axis=0), *gradients]
            error = error @ weights[2 * layer].T
        weights = [
            update(w, g, own, rate, step)
            for w, g, own, rate in zip(weights, gradients, kept, rates, strict=True)
        ]
    return weights


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_layer_is_trained_at_its_rate(name: str) -> None:
    update, arguments = OPTIMIZERS[name]
    optimizer = {"type": name, "learning_rate": BASE, **arguments}
    model = load(TEXT).with_overrides({"training.optimizer": optimizer}).build()
    before = model.get_weights()
    model.fit({"x": X}, {"y": Y}, batch_size=16, epochs=4, verbose=0)
    wanted = by_hand(update, before, 4, [SLOW] * 4 + [BASE] * 2)
    for own, right in zip(model.get_weights(), wanted, strict=True):
        np.testing.assert_allclose(own, right, rtol=1e-9, atol=1e-12)
    alike = by_hand(update, before, 4, [BASE] * 6)
    assert not np.allclose(model.get_weights()[0], alike[0], rtol=1e-3)


@pytest.mark.slow
def test_keras_alone_goes_on_with_the_same_rates(tmp_path: Path) -> None:
    """The file names only classes of Keras; both go on as a training that never stopped."""
    data = {"x": X}, {"y": Y}
    recipe = load(TEXT).with_overrides({"training.optimizer": {"type": "adam"}})
    whole = recipe.build()
    whole.fit(*data, batch_size=16, epochs=4, verbose=0)
    first = recipe.build()
    first.fit(*data, batch_size=16, epochs=2, verbose=0)
    recipe.save(first, tmp_path / "first.keras")
    with zipfile.ZipFile(tmp_path / "first.keras") as archive:
        config = json.loads(archive.read("config.json"))["compile_config"]["optimizer"]
    assert (config["module"], config["class_name"]) == ("keras.optimizers", "MultiOptimizer")
    assert list(config["config"]["optimizer_map"]["config"]["optimizer_map"]) == ["(a|b)/.*"]
    for load_model in (keras.saving.load_model, lstmgraph.load_model):
        later = load_model(tmp_path / "first.keras")
        later.fit(*data, batch_size=16, epochs=2, verbose=0)
        for own, right in zip(later.get_weights(), whole.get_weights(), strict=True):
            np.testing.assert_allclose(own, right, rtol=1e-7)  # the loss is of float32


@pytest.mark.slow
def test_a_training_lowers_all_rates_and_goes_on(tmp_path: Path) -> None:
    """`reduce_lr_on_plateau` never sees an improvement of 100, so it halves them every epoch."""
    plateau = {"patience": 1, "factor": 0.5, "min_delta": 100.0, "monitor": "loss"}
    changes = {
        "training.callbacks": {"reduce_lr_on_plateau": plateau, "tensorboard": True},
        "data": {"split": {"validation": 0}},
    }
    recipe = load(TEXT).with_overrides(changes)
    data = {"x": X, "y": Y}
    whole = recipe.train(data, folder=tmp_path / "whole")
    recipe.train(data, folder=tmp_path / "twice", epochs=3)
    twice = recipe.train(data, folder=tmp_path / "twice")
    assert whole.history["learning_rate"] == twice.history["learning_rate"]
    assert twice.history["learning_rate"] == [BASE, BASE, BASE / 2, BASE / 4]
    assert twice.history["loss"] == whole.history["loss"]
    slow, usual = (float(o.learning_rate) for o in twice.model.optimizer.optimizers)
    assert (slow, usual) == (SLOW / 8, BASE / 8)


def test_every_weight_of_a_layer_has_its_rate() -> None:
    """Of stacks, both directions, wrappers, learned states, bridges, normalization."""
    recipe = load("""
    inputs: {x: {shape: [5, 3]}}
    layers:
      first:
        {type: lstm, input: x, units: 4, depth: 2, bidirectional: true, normalization: layer,
         initial_state: learned, return_sequences: true}
      cells:
        {type: rnn, input: first, cells: [{type: lstm_cell, units: 3}, {type: gru_cell, units: 2}],
         return_sequences: true}
      steps: {type: time_distributed, input: cells, layer: {type: dense, units: 3}}
      heads:
        {type: multi_head_attention, input: {query: steps, value: steps}, num_heads: 2, key_dim: 2}
      summary: {type: dense, input: first.state.forward.h, units: 3}
      next: {type: gru, input: heads, units: 3, initial_state: {h: summary}}
      y: {type: dense, input: next, units: 1}
    outputs: {y: y}
    training:
      loss: mse
      learning_rates:
        {first: 0.5, cells: 0.25, steps: 0.125, heads: 0.0625, next: 0.03125, summary: 0.5}
    """)
    model, rates = recipe.build(), recipe.training["learning_rates"] | {"y": 0.001}
    optimizer, layers = model.optimizer, {n.name: n.layer for n in recipe.compiled.graph.nodes}
    optimizer.build(model.trainable_variables)
    seen = set()
    for layer in model.layers:
        for variable in layer.trainable_variables:
            own = optimizer.optimizers[
                optimizer._var_to_optimizer_idx[optimizer._var_key(variable)]
            ]
            assert float(own.learning_rate) == pytest.approx(rates[layers[layer.name]]), layer.name
            seen.add(layer.name)
    assert len(seen) == 18, sorted(seen)


@pytest.mark.parametrize(
    ("section", "code", "message"),
    [
        ("learning_rates: {b: 1e-4, bb: 1e-5}", "L776", "there is no layer 'bb'; did you mean 'b'"),
        ("learning_rates: {f: 1e-4}", "L777", "training changes no weight of 'f'"),
        ("learning_rates: {a: 1e-4}", "L777", "training changes no weight of 'a'"),
        (
            "learning_rates: {b: 1e-4}, optimizer: {type: sgd, global_clipnorm: 1.0}",
            "L778",
            "Keras clips the gradients of each group",
        ),
        (
            "learning_rates: {b: {type: piecewise_constant_decay, boundaries: [1], values: [1.0]}}",
            "L754",
            "1 boundaries need 2 values",
        ),
        (
            "learning_rates: {b: {type: exponential_decay, initial_learning_rate: 0.1, "
            "decay_steps: 1, decay_rate: 0.5}}, callbacks: {reduce_lr_on_plateau: {}}",
            "L757",
            "the learning rate follows a schedule",
        ),
    ],
)
def test_rates_that_cannot_be(section: str, code: str, message: str) -> None:
    with pytest.raises(lstmgraph.RecipeError) as caught:
        load(f"""
        inputs: {{x: {{shape: [3]}}}}
        layers:
          a: {{type: dense, input: x, units: 2, trainable: false}}
          f: {{type: flatten, input: a}}
          b: {{type: dense, input: f, units: 1}}
        outputs: {{y: b}}
        training: {{loss: mse, {section}}}
        """)
    (found,) = caught.value.diagnostics
    assert found.code == code
    assert message in found.message


def test_a_schedule_and_half_precision(tmp_path: Path) -> None:
    """A layer follows a schedule of its own, also where the loss is scaled."""
    schedule = {"type": "exponential_decay", "initial_learning_rate": 0.1, "decay_steps": 1}
    changes = {
        "runtime.dtype_policy": "mixed_float16",
        "training.learning_rates": {"b": {**schedule, "decay_rate": 0.5}},
    }
    recipe = load(TEXT).with_overrides(changes)
    model = recipe.build()
    before = model.get_weights()
    model.fit({"x": X.astype("float32")}, {"y": Y}, batch_size=16, verbose=0)
    assert all((one != two).any() for one, two in zip(before, model.get_weights(), strict=True))
    recipe.save(model, tmp_path / "half.keras")
    again = lstmgraph.load_model(tmp_path / "half.keras")
    assert float(again.optimizer.learning_rate) == BASE
    (own, _) = again.optimizer.inner_optimizer.optimizers
    assert isinstance(own._learning_rate, keras.optimizers.schedules.ExponentialDecay)


def test_a_hostile_pattern_of_layers_is_refused(tmp_path: Path) -> None:
    """`(a+)+b` takes hours to match a long name."""
    recipe, path, edited = load(TEXT), tmp_path / "m.keras", tmp_path / "edited.keras"
    recipe.save(recipe.build(), path)
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(edited, "w") as changed:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "config.json":
                content = content.replace(b"(a|b)/.*", b"(a+)+b")
            changed.writestr(name, content)
    with pytest.raises(ValueError, match=r"an optimizer for layers \(a\+\)\+b"):
        lstmgraph.load_model(edited)


def test_a_search_tries_rates() -> None:
    """A rate of a layer is a value like any other."""
    recipe = load(TEXT.replace("a: 0.00390625", "a: {$search: {float: [1e-5, 1e-2]}}"))
    (dimension,) = recipe.space().dimensions
    assert dimension.name == "training.learning_rates.a"
    assert recipe.at({dimension.name: 1e-4}).training["learning_rates"]["a"] == 1e-4
