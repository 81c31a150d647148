"""Building models from recipes, feeding them, and comparing them with models written by hand."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest

import lstmgraph

if TYPE_CHECKING:
    from collections.abc import Mapping

Arrays = dict[str, np.ndarray]

RECIPES = Path(lstmgraph.__file__).parents[1] / "recipes"
SHIPPED = tuple(p for p in sorted(RECIPES.glob("*.yaml")) if "dtype: string" not in p.read_text())
"""All but those of texts, whose vocabularies training finds (test_texts)."""
WITHOUT_LOOPS = tuple(path for path in SHIPPED if "loop:" not in path.read_text("utf-8"))
"""Those of which every call is shown; the calls of a loop are shown once (test_loops)."""

FEWER_STEPS = {
    "feedback-forecaster": {"layers.forecast.steps": 3},
    "number-words-attention": {"inputs.digits.shape": [3], "layers.decoder.steps": 3},
    "residual-stack": {"layers.reader.depth": 2},
}
"""Put into shipped recipes with long loops or stacks, where files are written: all is traced."""

STEPS = 6
LENGTHS = np.array([6, 1, 4, 3, 0], "int32")
"""Steps that count, by row: all, one, some, and in the last row none."""
SPEAKER = np.array([0, 8, 3, 1, 3], "int32")
"""One id a row."""
MASK = np.array(
    [
        [1, 1, 1, 1, 1, 1],
        [0, 0, 1, 1, 1, 1],
        [1, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0],
    ],
    bool,
)
"""A mask with padding on either side and in the middle."""
FIRST_STEPS = np.arange(STEPS) < LENGTHS[:, None]


REFUSED_ON_JAX = {"L763", "L765", "L766", "L888"}


def with_header(text: str, name: str = "inline") -> str:
    """A whole recipe from its inputs, layers, outputs and what else the test needs."""
    return f"recipe: 1\nname: {name}\n{textwrap.dedent(text).lstrip()}"


def load(text: str, name: str = "inline") -> lstmgraph.Recipe:
    return lstmgraph.load(with_header(text, name))


def build(text: str, name: str = "inline") -> keras.Model:
    return built(load(text, name))


def built(recipe: lstmgraph.Recipe) -> keras.Model:
    """The model; skipped where JAX cannot compute it: test_backends lists those recipes."""
    try:
        return recipe.build()
    except lstmgraph.RecipeError as error:
        if keras.backend.backend() == "jax" and error.diagnostics[0].code in REFUSED_ON_JAX:
            pytest.skip(f"refused on JAX: {error.diagnostics[0].message}")
        raise


def batch_for(model: keras.Model, seed: int = 0) -> Arrays:
    """Random inputs. Ids and the sequence `x` are padded with zeros; other sequences are not, so
    that a mask which is ignored shows in the result.
    """
    random = np.random.default_rng(seed)
    return {name: _values(name, tensor, random) for name, tensor in model.input.items()}


def _values(name: str, tensor: keras.KerasTensor, random: np.random.Generator) -> np.ndarray:
    known = {"lengths": LENGTHS, "mask": MASK, "speaker": SPEAKER}
    if name in known:
        return known[name]
    if name == "by_time":  # time-major: the batch is the second axis
        shape = (STEPS, len(LENGTHS), *tensor.shape[2:])
        return random.normal(size=shape).astype(tensor.dtype)
    # The decoder's sequences are shorter than the encoder's, where the recipe lets them differ.
    steps = STEPS - 2 if name == "target" else STEPS
    rows = tensor.shape[0] or len(LENGTHS)
    shape = (rows, *(steps if size is None else size for size in tensor.shape[1:]))
    if "int" in tensor.dtype:
        counted = FIRST_STEPS[:, : shape[1]]
        if len(shape) > 2:  # steps of segments: the first has all, the second one, ...
            counted = counted[..., None] & FIRST_STEPS[np.arange(steps) % len(FIRST_STEPS)]
        return (random.integers(1, 10, shape) * counted).astype(tensor.dtype)
    values = random.normal(size=shape)
    if name == "x":
        values *= FIRST_STEPS[:, :, None]
    return values.astype(tensor.dtype)


def randomise(model: keras.Model, seed: int = 1) -> None:
    """Random weights everywhere: the biases too, which begin as zeros and would hide mistakes."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        values = [random.normal(0, 0.5, weight.shape) for weight in layer.weights]
        for weight, value in zip(layer.weights, values, strict=True):
            weight.assign(np.abs(value) if weight.name == "moving_variance" else value)


def weights_by_layer(model: keras.Model) -> dict[str, list[np.ndarray]]:
    """The weights of every layer that has some, as float64."""
    return {
        layer.name: [np.asarray(w, "float64") for w in layer.get_weights()]
        for layer in model.layers
        if layer.weights
    }


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copy by layer name; both must have the same layers with weights."""
    assert weights_by_layer(source).keys() == weights_by_layer(target).keys()
    for layer in target.layers:
        if layer.weights:
            layer.set_weights(source.get_layer(layer.name).get_weights())


def outputs_of(model: keras.Model, inputs: Mapping[str, np.ndarray]) -> Arrays:
    """The outputs; computed eagerly, as tracing every small model would take most of the time.

    On JAX they are traced: eagerly it compiles every operation by itself, which takes longer.
    """
    compute = model.predict_on_batch if keras.backend.backend() == "jax" else model
    outputs = compute(dict(inputs))
    return {name: keras.ops.convert_to_numpy(outputs[name]) for name in model.output}


def assert_equal_arrays(found: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> None:
    """Equal in every bit that counts as a number."""
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name, strict=True)
