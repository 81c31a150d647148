"""Hand-written Keras models that compute what they seem to: the audit finds nothing in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from audit_planted import features, tokens, words
from keras import layers as L  # noqa: N812 - as Keras's users write it
from keras import ops

if TYPE_CHECKING:
    from collections.abc import Callable

RIGHT: dict[str, Callable[[], keras.Model]] = {}


def right(build: Callable[[], keras.Model]) -> Callable[[], keras.Model]:
    RIGHT[build.__name__] = build
    return build


def compiled(model: keras.Model, loss: str = "mse", *metrics: str) -> keras.Model:
    model.compile("adam", loss, metrics=list(metrics))
    return model


@right
def forecast() -> keras.Model:
    return compiled(keras.Sequential([keras.Input((6, 3)), L.LSTM(4), L.Dense(1)]), "mse", "mae")


@right
def forecast_with_rmse() -> keras.Model:
    model = keras.Sequential([keras.Input((6, 3)), L.GRU(4), L.Dense(1)])
    model.compile("adam", "mse", metrics=[keras.metrics.RootMeanSquaredError()])
    return model


@right
def stacked() -> keras.Model:
    layers = [keras.Input((None, 3)), L.LSTM(4, return_sequences=True), L.Dropout(0.2), L.LSTM(4)]
    return keras.Sequential([*layers, L.Dense(2)])


@right
def sentiment() -> keras.Model:
    layers = [keras.Input((None,), dtype="int32"), L.Embedding(9, 4, mask_zero=True), L.LSTM(4)]
    model = keras.Sequential([*layers, L.Dense(1, activation="sigmoid")])
    return compiled(model, "binary_crossentropy", "accuracy", "AUC")


@right
def sentiment_float_ids() -> keras.Model:
    layers = [keras.Input((6,)), L.Embedding(5000, 4), L.Bidirectional(L.LSTM(4))]
    return keras.Sequential([*layers, L.Dense(1, activation="sigmoid")])


@right
def tagger() -> keras.Model:
    ids = tokens()
    y = L.Bidirectional(L.LSTM(4, return_sequences=True))(words(ids))
    y = L.TimeDistributed(L.Dense(5, activation="softmax"))(y)
    return compiled(keras.Model(ids, y), "sparse_categorical_crossentropy", "accuracy")


@right
def tagger_with_dropout_and_norms() -> keras.Model:
    ids = tokens()
    y = L.SpatialDropout1D(0.1)(words(ids))
    y = L.LayerNormalization()(L.GRU(4, return_sequences=True, dropout=0.2)(y))
    return keras.Model(ids, L.Dense(5, activation="softmax")(y))


@right
def masked_numbers() -> keras.Model:
    layers = [keras.Input((None, 3)), L.Masking(-1.0), L.GRU(4, return_sequences=True), L.LSTM(4)]
    return keras.Sequential([*layers, L.Dense(1)])


@right
def encoder_decoder() -> keras.Model:
    source, target = tokens("source"), tokens("target")
    embedding = L.Embedding(9, 4, mask_zero=True)
    _, h, c = L.LSTM(4, return_state=True)(words(source))
    y = embedding(target)
    y, _, _ = L.LSTM(4, return_sequences=True, return_state=True)(
        y, initial_state=[h, c], mask=embedding.compute_mask(target)
    )
    return keras.Model([source, target], L.Dense(9, activation="softmax")(y))


@right
def encoder_decoder_unmasked() -> keras.Model:
    x, y = features(), features("y")
    _, h, c = L.LSTM(4, return_state=True)(x)
    z = L.LSTM(4, return_sequences=True)(y, initial_state=[h, c])
    return keras.Model([x, y], L.Dense(1)(z))


@right
def bidirectional_encoder() -> keras.Model:
    x, y = features(), features("y")
    _, fh, fc, bh, bc = L.Bidirectional(L.LSTM(4, return_state=True))(x)
    h, c = L.Concatenate()([fh, bh]), L.Concatenate()([fc, bc])
    z = L.LSTM(8, return_sequences=True)(y, initial_state=[h, c])
    return keras.Model([x, y], L.Dense(1)(z))


@right
def bidirectional_to_bidirectional() -> keras.Model:
    x, y = features(), features("y")
    _, *states = L.Bidirectional(L.LSTM(4, return_state=True))(x)
    z = L.Bidirectional(L.LSTM(4))(y, initial_state=states)
    return keras.Model([x, y], L.Dense(1)(z))


@right
def bidirectional_gru_to_gru() -> keras.Model:
    x, y = features(), features("y")
    _, forward, backward = L.Bidirectional(L.GRU(4, return_state=True))(x)
    z = L.GRU(8)(y, initial_state=L.Concatenate()([forward, backward]))
    return keras.Model([x, y], L.Dense(1)(z))


@right
def bridged_states() -> keras.Model:
    x, y = features(), features("y")
    _, h, c = L.LSTM(4, return_state=True)(x)
    z = L.LSTM(5)(y, initial_state=[L.Dense(5)(h), L.Dense(5)(c)])
    return keras.Model([x, y], L.Dense(1)(z))


@right
def static_as_state() -> keras.Model:
    x, static = features(), keras.Input((2,), name="static")
    h, c = L.Dense(4, name="state_h")(static), L.Dense(4, name="state_c")(static)
    return keras.Model([x, static], L.Dense(1)(L.LSTM(4)(x, initial_state=[h, c])))


@right
def one_vector_for_both_states() -> keras.Model:
    x, h = features(), keras.Input((4,), name="image")
    return keras.Model([x, h], L.Dense(1)(L.LSTM(4)(x, initial_state=[h, h])))


@right
def states_as_inputs() -> keras.Model:
    x, h, c = features(), keras.Input((4,), name="h"), keras.Input((4,), name="c")
    y, *states = L.LSTM(4, return_sequences=True, return_state=True)(x, initial_state=[h, c])
    return keras.Model([x, h, c], [L.Dense(1)(y), *states])


@right
def static_repeated() -> keras.Model:
    x, static = features(steps=6), keras.Input((2,), name="static")
    joined = L.Concatenate()([x, L.RepeatVector(6)(static)])
    return keras.Model([x, static], L.Dense(1)(L.LSTM(4)(joined)))


@right
def static_repeated_masked() -> keras.Model:
    x, static = features(steps=6), keras.Input((2,), name="static")
    masking = L.Masking()
    joined = L.Concatenate()([masking(x), L.RepeatVector(6)(static)])
    y = L.LSTM(4)(joined, mask=masking.compute_mask(x))
    return keras.Model([x, static], L.Dense(1)(y))


@right
def static_after() -> keras.Model:
    ids, static = tokens(), keras.Input((2,), name="static")
    return keras.Model([ids, static], L.Dense(1)(L.Concatenate()([L.GRU(4)(words(ids)), static])))


@right
def same_mask_twice() -> keras.Model:
    ids = tokens()
    x = words(ids)
    y = L.Add()([x, L.LSTM(4, return_sequences=True)(x)])
    return keras.Model(ids, L.Dense(1)(L.GRU(4)(L.Concatenate()([x, y]))))


@right
def residual_stack() -> keras.Model:
    ids = tokens()
    x = words(ids)
    for _ in range(3):
        x = L.Add()([x, L.Dropout(0.1)(L.GRU(4, return_sequences=True)(x))])
    return keras.Model(ids, L.Dense(1)(L.GRU(4)(x)))


@right
def two_embeddings_of_ids() -> keras.Model:
    ids = tokens()
    x = L.Concatenate()([words(ids, "a"), words(ids, "b", 3)])
    return keras.Model(ids, L.Dense(1)(L.LSTM(4)(x)))


@right
def attention_over_encoder() -> keras.Model:
    source, target = tokens("source"), tokens("target")
    keys = L.LSTM(4, return_sequences=True)(words(source, "a"))
    queries = L.LSTM(4, return_sequences=True)(words(target, "b"))
    context = L.Attention()([queries, keys])
    y = L.Concatenate()([queries, context])
    return keras.Model([source, target], L.Dense(9, activation="softmax")(y))


@right
def additive_attention_pooled() -> keras.Model:
    source, target = tokens("source"), tokens("target")
    y = L.AdditiveAttention()([words(target, "a"), words(source, "b")])
    return keras.Model([source, target], L.Dense(1)(L.GRU(4)(y)))


@right
def heads() -> keras.Model:
    ids = tokens()
    x = words(ids)
    y = L.MultiHeadAttention(2, 2)(x, x)
    return keras.Model(ids, L.Dense(1)(L.GlobalAveragePooling1D()(y)))


@right
def heads_unmasked_residual() -> keras.Model:
    x = features(width=4)
    y = L.LayerNormalization()(L.Add()([x, L.MultiHeadAttention(2, 2)(x, x)]))
    return keras.Model(x, L.Dense(1)(L.GlobalAveragePooling1D()(y)))


@right
def attention_by_hand() -> keras.Model:
    ids = tokens()
    embedding = L.Embedding(9, 4, mask_zero=True)
    x = L.GRU(4, return_sequences=True)(embedding(ids))
    mask = ops.cast(ops.not_equal(ids, 0), "float32")[..., None]
    weights = ops.softmax(L.Dense(1)(x) - 1e9 * (1 - mask), axis=1)
    return keras.Model(ids, L.Dense(1)(ops.sum(weights * x, axis=1)))


@right
def pooled_sequence() -> keras.Model:
    ids = tokens()
    y = L.GRU(4, return_sequences=True)(words(ids))
    return keras.Model(ids, L.Dense(1)(L.GlobalAveragePooling1D()(y)))


@right
def convolution_before() -> keras.Model:
    layers = [keras.Input((12, 3)), L.Conv1D(4, 3), L.MaxPooling1D(2), L.LSTM(4)]
    return keras.Sequential([*layers, L.Dense(1)])


@right
def frames() -> keras.Model:
    layers = [keras.Input((5, 6, 6, 1)), L.ConvLSTM2D(2, 3), L.Flatten()]
    return keras.Sequential([*layers, L.Dense(1)])


@right
def images_by_step() -> keras.Model:
    layers = [keras.Input((5, 6, 6, 1)), L.TimeDistributed(L.Conv2D(2, 3))]
    return keras.Sequential([*layers, L.TimeDistributed(L.Flatten()), L.LSTM(4), L.Dense(1)])


@right
def words_of_sentences() -> keras.Model:
    ids = keras.Input((5, 6), dtype="int32", name="ids")
    x = L.Embedding(9, 4, mask_zero=True)(ids)
    sentences = L.TimeDistributed(L.GRU(4))(x)
    return keras.Model(ids, L.Dense(1)(L.Dense(4)(sentences[:, 0])))


@right
def autoencoder() -> keras.Model:
    layers = [keras.Input((6, 3)), L.LSTM(4), L.RepeatVector(6), L.LSTM(4, return_sequences=True)]
    return keras.Sequential([*layers, L.TimeDistributed(L.Dense(3))])


@right
def last_by_slice() -> keras.Model:
    x = features()
    y = L.LSTM(4, return_sequences=True)(x)
    return keras.Model(x, L.Dense(1)(y[:, -1]))


@right
def last_of_directions() -> keras.Model:
    x = features()
    y, forward, _, backward, _ = L.Bidirectional(
        L.LSTM(4, return_sequences=True, return_state=True)
    )(x)
    return keras.Model(x, [L.Dense(1)(y), L.Dense(1)(L.Concatenate()([forward, backward]))])


@right
def reversed_alone() -> keras.Model:
    ids = tokens()
    return keras.Model(ids, L.Dense(1)(L.LSTM(4, go_backwards=True)(words(ids))))


@right
def both_ways_by_hand() -> keras.Model:
    x = features()
    backward = L.LSTM(4, return_sequences=True, go_backwards=True)(x)
    y = L.Concatenate()([L.LSTM(4, return_sequences=True)(x), ops.flip(backward, axis=1)])
    return keras.Model(x, L.Dense(1)(y))


@right
def carried() -> keras.Model:
    x = keras.Input((6, 3), batch_size=2, name="x")
    return keras.Model(x, L.Dense(1)(L.LSTM(4, stateful=True)(x)))


@right
def mixed_precision() -> keras.Model:
    x = features()
    y = L.LSTM(4, dtype="mixed_float16")(x)
    model = keras.Model(x, L.Dense(3, activation="softmax", dtype="float32")(y))
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()), "mse")
    return model


@right
def mixed_precision_wrapped() -> keras.Model:
    x, policy = features(), "mixed_bfloat16"
    y = L.Bidirectional(L.LSTM(4, dtype=policy), dtype=policy)(x)
    return keras.Model(x, L.Dense(1, dtype="float32")(y))


@right
def seeded() -> keras.Model:
    x, make = features(), keras.initializers.GlorotUniform
    y = L.LSTM(
        4,
        kernel_initializer=make(seed=1),
        recurrent_initializer=keras.initializers.Orthogonal(seed=2),
    )(x)
    return keras.Model(x, L.Dense(1, kernel_initializer=make(seed=3))(y))


@right
def named_inputs() -> keras.Model:
    x, static = features(), keras.Input((2,), name="static")
    y = L.Concatenate()([L.LSTM(4)(x), L.Dense(3)(static)])
    return keras.Model({"x": x, "static": static}, {"y": L.Dense(1)(y)})


@right
def two_heads() -> keras.Model:
    ids = tokens()
    y = L.GRU(4, return_sequences=True)(words(ids))
    tags, score = L.Dense(5, activation="softmax", name="tags")(y), L.GRU(3)(y)
    model = keras.Model(ids, [tags, L.Dense(1, name="score")(score)])
    model.compile(
        "adam", ["sparse_categorical_crossentropy", "mse"], metrics=[["accuracy"], ["mae"]]
    )
    return model


@right
def metrics_of_a_row() -> keras.Model:
    ids = tokens()
    model = keras.Model(ids, L.Dense(1, activation="sigmoid")(L.GRU(4)(words(ids))))
    model.compile("adam", keras.losses.Dice(), metrics=[keras.metrics.Precision(), "AUC"])
    return model


@right
def nested() -> keras.Model:
    ids = tokens("inner_ids")
    inner = keras.Model(ids, L.GRU(4, return_sequences=True)(words(ids)), name="encoder")
    outer = tokens()
    return keras.Model(outer, L.Dense(1)(L.LSTM(4)(inner(outer))))


@right
def nested_twice() -> keras.Model:
    x = features(width=3)
    inner = keras.Model(x, L.GRU(4)(x), name="tower")
    a, b = features("a"), features("b")
    return keras.Model([a, b], L.Dense(1)(L.Subtract()([inner(a), inner(b)])))


@right
def nested_sequential() -> keras.Model:
    inner = keras.Sequential([keras.Input((None, 4)), L.Dense(4), L.GRU(4, return_sequences=True)])
    ids = tokens()
    return keras.Model(ids, L.Dense(1)(L.GRU(4)(inner(words(ids)))))


@right
def siamese() -> keras.Model:
    a, b = tokens("a"), tokens("b")
    embedding, encoder = L.Embedding(9, 4, mask_zero=True), L.LSTM(4)
    pair = [encoder(embedding(a)), encoder(embedding(b))]
    return keras.Model([a, b], L.Dot(axes=1, normalize=True)(pair))


@right
def stacked_cells() -> keras.Model:
    ids = tokens()
    return keras.Model(ids, L.Dense(1)(L.RNN([L.LSTMCell(4), L.LSTMCell(4)])(words(ids))))


@right
def zeros_in_padding() -> keras.Model:
    ids = tokens()
    y = L.LSTM(4, return_sequences=True, zero_output_for_mask=True)(words(ids))
    return keras.Model(ids, L.Dense(2)(y))


@right
def explicit_mask_input() -> keras.Model:
    x, mask = features(), keras.Input((None,), dtype="bool", name="mask")
    y = L.LSTM(4, return_sequences=True)(x, mask=mask)
    return keras.Model([x, mask], L.Dense(1)(y))


@right
def mask_of_lengths() -> keras.Model:
    x, lengths = features(), keras.Input((), dtype="int32", name="lengths")
    counted = ops.cumsum(ops.ones_like(x[:, :, 0], "int32"), 1) <= lengths[:, None]
    y = L.Bidirectional(L.GRU(4))(x, mask=counted)
    return keras.Model([x, lengths], L.Dense(1)(y))


@right
def batch_normalized() -> keras.Model:
    x = features()
    y = L.BatchNormalization()(L.Masking()(x))
    return keras.Model(x, L.Dense(1)(L.SimpleRNN(4)(y)))


@right
def time_features_in_front() -> keras.Model:
    past, future = features("past"), features("future")
    return keras.Model([past, future], L.Dense(1)(L.GRU(4)(L.Concatenate(axis=1)([past, future]))))


@right
def scaled_input() -> keras.Model:
    x = features(steps=6)
    return keras.Model(x, L.Dense(1)(L.LSTM(4)((x - 2.0) / 3.0 + ops.ones((3,)))))
