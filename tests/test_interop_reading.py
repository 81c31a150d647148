"""Models of Keras 3 as data: in memory, in files, as JSON; all forms the same."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from interop_running import run
from keras import layers, ops

from lstmgraph.interop.keras_model import Constant, KerasModel, Tensor
from lstmgraph.interop.reading import read_model
from lstmgraph.interop.weights import read_weights
from lstmgraph.messages.errors import ModelFileError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning", "ignore:You are saving your model"
)


def whole() -> keras.Model:
    """A model with masks, states, shared and nested layers, wrappers, cells and operations."""
    x = keras.Input((None, 3), name="x")
    masked = layers.Masking(name="masking")(x)
    y, h, c = layers.LSTM(4, return_sequences=True, return_state=True, name="lstm")(masked)
    gru = layers.GRU(4, return_sequences=True, reset_after=False, name="gru")
    first = gru(y, initial_state=h)
    second = gru(first)
    joined = ops.add(second, first) * 2
    last = joined[:, -1, ...]
    wide = ops.concatenate([last, ops.zeros_like(last), c], axis=-1)
    head = keras.Sequential([layers.Dense(2, activation="relu"), layers.Dense(1)], name="head")
    inner = keras.Input((12,), name="inner")
    nested = keras.Model(inner, {"q": layers.Dense(2, name="q")(inner), "p": -inner}, name="nested")
    outputs = {
        "sum": head(wide) + head(wide * 0.5),
        "q": nested(wide)["q"],
        "bi": layers.Bidirectional(layers.LSTM(3), merge_mode="ave", name="bi")(masked),
        "cells": layers.RNN([layers.LSTMCell(2), layers.GRUCell(3)], name="cells")(masked),
        "steps": layers.TimeDistributed(layers.Dense(2), name="steps")(x),
        "where": ops.where(x > 0, x, np.array([1.0, 2.0, 3.0], "float32")),
    }
    model = keras.Model({"x": x}, outputs, name="whole")
    model.compile("adam", "mse", metrics=["mae"])
    return model


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.clear_session()  # names of operations count from the start
    return whole()


def without_source(read: KerasModel) -> KerasModel:
    return dataclasses.replace(read, source="")


@pytest.mark.slow
def test_every_form_is_the_same(model: keras.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "m.keras")
    text = model.to_json()
    (tmp_path / "m.json").write_text(text)
    model.save(tmp_path / "m.h5")  # takes the optimizer out of what `to_json` writes from here on
    read = read_model(tmp_path / "m.keras")
    assert read.source == str(tmp_path / "m.keras")
    others = [text, json.loads(text), tmp_path / "m.json"]
    for source in (*others, str(tmp_path / "m.json")):
        assert without_source(read_model(source)) == without_source(read)
    live, old = read_model(model), read_model(tmp_path / "m.h5")
    for other in (live, old):
        assert (other.calls, other.outputs, other.shapes) == (read.calls, read.outputs, read.shapes)
    assert old.layers == read.layers
    assert live.layers["lstm"].config["use_cudnn"] == "auto"  # which no file holds
    assert "use_cudnn" not in read.layers["lstm"].config
    assert read.compile is not None
    assert read.compile["loss"] == "mse"

    weights = [read_weights(tmp_path / name, read) for name in ("m.keras", "m.h5")]
    inputs = [np.random.default_rng(2).normal(size=(2, 5, 3)).astype("float32")]
    inputs[0][0, 3:] = 0.0
    wanted = keras.tree.flatten(model({"x": inputs[0]}))
    for own in weights:
        for ours, theirs in zip(run(read, own, inputs), wanted, strict=True):
            assert np.abs(ours - np.asarray(theirs)).max() < 1e-6


def test_layers_and_calls(model: keras.Model) -> None:
    read = read_model(model)
    assert [call.index for call in read.calls if call.layer == "gru"] == [0, 1]
    first, second = (call for call in read.calls if call.layer == "gru")
    assert first.keywords["initial_state"] == Tensor("lstm", 0, 1)
    assert second.arguments == (Tensor("gru", 0),)
    assert read.layers["gru"].config["reset_after"] is False
    assert read.layers["gru"].config["dtype"] == "float32"
    assert read.layers["gru"].config["kernel_initializer"]["class_name"] == "GlorotUniform"
    assert read.layers["head"].model is not None
    assert set(read.layers["nested"].model.layers) == {"inner", "q", "negative"}
    assert read.outputs["q"] == Tensor("nested", 0, 1)  # mappings in the order of their keys
    item = next(call for call in read.calls if call.layer == "get_item")
    assert item.arguments[1] == [slice(None), -1, ...]
    where = next(call for call in read.calls if call.layer == "where")
    assert where.arguments[2] == Constant([1.0, 2.0, 3.0], "float32")
    seen: set[Tensor] = {Tensor("x")}
    for call in read.calls:  # each after those that it reads
        assert all(dataclasses.replace(each, output=0) in seen for each in call.tensors())
        seen.add(Tensor(call.layer, call.index))


def test_a_model_inside_a_wrapper() -> None:
    x = keras.Input((None, 3), name="x")
    step = keras.Sequential([layers.Input((3,)), layers.Dense(2), layers.Dense(1)], name="step")
    read = read_model(keras.Model(x, layers.TimeDistributed(step, name="steps")(x)))
    inner = read.layers["steps"].config["layer"]
    assert inner["class_name"] == "Sequential"
    kinds = [layer.type for layer in inner["model"].layers.values()]
    assert kinds == ["InputLayer", "Dense", "Dense"]


def test_sequential_models_without_an_input() -> None:
    built = keras.Sequential([layers.LSTM(2, name="first"), layers.Dense(1)])
    with pytest.raises(ModelFileError, match="never built"):
        read_model(built)
    built.build((None, 4, 3))
    read = read_model(built)
    assert read.shapes[read.inputs] == (None, 4, 3)
    assert read.calls[0].arguments == (read.inputs,)


class Own(keras.Model):
    def call(self, x: object) -> object:
        return x


class OwnLayer(layers.Layer):
    def call(self, x: object) -> object:
        return x


def test_what_is_not_keras_s_is_named_at_once() -> None:
    x = keras.Input((3,), name="x")
    y = layers.Lambda(lambda value: value, name="code")(OwnLayer(name="mine")(x))
    with pytest.raises(ModelFileError) as caught:
        read_model(keras.Model(x, y, name="m"))
    assert [found.code for found in caught.value.diagnostics] == ["M106", "M105"]
    assert "layer 'mine'" in str(caught.value)
    assert "layer 'code'" in str(caught.value)
    with pytest.raises(ModelFileError, match="not a Functional or Sequential"):
        read_model(Own())
    with pytest.raises(ModelFileError, match="no Keras model"):
        read_model(3)  # type: ignore[arg-type]


def test_old_arguments_of_keras_1_and_2() -> None:
    def one(kind: str, **own: object) -> dict:
        config = {"name": "one", "batch_input_shape": [None, 4, 3], **own}
        return {
            "class_name": "Sequential",
            "config": {"name": "s", "layers": [{"class_name": kind, "config": config}]},
        }

    read = read_model(one("GRU", units=2, recurrent_activation="sigmoid", implementation=0))
    assert read.layers["one"].config["reset_after"] is False
    assert read.layers["one"].config["implementation"] == 1
    assert read.layers["one_input"].config["batch_shape"] == [None, 4, 3]
    read = read_model(one("CuDNNGRU", units=2))
    assert read.layers["one"].type == "GRU"
    assert read.layers["one"].config["reset_after"] is True
    read = read_model(one("LSTM", output_dim=2, inner_activation="sigmoid", init="uniform"))
    config = read.layers["one"].config
    assert (config["units"], config["recurrent_activation"]) == (2, "sigmoid")
    assert config["kernel_initializer"] == {"class_name": "RandomUniform", "config": {}}
    read = read_model(one("BatchNormalizationV1", axis=[2], fused=True))
    assert read.layers["one"].type == "BatchNormalization"
    assert read.layers["one"].config["axis"] == 2
    for kind, own, words in (
        ("LSTM", {"units": 2, "recurrent_activation": "sigmoid", "time_major": True}, "time_major"),
        ("LSTM", {"units": 2}, "another function"),  # Keras 2.0's default, hard_sigmoid
        ("Dense", {"units": 2, "activation": "hard_sigmoid"}, "another function"),
        ("BatchNormalization", {"renorm": True}, "renorm"),
    ):
        with pytest.raises(ModelFileError, match=words):
            read_model(one(kind, **own))
