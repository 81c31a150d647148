"""Inside `time_distributed` a layer gives what it gives outside on the steps as rows, with masks.

The numbers outside are those of the Keras layer itself, called on one row without its padding.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import outputs_of, randomise
from layer_case import SIZES, Case, concrete
from layer_cases_kernels import CONVOLUTION, DENSE, POOLING
from layer_cases_values import ELEMENTWISE, NORMALIZATION, PREPROCESSING, RESHAPING

import lstmgraph

if TYPE_CHECKING:
    import keras

ROWS, STEPS = 3, 4
LENGTHS = np.array([4, 1, 2], "int32")

REFUSED = {
    "Embedding": "L510",
    "Masking": "L510",
    "ActivityRegularization": "L513",
    "BatchNormalization": "L513",
    "STFTSpectrogram": "L210",
    "ReversibleEmbedding": "L510",
}
BY_BATCH = {"MelSpectrogram"}
"""Keras measures its decibels from the loudest number of the whole batch."""


def cases() -> list[Case]:
    """The first cases of each layer that takes one tensor of floats or ids."""
    every = [
        *(*CONVOLUTION, *DENSE, *POOLING),
        *(*ELEMENTWISE, *NORMALIZATION, *PREPROCESSING, *RESHAPING),
    ]
    found: dict[str, list[Case]] = {}
    for case in every:
        if len(case.inputs) == 1 and case.policy == "float32" and case.layer not in BY_BATCH:
            found.setdefault(case.layer, []).append(case)
    return [case for some in found.values() for case in some[:2] if is_accepted(case)]


def one(case: Case) -> dict[str, Any]:
    arguments = json.loads(json.dumps(dict(case.arguments)))
    return {"type": "time_distributed", "layer": {"type": case.layer, **arguments}}


def recipe(chosen: list[Case]) -> dict[str, Any]:
    inputs: dict[str, Any] = {"lengths": {"shape": [], "dtype": "int32"}}
    layers: dict[str, Any] = {}
    for number, case in enumerate(chosen):
        spec = case.inputs[0]
        inputs[f"x{number}"] = {"shape": ["steps", *spec.shape[1:]], "dtype": spec.dtype}
        mask = {"lengths": "lengths"}
        layers[f"t{number}"] = {**one(case), "input": f"x{number}", "mask": mask}
    outputs = {name: name for name in layers}
    return {"recipe": 1, "name": "n", "inputs": inputs, "layers": layers, "outputs": outputs}


def is_accepted(case: Case) -> bool:
    try:
        lstmgraph.load(json.dumps(recipe([case])))
    except lstmgraph.RecipeError as error:
        # The cases are for the function of one layer: some have what no recipe may write.
        if error.diagnostics[0].code.startswith(REFUSED.get(case.layer, ("L2", "L401"))):
            return False
        raise
    return True


@pytest.mark.slow
def test_inside_equals_outside() -> None:
    """With a mask of the steps, and NaN in the padded ones."""
    chosen = cases()
    assert len(chosen) > 80
    model = lstmgraph.load(json.dumps(recipe(chosen))).build()
    randomise(model)
    random = np.random.default_rng(0)
    given: dict[str, np.ndarray] = {"lengths": LENGTHS}
    for number, case in enumerate(chosen):
        spec = case.inputs[0]
        shape = (ROWS, STEPS, *concrete(spec.shape, SIZES)[1:])
        values = random.normal(size=shape)
        if "float" not in spec.dtype:
            values = random.integers(0, 3, shape)
        given[f"x{number}"] = values.astype(spec.dtype)
        if "float" in spec.dtype:
            given[f"x{number}"][np.arange(STEPS) >= LENGTHS[:, None]] = np.nan
    found = outputs_of(model, given)
    counted = np.arange(STEPS) < LENGTHS[:, None]
    for number, case in enumerate(chosen):
        layer = model.get_layer(f"t{number}").layer
        wanted = np.asarray(layer(given[f"x{number}"][counted]))
        inside = found[f"t{number}"][counted]
        np.testing.assert_allclose(inside, wanted, rtol=1e-4, atol=1e-4, err_msg=str(case))


WORDS = np.array([[9, 4, 1, 0], [3, 8, 9, 2], [0, 0, 0, 0]])
"""The characters of each word; some words, and all of the last row, are padding."""
INSIDE: list[dict[str, Any]] = [
    {"type": "conv1d", "filters": 2, "kernel_size": 3, "strides": 2},
    {"type": "conv1d", "filters": 2, "kernel_size": 3, "padding": "same"},
    {"type": "conv1d_transpose", "filters": 2, "kernel_size": 3, "strides": 2},
    {"type": "max_pooling1d", "pool_size": 2},
    {"type": "average_pooling1d", "pool_size": 3, "strides": 1},
    {"type": "up_sampling1d", "size": 2},
    {"type": "softmax", "axis": 1},
    {"type": "softmax"},
    {"type": "dense", "units": 3},
    {"type": "layer_normalization"},
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:You are using a softmax:UserWarning")  # of one character
def test_characters_of_words() -> None:
    """A mask of the characters passes through a layer inside, and ends in their pooling."""
    layers: dict[str, Any] = {
        "e": {
            "type": "embedding",
            "input": "ids",
            "input_dim": 20,
            "output_dim": 4,
            "mask_zero": True,
        }
    }
    for number, inner in enumerate(INSIDE):
        mask = {"from": "e", "padding": "right"}
        wrapped = {"type": "time_distributed", "input": "e", "mask": mask, "layer": inner}
        layers[f"t{number}"] = wrapped
        for kind in ("max", "average"):
            pool = {"type": f"global_{kind}_pooling1d"}
            layers[f"{kind}{number}"] = {
                "type": "time_distributed",
                "input": f"t{number}",
                "layer": pool,
            }
    text = {
        "recipe": 1,
        "name": "n",
        "inputs": {"ids": {"shape": ["words", "characters"], "dtype": "int32"}},
        "layers": layers,
        "outputs": {name: name for name in layers},
    }
    model = lstmgraph.load(json.dumps(text)).build()
    randomise(model)
    ids = np.random.default_rng(0).integers(1, 20, (*WORDS.shape, 9)).astype("int32")
    ids[np.arange(9) >= WORDS[..., None]] = 0
    found = outputs_of(model, {"ids": ids})
    for number, inner in enumerate(INSIDE):
        layer = model.get_layer(f"t{number}").layer
        for place in np.ndindex(WORDS.shape):
            word = found["e"][place][None, : WORDS[place]]
            alone = computed(layer, word)
            own = found[f"t{number}"][place]
            where = f"{inner} of {WORDS[place]} characters"
            np.testing.assert_allclose(own[: len(alone)], alone, atol=1e-6, err_msg=where)
            largest = alone.max(axis=0) if len(alone) else np.zeros(own.shape[-1])
            mean = alone.mean(axis=0) if len(alone) else np.zeros(own.shape[-1])
            np.testing.assert_allclose(found[f"max{number}"][place], largest, atol=1e-6)
            np.testing.assert_allclose(found[f"average{number}"][place], mean, atol=1e-6)
        assert abs(found[f"max{number}"]).max() > 0.1


def computed(layer: keras.Layer, word: np.ndarray) -> np.ndarray:
    """One word alone, (steps, features); no steps if it is too short for a window."""
    none = np.zeros((0, layer.compute_output_shape((1, 9, word.shape[-1]))[-1]))
    try:
        some = layer.compute_output_shape(word.shape)[1] > 0
    except ValueError:
        return none
    return np.asarray(layer(word))[0] if some else none


@pytest.mark.parametrize(
    "inner",
    [
        "{type: flatten}",
        "{type: permute, dims: [2, 1]}",
        "{type: adaptive_max_pooling1d, output_size: 2}",
        "{type: max_pooling1d, pool_size: 2, padding: same}",
    ],
)
def test_what_would_lose_the_mask_is_refused(inner: str) -> None:
    text = f"""
recipe: 1
name: refused
inputs: {{ids: {{shape: [words, 7], dtype: int32}}}}
layers:
  e: {{type: embedding, input: ids, input_dim: 9, output_dim: 4, mask_zero: true}}
  t: {{type: time_distributed, input: e, layer: {inner}}}
outputs: {{t: t}}
"""
    with pytest.raises(lstmgraph.RecipeError, match=r"L501|L512"):
        lstmgraph.load(text)
    assert lstmgraph.load(text.replace("input: e,", "input: e, mask: none,"))
