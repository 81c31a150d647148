"""Every layer that can be written as ONNX, against Keras: the cases of ``layer_cases_*``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import randomise
from layer_case import SEPARATE_ARGUMENTS, SIZES, Case, concrete
from layer_cases_kernels import CONVOLUTION, DENSE, POOLING
from layer_cases_sequences import ATTENTION, MERGING, RECURRENT, WRAPPERS
from layer_cases_values import ELEMENTWISE, NORMALIZATION, PREPROCESSING, RESHAPING
from onnx_running import assert_runs_as_keras

import lstmgraph
from lstmgraph.export.onnx import onnx_obstacles

if TYPE_CHECKING:
    from lstmgraph.keras_facts.tensors import TensorSpec

TOLERANCE = {"float32": 1e-5, "float64": 1e-6, "mixed_float16": 1e-2, "mixed_bfloat16": 5e-2}
"""In half precision, Keras computes what is computed in float32 here; in float64, Keras has parts
that it computes in float32."""

CASES = [
    *DENSE,
    *CONVOLUTION,
    *POOLING,
    *MERGING,
    *ATTENTION,
    *NORMALIZATION,
    *RESHAPING,
    *RECURRENT,
    *ELEMENTWISE,
    *PREPROCESSING,
    *WRAPPERS,
]


def recipe_of(case: Case) -> dict[str, Any]:
    names = [f"in{index}" for index in range(len(case.inputs))]
    read: Any = names
    if case.layer in SEPARATE_ARGUMENTS:
        read = dict(zip(("query", "value", "key"), names, strict=False))
    return {
        "recipe": 1,
        "name": "case",
        "inputs": {
            name: {"shape": list(spec.shape[1:]), "dtype": spec.dtype}
            for name, spec in zip(names, case.inputs, strict=True)
        },
        "layers": {
            "tested": {
                "type": case.layer,
                "input": read,
                "dtype_policy": case.policy,
                **case.arguments,
            }
        },
        "outputs": {"found": "tested"},
    }


def values(spec: TensorSpec, random: np.random.Generator) -> np.ndarray:
    shape = concrete(spec.shape, SIZES)
    if spec.dtype.startswith("float"):
        return random.normal(size=shape).astype(spec.dtype)
    return random.integers(0, 2 if spec.dtype == "bool" else 4, shape).astype(spec.dtype)


def loaded(case: Case) -> lstmgraph.Recipe | None:
    try:
        return lstmgraph.load(json.dumps(recipe_of(case)))
    except lstmgraph.RecipeError:
        return None


REFUSED = {
    *(f"Adaptive{kind}Pooling{n}D" for kind in ("Average", "Max") for n in (1, 2, 3)),
    *("STFTSpectrogram", "CenterCrop", "MelSpectrogram", "Resizing"),
}
"""By the export; the first of the second line by the recipe, too."""


@pytest.mark.parametrize("layer", sorted({case.layer for case in CASES}))
def test_layers_are_kerass(layer: str) -> None:
    """Every case that a recipe can hold and ONNX can compute; of other layers there is none."""
    written = 0
    for case in (case for case in CASES if case.layer == layer):
        recipe = loaded(case)
        if recipe is None or not case.eager or onnx_obstacles(recipe.compiled):
            continue
        model = recipe.build()
        randomise(model)
        random = np.random.default_rng(0)
        inputs = {f"in{i}": values(spec, random) for i, spec in enumerate(case.inputs)}
        assert_runs_as_keras(recipe, model, inputs, TOLERANCE[case.policy])
        written += 1
    assert bool(written) == (layer not in REFUSED)
