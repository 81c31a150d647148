"""Shapes that follow from rules, held against those that Keras declares."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers, ops
from layer_case import Case, symbolic_call
from test_layer_facts import CASES

from lstmgraph.interop.inlining import inlined
from lstmgraph.interop.keras_model import Call, KerasModel, Tensor, flat_tensors
from lstmgraph.interop.reading import read_model
from lstmgraph.interop.shapes import with_shapes

UNKNOWN = ("STFTSpectrogram",)
FORGETTING = ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
"""Layers whose configuration lacks their policy."""


def bare(model: KerasModel) -> KerasModel:
    """The model with nothing stated but its inputs."""
    inputs = {name for name, layer in model.layers.items() if layer.type == "InputLayer"}
    return dataclasses.replace(
        model,
        shapes={tensor: s for tensor, s in model.shapes.items() if tensor.layer in inputs},
        dtypes={tensor: d for tensor, d in model.dtypes.items() if tensor.layer in inputs},
        layers={
            name: dataclasses.replace(layer, model=bare(layer.model)) if layer.model else layer
            for name, layer in model.layers.items()
        },
    )


def compared(inputs: object, outputs: list[keras.KerasTensor]) -> list[tuple[str, tuple, tuple]]:
    """What Keras declares of each output, beside what follows from the rules."""
    read = with_shapes(bare(read_model(keras.Model(inputs, outputs))))
    return [
        (
            tensor.layer,
            (read.shapes.get(tensor), read.dtypes.get(tensor)),
            (tuple(output.shape), output.dtype),
        )
        for tensor, output in zip(flat_tensors(read.outputs), outputs, strict=True)
    ]


@pytest.mark.slow
def test_layers() -> None:
    cases: list[Case] = [case for case in CASES if case.layer not in UNKNOWN]
    inputs, outputs = [], []
    for number, case in enumerate(cases):
        layer, output = symbolic_call(case)
        layer.name = f"case_{number}"
        inputs += layer._inbound_nodes[0].input_tensors
        outputs.append(output)
    wrong = []
    for case, (_, (shape, dtype), (their_shape, their_dtype)) in zip(
        cases, compared(inputs, outputs), strict=True
    ):
        assert shape is not None, case
        # Keras forgets sizes of an equation with dots or None, which the rules know.
        pairs = zip(shape, their_shape, strict=True)
        same_shape = all(ours == theirs or theirs is None for ours, theirs in pairs)
        is_float = all(spec.dtype.startswith("float") for spec in case.inputs)
        same_dtype = dtype == their_dtype or not is_float or case.layer in FORGETTING
        if not (same_shape and same_dtype):
            wrong.append((str(case), shape, dtype, their_shape, their_dtype))
    assert not wrong


@pytest.mark.slow
def test_recurrent_layers_and_wrappers_with_all_their_outputs() -> None:
    x = keras.Input((None, 3), name="x")
    images = keras.Input((4, 6, 6, 2), name="images")
    inner = keras.Sequential([layers.Input((3,)), layers.Dense(5), layers.Dense(2)])
    found: list[keras.KerasTensor] = []
    for sequences in (False, True):
        own = {"return_sequences": sequences, "return_state": True}
        for make in (layers.LSTM, layers.GRU, layers.SimpleRNN):
            found += make(4, **own)(x)
            for mode in ("concat", "sum", None):
                found += layers.Bidirectional(make(4, **own), merge_mode=mode)(x)
        cells = [layers.LSTMCell(2), layers.GRUCell(3), layers.SimpleRNNCell(5)]
        found += keras.tree.flatten(layers.RNN(cells, **own)(x))
        found += layers.RNN(layers.LSTMCell(2), **own)(x)
        found += layers.Bidirectional(layers.RNN(layers.GRUCell(2), **own))(x)
        found += layers.ConvLSTM2D(3, 3, **own)(images)
    found.append(layers.TimeDistributed(layers.Dense(7))(x))
    found.append(layers.TimeDistributed(inner)(x))
    found.append(layers.TimeDistributed(layers.Conv2D(3, 2))(images))
    found += layers.MultiHeadAttention(2, 3)(x, x, return_attention_scores=True)
    found += layers.Attention()([x, x], return_attention_scores=True)
    found.append(layers.RandomFlip()(images[:, 0]))
    found.append(layers.RandomCrop(3, 2)(images[:, 0]))
    wrong = [each for each in compared([x, images], found) if each[1] != each[2]]
    assert not wrong


def test_operations() -> None:
    x = keras.Input((None, 6), name="x")
    y = keras.Input((5, 6), name="y")
    n = keras.Input((5,), dtype="int32", name="n")
    h = keras.Input((6,), dtype="float16", name="h")
    m = keras.Input((None,), dtype="bool", name="m")
    found = [
        x + y,
        x - 1, 2.0 / x, n * 2, n + 1.5, n / 2, x**2, -n, x @ ops.transpose(y, (0, 2, 1)),
        h + 1, ops.add(h, n[:, :1]), x > 0, ops.equal(n, 3), ops.logical_not(m),
        ops.where(x > 0, x, 0.0),
        ops.where(m[..., None], x, y), ops.tanh(n), ops.relu(n), ops.square(x), ops.sqrt(n),
        ops.softmax(x), ops.log_softmax(y, axis=1), ops.sigmoid(h), ops.clip(y, 0, 1),
        ops.mean(x, axis=1), ops.mean(n, axis=-1, keepdims=True), ops.sum(m, axis=1),
        ops.sum(y, axis=(1, 2)), ops.max(y, axis=-1), ops.any(x, axis=-1), ops.argmax(y, axis=1),
        ops.std(y, axis=1), ops.logsumexp(y, axis=-1), ops.norm(y, axis=-1), ops.prod(n, axis=-1),
        ops.concatenate([x, y], axis=1), ops.concatenate([y, y, y]), ops.stack([h, h], axis=1),
        ops.stack([y, y]), ops.expand_dims(x, 1), ops.expand_dims(h, -1),
        ops.squeeze(h[:, :1], 1),
        ops.reshape(y, (-1, 3, 10)), ops.reshape(x, (-1, 6)), ops.reshape(y, (-1,)),
        ops.transpose(y, (1, 0, 2)), ops.swapaxes(y, 1, 2), ops.moveaxis(y, 2, 0),
        ops.cast(n, "float32"), ops.zeros_like(x), ops.ones_like(x, dtype="int32"),
        ops.full_like(y, 2), ops.repeat(y, 3, axis=1), ops.tile(y, (1, 2, 3)),
        ops.tile(h, 2), ops.take(y, n, axis=1), ops.take(x, 0, axis=1), ops.one_hot(n, 4),
        ops.take_along_axis(y, ops.expand_dims(n, -1), axis=1), ops.cumsum(n, axis=1),
        ops.flip(x, axis=1), ops.pad(y, ((0, 0), (1, 2), (0, 0))), ops.pad(h, 1),
        ops.roll(x, 1, 1),
        ops.einsum("btf,bsf->bts", x, y), ops.maximum(x, 0), ops.power(x, 2), ops.absolute(n),
        *ops.split(y, 5, axis=1), *ops.split(y, [2, 3], axis=2), *ops.unstack(y, axis=1),
        *ops.top_k(y, 2), x[:, -1], x[:, ::2], y[:, 1:3, None], y[..., 0], y[:, ::-1], x[0],
        n[:, 1:],
        ops.broadcast_to(h[:, None], (3, 4, 6)), ops.ravel(x), ops.ravel(y[0]), ops.isnan(x),
        ops.floor(x),
        ops.minimum(h, 1.0), ops.log(x), ops.round(h), ops.stop_gradient(x), ops.gelu(x),
        ops.count_nonzero(n, 1),

    ]  # fmt: skip
    wrong = [each for each in compared([x, y, n, h, m], found) if each[1] != each[2]]
    assert not wrong


def twice_nested() -> keras.Model:
    """A model that calls one nested model three times, which calls another twice."""
    a = keras.Input((4,), name="a")
    dense = layers.Dense(4, name="dense")
    deep = keras.Model(a, {"up": dense(a), "down": dense(-a)}, name="deep")
    p, q = keras.Input((4,), name="p"), keras.Input((4,), name="q")
    first, second = deep(p), deep(q)
    pair = keras.Model({"p": p, "q": q}, [first["up"] - second["down"], second["up"]], name="pair")
    x, y = keras.Input((4,), name="x"), keras.Input((4,), name="y")
    one, two = pair({"p": x, "q": y})
    three, _ = pair({"p": one, "q": two})
    head = keras.Sequential(
        [layers.Dense(3, name="wide"), layers.Dense(2, name="out")], name="head"
    )
    _, four = pair({"p": three, "q": one})
    return keras.Model([x, y], [head(three), head(four)], name="whole")


def test_nested_models_are_replaced_by_their_calls() -> None:
    model = twice_nested()
    read = inlined(read_model(model))
    assert not any(layer.model for layer in read.layers.values())
    counts = {name: sum(call.layer == name for call in read.calls) for name in read.layers}
    assert counts["pair/deep/dense"] == 12
    assert counts["head/wide"] == counts["head/out"] == 2
    assert [name for name in counts if read.layers[name].type == "InputLayer"] == ["x", "y"]

    weights = {path: [w.numpy() for w in layer.weights] for path, layer in dense_layers(model)}
    inputs = [np.random.default_rng(1).normal(size=(3, 4)).astype("float32") for _ in range(2)]
    values = {Tensor("x"): inputs[0], Tensor("y"): inputs[1]}
    for call in read.calls:
        values[Tensor(call.layer, call.index)] = computed(read, call, values, weights)
    for ours, theirs in zip(flat_tensors(read.outputs), model(inputs), strict=True):
        assert np.allclose(values[ours], theirs, atol=1e-5)


def dense_layers(model: keras.Model, prefix: str = "") -> list[tuple[str, keras.Layer]]:
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += dense_layers(layer, f"{prefix}{layer.name}/")
        elif layer.weights:
            found.append((f"{prefix}{layer.name}", layer))
    return found


def computed(read: KerasModel, call: Call, values: dict, weights: dict) -> np.ndarray:
    given = [values[value] for value in call.arguments]
    kind = read.layers[call.layer].type
    if kind == "Dense":
        kernel, bias = weights[call.layer]
        return given[0] @ kernel + bias
    return {"Negative": lambda a: -a, "Subtract": lambda a, b: a - b}[kind](*given)


def test_a_frozen_nested_model_freezes_its_layers() -> None:
    model = twice_nested()
    model.get_layer("pair").trainable = False
    read = inlined(read_model(model))
    assert read.layers["pair/deep/dense"].config["trainable"] is False
    assert read.layers["head/wide"].config["trainable"] is True


def test_shapes_of_nested_models() -> None:
    model = twice_nested()
    read = with_shapes(bare(read_model(model)))
    shapes = [read.shapes[tensor] for tensor in flat_tensors(read.outputs)]
    assert shapes == [(None, 2), (None, 2)]
