"""`keras_masks` against Keras: the mask that each call gets, and what its outputs carry."""

from __future__ import annotations

import random
import warnings
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L  # noqa: N812
from keras import ops
from keras.src.backend import get_keras_mask
from mask_watch import MASKS, value_of, watched

from lstmgraph.interop.execution import flat
from lstmgraph.interop.keras_masks import keras_masks
from lstmgraph.interop.reading import read_model

pytestmark = pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")

ROWS, STEPS, WIDTH = 2, 4, 3
SEEDS = (3, 7, 11, 28, 41, 55)
"""A sample; 360 others were compared once, by hand."""


def equal(mine: Any, theirs: Any) -> bool:
    if mine is None or theirs is None:
        return mine is theirs
    return mine.shape == theirs.shape and bool((mine.astype(bool) == theirs.astype(bool)).all())


def compare(model: keras.Model, data: dict[str, np.ndarray]) -> int:
    """Compare every mask of a run, and return how many there were."""
    masks, count = keras_masks(read_model(model)), 0
    with watched(model) as watch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outputs = keras.tree.flatten(model(data))
    watch.inputs.update({((), name): value for name, value in data.items()})
    watch.number_as(masks.calls)
    assert {(c.scope, c.place) for c in masks.calls} == set(watch.calls)
    for call in masks.calls:
        seen = watch.calls[call.scope, call.place]
        own = [*call.outputs, *[None] * len(seen.outputs)]
        for mask, theirs in zip(own, seen.outputs, strict=False):
            assert equal(value_of(mask, watch), theirs), (call.place, call.layer.type)
            count += theirs is not None
        if not call.layer.is_operation:
            got = [value_of(m, watch) for n in MASKS for m in flat(call.received.get(n)) if m]
            wanted = [each for each in seen.received if each is not None]
            assert len(got) == len(wanted), (call.place, call.layer.type)
            assert all(map(equal, got, wanted)), (call.place, call.layer.type)
            count += len(wanted)
    for output, mask in zip(outputs, masks.outputs, strict=True):
        theirs = get_keras_mask(output)
        assert equal(value_of(mask, watch), None if theirs is None else np.array(theirs))
    return count


def inputs() -> dict[str, Any]:
    return {
        "ids": keras.Input((STEPS,), dtype="int32", name="ids"),
        "a": keras.Input((STEPS, WIDTH), name="a"),
        "b": keras.Input((STEPS, WIDTH), name="b"),
        "m": keras.Input((STEPS,), dtype="bool", name="m"),
    }


def data() -> dict[str, np.ndarray]:
    chosen = np.random.default_rng(0)
    found = {
        "ids": chosen.integers(0, 3, (ROWS, STEPS)).astype("int32"),
        "a": chosen.integers(0, 2, (ROWS, STEPS, WIDTH)).astype("float32"),
        "b": chosen.random((ROWS, STEPS, WIDTH)).astype("float32"),
        "m": chosen.random((ROWS, STEPS)) < 0.6,
    }
    found["a"][:, -1] = 0
    return found


def model_of(given: dict[str, Any], *outputs: Any) -> keras.Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return keras.Model(given, [L.Identity()(each) for each in outputs])


def every_layer() -> keras.Model:
    """Each layer and operation that treats masks in a way of its own, once."""
    given = inputs()
    ids, a, b, m = given.values()
    e, x = L.Embedding(5, WIDTH, mask_zero=True)(ids), L.Masking()(a)
    ends: list[Any] = []
    state = L.Dense(WIDTH)(b[:, 0])
    for made in (L.LSTM, L.GRU, L.SimpleRNN):
        states = [state] * (2 if made is L.LSTM else 1)
        ends += [
            made(WIDTH, return_sequences=True)(x),
            made(WIDTH, return_sequences=True)(x, initial_state=states),
            made(WIDTH, return_sequences=True)(x, initial_state=states, mask=m),
            made(WIDTH)(e),
            *made(WIDTH, return_sequences=True, return_state=True)(e),
        ]
    both = L.Bidirectional(L.GRU(WIDTH, return_sequences=True, return_state=True), "sum")
    ends += [*both(x), both(e, initial_state=[state, state])[0]]
    ends += L.Bidirectional(L.GRU(WIDTH, return_sequences=True), merge_mode=None)(x)
    ends += [
        L.RNN(L.GRUCell(WIDTH), return_sequences=True)(x),
        L.Concatenate()([x, b]),
        L.Concatenate()([x, e]),
        L.Concatenate(axis=1)([x, b]),
        L.Concatenate(axis=1)([e, x]),
        *(merge()([x, e]) for merge in (L.Add, L.Multiply, L.Maximum, L.Minimum, L.Average)),
        *(merge()([x, b]) for merge in (L.Add, L.Multiply, L.Maximum, L.Subtract)),
        L.Dot(axes=2)([x, e]),
        L.Attention()([x, e]),
        L.Attention()([b, e]),
        L.AdditiveAttention()([e, x]),
        L.TimeDistributed(L.Dense(2))(x),
        L.Masking(1.0)(e),
        L.BatchNormalization()(x),
        L.LayerNormalization()(x),
        L.GlobalAveragePooling1D()(x),
        L.Conv1D(2, 2)(x),
        L.Reshape((STEPS, WIDTH))(x),
        L.Embedding(5, 2)(ids),
        x * 2,
        x[:, 1:],
        ops.cast(x, "float32"),
        ops.cast(x, "float16"),
        ops.moveaxis(x, 1, 1),
        L.LSTM(WIDTH, return_sequences=True)(x, mask=ops.any(ops.not_equal(b, 0), axis=-1)),
    ]
    ends.append(L.GRU(WIDTH, return_sequences=True)(L.Concatenate()([x, b])))
    return model_of(given, *ends)


def attention() -> keras.Model:
    """MultiHeadAttention takes the masks off what it reads, for calls that run after it."""
    given = inputs()
    ids, a, b, m = given.values()
    e, x = L.Embedding(5, WIDTH, mask_zero=True)(ids), L.Masking()(a)
    y = L.Add()([x, L.MultiHeadAttention(1, 2)(x, e)])
    half = L.MultiHeadAttention(1, 2, dtype="mixed_float16")(e, e)
    z = L.MultiHeadAttention(1, 2)(L.Dense(WIDTH)(b), x, query_mask=m)
    return model_of(given, L.Dense(2)(y), L.Dense(2)(e), half, z, L.GRU(2)(y))


def nested() -> keras.Model:
    given = inputs()
    ids, a, b, _ = given.values()
    inner_x = keras.Input((STEPS, WIDTH))
    inner_y = L.GRU(WIDTH, return_sequences=True)(inner_x)
    inner = keras.Model(inner_x, [inner_y, L.Masking()(inner_x), inner_y * 2])
    e, x = L.Embedding(5, WIDTH, mask_zero=True)(ids), L.Masking()(a)
    ends = [*inner(x), *inner(b), *inner(e)]
    sequential = keras.Sequential([keras.Input((STEPS, WIDTH)), L.Dense(3), L.Masking()])
    return model_of(given, *ends, sequential(x), L.LSTM(2)(inner(x)[0]), L.LSTM(2)(inner(b)[1]))


@pytest.mark.slow
@pytest.mark.parametrize(("build", "fewest"), [(every_layer, 70), (attention, 7), (nested, 15)])
def test_masks_by_hand(build: Any, fewest: int) -> None:
    assert compare(build(), data()) >= fewest


def grown(seed: int) -> keras.Model:
    """Return a model of random layers on random tensors before them."""
    chosen = random.Random(seed)
    given = inputs()
    ids, a, b, m = given.values()
    pool = [L.Embedding(5, WIDTH, mask_zero=True)(ids), L.Masking()(a), L.Dense(WIDTH)(b)]
    shared = L.LSTM(WIDTH, return_sequences=True)
    makers = (
        shared,
        lambda x, y: L.GRU(WIDTH, return_sequences=True)(x, initial_state=y[:, 0]),
        lambda x, _: L.GRU(WIDTH, return_sequences=True)(x, mask=m),
        lambda x, y: L.Dense(WIDTH)(L.Concatenate()([x, y])),
        lambda x, y: L.Concatenate(axis=1)([x, y])[:, :STEPS],
        lambda x, y: L.Add()([x, y]),
        lambda x, y: L.Maximum()([x, y]),
        lambda x, y: L.Multiply()([x, y]),
        lambda x, _: x * 2,
        lambda x, y: L.Attention()([x, y]),
        lambda x, y: L.MultiHeadAttention(1, 2)(query=x, value=y),
        lambda x, _: L.Masking()(x),
        lambda x, _: L.Conv1D(WIDTH, 2, padding="same")(x),
        lambda x, y: L.LSTM(WIDTH, return_sequences=True)(
            x, mask=ops.any(ops.not_equal(y, 0), axis=-1)
        ),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(8):
            maker = chosen.choice(makers)
            x, y = chosen.choice(pool), chosen.choice(pool)
            pool.append(maker(x) if maker is shared else maker(x, y))
        return model_of(given, pool[-1], *chosen.sample(pool, 3))


@pytest.mark.parametrize("seed", SEEDS)
def test_masks_of_random_models(seed: int) -> None:
    compare(grown(seed), data())
