"""Lengths pass through every layer that changes the number of steps: each row is as it is alone.

The numbers are those of hand-written Keras layers on each row without its padding.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from building import outputs_of, randomise

import lstmgraph
from lstmgraph.keras_facts.catalogue import layer_class

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS = 13
LENGTHS = np.array([13, 9, 6, 5, 2, 1, 0], "int32")
SHAPES = {1: (3,), 2: (4, 3), 3: (4, 3, 2)}
"""The shape of one step, by the dimensions of the layer."""

Case = tuple[str, dict[str, Any]]


def convolutions(kind: str, **own: Any) -> Iterator[Case]:
    for kernel in (1, 2, 3, 4):
        yield kind, {**own, "kernel_size": kernel, "padding": "same"}
        for stride, dilation in ((1, 1), (2, 1), (3, 1), (1, 2)):
            moved = {"kernel_size": kernel, "strides": stride, "dilation_rate": dilation}
            yield kind, {**own, **moved, "padding": "valid"}
            if kind == "conv1d":
                yield kind, {**own, **moved, "padding": "causal"}
    yield kind, {**own, "kernel_size": 2, "strides": 2, "padding": "same"}
    yield kind, {**own, "kernel_size": 4, "strides": 2, "padding": "same"}
    yield kind, {**own, "kernel_size": 5, "dilation_rate": 2, "padding": "same"}


def transposed(kind: str) -> Iterator[Case]:
    for kernel, stride in ((1, 1), (3, 1), (2, 2), (3, 2), (1, 2), (4, 3), (5, 2)):
        for padding in ("same", "valid"):
            yield kind, {"filters": 2, "kernel_size": kernel, "strides": stride, "padding": padding}
    own = {"filters": 2, "kernel_size": 3, "strides": 2, "output_padding": 1}
    yield kind, {**own, "padding": "same"}
    yield kind, {**own, "padding": "valid"}
    yield kind, {"filters": 2, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}
    yield kind, {"filters": 2, "kernel_size": 3, "dilation_rate": 2, "padding": "valid"}


def pooling(kind: str) -> Iterator[Case]:
    for size in (1, 2, 3):
        for stride in (None, 1, 2, 4):
            yield kind, {"pool_size": size, "strides": stride, "padding": "valid"}
    yield kind, {"pool_size": 1, "strides": 2, "padding": "same"}


CASES: list[Case] = [
    *convolutions("conv1d", filters=2),
    *convolutions("separable_conv1d", filters=2, depth_multiplier=2),
    *convolutions("depthwise_conv1d", depth_multiplier=2),
    *transposed("conv1d_transpose"),
    *pooling("max_pooling1d"),
    *pooling("average_pooling1d"),
    *(("up_sampling1d", {"size": size}) for size in (1, 2, 3)),
    *(("zero_padding1d", {"padding": padding}) for padding in (0, 1, [2, 0], [0, 3], [1, 2])),
    *(("cropping1d", {"cropping": cropping}) for cropping in (0, 1, [2, 0], [0, 3], [1, 2])),
    *(("reshape", {"target_shape": target}) for target in ([-1, 3], [-1, 1], [-1, 3, 1])),
    ("conv2d", {"filters": 2, "kernel_size": [3, 2], "strides": [2, 1], "padding": "valid"}),
    ("conv2d", {"filters": 2, "kernel_size": [3, 2], "strides": 1, "padding": "same"}),
    ("conv2d", {"filters": 2, "kernel_size": [1, 3], "strides": [1, 2], "padding": "same"}),
    ("conv2d_transpose", {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"}),
    ("separable_conv2d", {"filters": 2, "kernel_size": 2, "padding": "valid"}),
    ("depthwise_conv2d", {"kernel_size": 3, "padding": "same"}),
    ("max_pooling2d", {"pool_size": [2, 1]}),
    ("average_pooling2d", {"pool_size": [3, 2], "strides": [2, 1]}),
    ("up_sampling2d", {"size": [2, 1]}),
    ("zero_padding2d", {"padding": [[1, 2], [0, 1]]}),
    ("cropping2d", {"cropping": [[1, 2], [0, 1]]}),
    ("reshape", {"target_shape": [-1, 12]}),
    ("reshape", {"target_shape": [-1, 4]}),
    ("conv3d", {"filters": 2, "kernel_size": [3, 2, 2], "strides": [2, 1, 1], "padding": "valid"}),
    ("conv3d_transpose", {"filters": 2, "kernel_size": 2, "padding": "valid"}),
    ("max_pooling3d", {"pool_size": [2, 1, 2]}),
    ("average_pooling3d", {"pool_size": [2, 2, 1]}),
    ("up_sampling3d", {"size": [2, 1, 1]}),
    ("zero_padding3d", {"padding": [[1, 0], [0, 1], [1, 1]]}),
    ("cropping3d", {"cropping": [[1, 1], [0, 1], [1, 0]]}),
]


def dimensions(case: Case) -> int:
    kind, arguments = case
    if kind == "reshape":
        return 1 if arguments["target_shape"][1] in (1, 3) else 2
    return next(int(letter) for letter in kind if letter.isdigit())


def recipe(cases: list[Case]) -> str:
    """All cases in one model; sequences also averaged over the steps that count."""
    layers: dict[str, Any] = {}
    for number, (kind, arguments) in enumerate(cases):
        source = f"x{dimensions((kind, arguments))}"
        mask = {"lengths": "lengths"}
        layers[f"c{number}"] = {"type": kind, "input": source, "mask": mask, **arguments}
        if source == "x1" and len(arguments.get("target_shape", ())) < 3:
            layers[f"a{number}"] = {"type": "global_average_pooling1d", "input": f"c{number}"}
    return json.dumps(
        {
            "recipe": 1,
            "name": "steps",
            "inputs": {
                **{f"x{d}": {"shape": ["time", *shape]} for d, shape in SHAPES.items()},
                "lengths": {"shape": [], "dtype": "int32"},
            },
            "layers": layers,
            "outputs": {name: name for name in layers},
        }
    )


def arrays(steps: int = STEPS, padding: float = np.nan) -> dict[str, np.ndarray]:
    """Rows of the same numbers whatever `steps` is, with `padding` behind each."""
    random = np.random.default_rng(3)
    found: dict[str, np.ndarray] = {"lengths": LENGTHS}
    for number, shape in SHAPES.items():
        x = np.full((len(LENGTHS), steps, *shape), padding, "float32")
        whole = random.normal(size=(len(LENGTHS), STEPS, *shape))
        for row, length in enumerate(LENGTHS):
            x[row, :length] = whole[row, :length]
        found[f"x{number}"] = x
    return found


def of_its_own(layer: keras.Layer, case: Case) -> keras.Layer:
    """A Keras layer with the weights of one of the model's."""
    kind, arguments = case
    own = getattr(keras.layers, layer_class(kind))(**arguments)
    own.build((1, None, *SHAPES[dimensions(case)]))
    own.set_weights(layer.get_weights())
    return own


def alone(own: keras.Layer, x: np.ndarray) -> np.ndarray:
    """What a Keras layer gives for one row; no steps where it would have no window."""
    shape = own.compute_output_shape((1, 100, *x.shape[2:]))
    try:
        steps = own.compute_output_shape(x.shape)[1]
        found = np.asarray(own(x)) if steps and steps > 0 else None
    except (ValueError, ZeroDivisionError):
        found = None
    return np.zeros((1, 0, *shape[2:])) if found is None else found


@pytest.fixture(scope="module")
def model() -> keras.Model:
    built = lstmgraph.load(recipe(CASES)).build()
    randomise(built)
    return built


@pytest.mark.slow
def test_each_row_is_as_it_is_alone(model: keras.Model) -> None:
    given = arrays()
    together = outputs_of(model, given)
    for number, case in enumerate(CASES):
        found, own = together[f"c{number}"], of_its_own(model.get_layer(f"c{number}"), case)
        for row, length in enumerate(LENGTHS):
            x = given[f"x{dimensions(case)}"][row : row + 1, :length]
            wanted = alone(own, x)[0]
            where = f"{case} of {length} steps"
            np.testing.assert_allclose(
                found[row, : len(wanted)], wanted, rtol=2e-5, atol=2e-6, err_msg=where
            )
            assert not found[row, len(wanted) :].any(), where
            if f"a{number}" in together:
                mean = wanted.mean(axis=0) if len(wanted) else np.zeros(wanted.shape[1])
                np.testing.assert_allclose(
                    together[f"a{number}"][row], mean, rtol=2e-5, atol=2e-6, err_msg=where
                )


@pytest.mark.slow
@pytest.mark.parametrize("padding", [1e30, -np.inf])
def test_padding_changes_nothing(model: keras.Model, padding: float) -> None:
    """Nor more of it; that of the test above is NaN."""
    wanted = outputs_of(model, arrays())
    wider = outputs_of(model, arrays(STEPS + 4, padding))
    for name, found in wanted.items():
        if name.startswith("a"):
            np.testing.assert_allclose(wider[name], found, rtol=2e-5, atol=2e-6)
        else:
            np.testing.assert_allclose(
                wider[name][:, : found.shape[1]], found, rtol=2e-5, atol=2e-6, err_msg=name
            )
            assert not wider[name][:, found.shape[1] :].any()
