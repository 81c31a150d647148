"""Random calls of recurrent layers, and their outputs and gradients in NumPy float64."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import reference as ref
import tensorflow as tf
from keras import layers

if TYPE_CHECKING:
    from collections.abc import Mapping

CLASSES: dict[str, tuple[type[keras.Layer], dict[str, Any]]] = {
    "lstm": (layers.LSTM, {"use_cudnn": False}),
    "gru": (layers.GRU, {"use_cudnn": False}),
    "gru-before": (layers.GRU, {"use_cudnn": False, "reset_after": False}),
    "rnn": (layers.SimpleRNN, {}),
}
FORMULAS = {"lstm": ref.lstm, "gru": ref.gru, "gru-before": ref.gru, "rnn": ref.simple_rnn}
BOTH = (False, True)
ACTIVATIONS = {
    "tanh": np.tanh,
    "sigmoid": ref.sigmoid,
    "hard_sigmoid": lambda x: np.where(np.abs(x[:1]) < 3, x / 6 + 0.5, x[:1] > 0),
    "relu": lambda x: np.where(x[:1] > 0, x, 0),
    "linear": lambda x: x,
}
"""Of several models at once. All of them take the branch of the first."""
AXES: dict[str, tuple[Any, ...]] = {
    "return_sequences": BOTH,
    "return_state": BOTH,
    "go_backwards": BOTH,
    "zero_output_for_mask": BOTH,
    "use_bias": BOTH,
    "dropout": (0.0, 0.4),
    "recurrent_dropout": (0.0, 0.4),
    "activation": ("tanh", *ACTIVATIONS),
    "recurrent_activation": ("sigmoid", *ACTIVATIONS),
    "implementation": (1, 2),
    "dtype": ("float32", "float32", "float64", "float64", "mixed_bfloat16"),
}
OF_GATES = ("recurrent_activation", "implementation")
"""Arguments that a layer without gates does not have."""
CALLS: dict[str, tuple[Any, ...]] = {
    "mask": ("none", "lengths", "holes"),
    "given states": BOTH,
    "training": (True, True, True, False),
    "rows": (1, 3),
    "steps": (1, 2, 4),
}
UNITS, FEATURES = 2, 2
STEP = 1e-5
"""Between the points of the differences."""


@dataclass(frozen=True)
class Case:
    """A layer and a call of it."""

    kind: str
    seed: int
    arguments: dict[str, Any]
    mask: str
    tensors: list[np.ndarray]
    """The inputs, (rows, steps, FEATURES), then the initial states."""
    weights: list[np.ndarray]
    counted: np.ndarray | None
    training: bool

    @property
    def call(self) -> dict[str, Any]:
        """What the call of the layer is given, beside tensors."""
        mask = None if self.counted is None else tf.constant(self.counted)
        return {"mask": mask, "training": self.training}

    def layer(self) -> keras.Layer:
        cls, own = CLASSES[self.kind]
        layer = cls(UNITS, **own, **self.arguments, seed=3)
        layer.build(self.tensors[0].shape)
        layer.set_weights(self.weights)
        return layer


EVERYTHING = {
    "return_sequences": True,
    "return_state": True,
    "use_bias": True,
    "dropout": 0.4,
    "recurrent_dropout": 0.4,
    "dtype": "float32",
    "mask": "holes",
    "given states": True,
    "training": True,
    "rows": 3,
    "steps": 4,
}
"""What a call has that leaves nothing of the loop out."""


def drawn(kind: str, seed: int, fixed: Mapping[str, Any] = MappingProxyType({})) -> Case:
    """Draw a case; the same seed gives the same. Values of `fixed` take the place of drawn ones."""
    random = np.random.default_rng([seed, list(CLASSES).index(kind)])
    arguments, call = (
        {
            name: fixed.get(name, values[random.integers(len(values))])
            for name, values in axes.items()
        }
        for axes in (AXES, CALLS)
    )
    if kind == "rnn":
        arguments = {name: each for name, each in arguments.items() if name not in OF_GATES}
    rows, steps = call["rows"], call["steps"]
    gates = {"lstm": 4, "rnn": 1}.get(kind, 3)
    shapes = [(FEATURES, gates * UNITS), (UNITS, gates * UNITS)]
    if arguments["use_bias"]:
        shapes += [(2, gates * UNITS) if kind == "gru" else (gates * UNITS,)]
    given = {"lstm": 2}.get(kind, 1) if call["given states"] else 0
    of_tensors = [(rows, steps, FEATURES), *[(rows, UNITS)] * given]
    counted = {
        "none": None,
        "lengths": np.arange(steps) < random.integers(steps, size=(rows, 1), endpoint=True),
        "holes": random.integers(2, size=(rows, steps)).astype(bool),
    }[call["mask"]]
    # Products of gates without bounds leave the range of float32 if weights are large.
    scale = 0.4 if arguments.get("recurrent_activation") in {"relu", "linear"} else 1
    return Case(
        kind,
        seed,
        arguments,
        call["mask"],
        [random.normal(size=shape) for shape in of_tensors],
        [scale * random.normal(size=shape) for shape in shapes],
        counted,
        call["training"],
    )


def weights_of(outputs: list[Any], dtype: str) -> list[Any]:
    """What each number of the outputs counts in the loss, in the dtype of the outputs."""
    weights = [np.cos(np.arange(np.size(each)).reshape(np.shape(each))) for each in outputs]
    return [tf.constant(weight, dtype) for weight in weights]


def keras_dropout(layer: keras.Layer, tensors: list[Any]) -> dict[str, list[np.ndarray]]:
    """What the first call of a layer multiplies inputs and states by; it is still the first."""
    cell = layer.cell
    begin = cell.seed_generator.state.numpy()
    states = tensors[1] if tensors[1:] else tf.zeros((len(tensors[0]), UNITS), tensors[0].dtype)
    found = cell.get_dropout_mask(tensors[0][:, 0]), cell.get_recurrent_dropout_mask(states)
    layer._maybe_reset_dropout_masks(cell)
    cell.seed_generator.state.assign(begin)
    dropped = [
        [_exact(each) for each in keras.tree.flatten(masks) if each is not None] for masks in found
    ]
    return dict(zip(("dropped", "dropped_state"), dropped, strict=True))


def differentiated(
    case: Case, layer: keras.Layer, tensors: list[Any], dropout: dict[str, list[np.ndarray]]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The outputs, and the loss's central differences by each of the tensors and weights."""
    cast = [tf.cast(variable, layer.compute_dtype) for variable in layer.trainable_variables]
    parts = [_exact(each) for each in [*tensors, *cast]]
    point = np.concatenate([np.ravel(part) for part in parts])
    count = len(point)
    points = point + STEP * np.concatenate([np.zeros((1, count)), np.eye(count), -np.eye(count)])
    ends = np.cumsum([part.size for part in parts])[:-1]
    shaped = [
        own.reshape(-1, *part.shape)
        for own, part in zip(np.split(points, ends, axis=1), parts, strict=True)
    ]
    given, weights = shaped[: len(tensors)], shaped[len(tensors) :]
    outputs = _outputs(case, given, weights, dropout)
    counts = weights_of([each[0] for each in outputs], layer.compute_dtype)
    losses = sum(
        (each * _exact(counted)).reshape(len(points), -1).sum(axis=1)
        for each, counted in zip(outputs, counts, strict=True)
    )
    slopes = (losses[1 : count + 1] - losses[count + 1 :]) / (2 * STEP)
    gradients = [
        own.reshape(part.shape) for own, part in zip(np.split(slopes, ends), parts, strict=True)
    ]
    return [each[0] for each in outputs], gradients


def _outputs(
    case: Case,
    given: list[np.ndarray],
    weights: list[np.ndarray],
    dropout: dict[str, list[np.ndarray]],
) -> list[np.ndarray]:
    """Those of several models at once."""
    kernel, recurrent, *bias = weights
    if bias:
        one = bias[0][..., None, :]
        bias = [np.moveaxis(one, 1, 0) if case.kind == "gru" else one]
    functions = {"activation": ACTIVATIONS[case.arguments["activation"]]}
    if case.kind != "rnn":
        functions["gate"] = ACTIVATIONS[case.arguments["recurrent_activation"]]
    if case.kind == "gru-before":
        functions["reset_after"] = False
    run = FORMULAS[case.kind](
        given[0],
        [kernel, recurrent, *bias],
        case.counted,
        tuple(given[1:]) or None,
        **functions,
        **(dropout if case.training else {}),
        go_backwards=case.arguments["go_backwards"],
        hold=not case.arguments["zero_output_for_mask"],
    )
    every = case.arguments["return_sequences"]
    output = run.sequence if every else run.sequence[..., -1, :]
    return [output, *(run.state if case.arguments["return_state"] else ())]


def _exact(tensor: Any) -> np.ndarray:
    return tf.cast(tensor, "float64").numpy()
