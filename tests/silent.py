"""What the tests of Keras's silent wrong results share: data, and how a refusal is read."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from building import Arrays, load

from lstmgraph.messages.errors import RecipeError

RANDOM = np.random.default_rng(7)
LENGTHS = np.array([5, 3, 1], "int32")
COUNTS = np.arange(5) < LENGTHS[:, None]
X = (RANDOM.normal(size=(3, 5, 3)) * COUNTS[:, :, None]).astype("float32")
"""Three rows of up to five steps, padded with zeros on the right."""
FRAMES = RANDOM.normal(size=(3, 5, 3)).astype("float32")
"""As many steps without padding; where a mask ends them, what follows is not zero."""
H, C, STATIC = RANDOM.normal(size=(3, 3, 4)).astype("float32")
"""States of four units, and static features."""

TOLERANCE = 1e-5


def numbers(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def assert_close(found, wanted) -> None:
    np.testing.assert_allclose(numbers(found), wanted, rtol=0, atol=TOLERANCE)


def assert_far(found, wanted) -> None:
    """Wrong by far more than rounding."""
    assert np.abs(numbers(found) - wanted).max() > 0.01


def weights_of(layer: keras.Layer) -> list[np.ndarray]:
    return [weight.astype("float64") for weight in layer.get_weights()]


def row_by_row(cell, x, weights, states: tuple[np.ndarray, ...] = ()) -> np.ndarray:
    """The last output of each row, computed in NumPy without its padding: no mask is needed."""
    rows = []
    for row, steps in enumerate(LENGTHS):
        own = tuple(state[row : row + 1] for state in states) or None
        rows.append(cell(x[row : row + 1, :steps], weights, None, own).last[0])
    return np.array(rows)


def outputs(model: keras.Model, **inputs: np.ndarray) -> Arrays:
    return {name: numbers(tensor) for name, tensor in model(inputs).items()}


def refusal(text: str) -> tuple[str, str]:
    """The code of the one mistake in a recipe, and the line that it points to."""
    with pytest.raises(RecipeError) as caught:
        load(text)
    (found,) = caught.value.diagnostics
    lines = caught.value.sources[found.place.source].splitlines()
    return found.code, lines[found.place.span.line - 1].strip()


def hint(text: str) -> str:
    with pytest.raises(RecipeError) as caught:
        load(text)
    return caught.value.diagnostics[0].hint or ""
