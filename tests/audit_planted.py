"""Hand-written Keras models, each with one of the silent faults of Keras that the audit finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
from keras import layers as L  # noqa: N812 - as Keras's users write it
from keras import ops

if TYPE_CHECKING:
    from collections.abc import Callable

PLANTED: dict[str, Planted] = {}


@dataclass(frozen=True)
class Planted:
    """A model with one fault."""

    fact: str
    """Which of the measured facts about Keras it is."""
    code: str
    place: str
    build: Callable[[], keras.Model]
    sure: str


def planted(
    fact: str, code: str, place: str = "", sure: str = "certain"
) -> Callable[[Callable[[], keras.Model]], Callable[[], keras.Model]]:
    def register(build: Callable[[], keras.Model]) -> Callable[[], keras.Model]:
        PLANTED[build.__name__] = Planted(fact, code, place, build, sure)
        return build

    return register


def features(name: str = "x", steps: int | None = None, width: int = 3) -> keras.KerasTensor:
    return keras.Input((steps, width), name=name)


def tokens(name: str = "ids") -> keras.KerasTensor:
    return keras.Input((None,), dtype="int32", name=name)


def words(ids: keras.KerasTensor, name: str = "words", units: int = 4) -> keras.KerasTensor:
    return L.Embedding(9, units, mask_zero=True, name=name)(ids)


@planted("1: initial_state drops the mask", "A101", "lstm")
def state_drops_mask() -> keras.Model:
    x, h, c = features(), keras.Input((4,), name="first"), keras.Input((4,), name="second")
    y = L.LSTM(4, name="lstm")(L.Masking()(x), initial_state=[h, c])
    return keras.Model([x, h, c], L.Dense(1)(y))


@planted("1: the same of GRU", "A101", "gru")
def state_drops_mask_gru() -> keras.Model:
    ids, h = tokens(), keras.Input((4,), name="start")
    return keras.Model([ids, h], L.Dense(1)(L.GRU(4, name="gru")(words(ids), initial_state=h)))


@planted("1: the same of RNN(cell)", "A101", "rnn")
def state_drops_mask_cell() -> keras.Model:
    ids, h = tokens(), keras.Input((4,), name="start")
    y = L.RNN(L.SimpleRNNCell(4), name="rnn")(words(ids), initial_state=[h])
    return keras.Model([ids, h], L.Dense(1)(y))


@planted("1: the same of Bidirectional", "A101", "both")
def state_drops_mask_bidirectional() -> keras.Model:
    ids, h = tokens(), keras.Input((4,), name="start")
    y = L.Bidirectional(L.GRU(4, return_sequences=True), name="both")(
        words(ids), initial_state=[h, h]
    )
    return keras.Model([ids, h], L.Dense(1)(y))


@planted("1: in a decoder whose sequence alone is read", "A101", "decoder", "likely")
def decoder_drops_mask() -> keras.Model:
    source, target = tokens("source"), tokens("target")
    _, h, c = L.LSTM(4, return_state=True)(words(source, "source_words"))
    y = L.LSTM(4, return_sequences=True, name="decoder")(
        words(target, "target_words"), initial_state=[h, c]
    )
    return keras.Model([source, target], L.Dense(9, activation="softmax")(y))


@planted("2: Concatenate's mask is OR", "A103", "join")
def joined_with_static() -> keras.Model:
    x, static = features(steps=6), keras.Input((2,), name="static")
    joined = L.Concatenate(name="join")([L.Masking()(x), L.RepeatVector(6)(static)])
    return keras.Model([x, static], L.Dense(1)(L.LSTM(4)(joined)))


@planted("2: masks of two inputs by OR", "A103", "sum", "possible")
def added_masks() -> keras.Model:
    a, b = tokens("a"), tokens("b")
    y = L.Add(name="sum")([words(a, "a_words"), words(b, "b_words")])
    return keras.Model([a, b], L.Dense(1)(L.GRU(4)(y)))


@planted("3: padded outputs differ between CPU and cuDNN", "A172", "lstm", "possible")
def padded_outputs() -> keras.Model:
    ids = tokens()
    return keras.Model(ids, L.LSTM(4, return_sequences=True, name="lstm")(words(ids)))


@planted("3: the last step of a masked sequence", "A172", "last", "likely")
def last_of_masked() -> keras.Model:
    ids = tokens()
    y = L.LSTM(4, return_sequences=True)(words(ids))
    last = y[:, -1]
    last._keras_history.operation.name = "last"
    return keras.Model(ids, L.Dense(1)(last))


@planted("4: zero_output_for_mask without return_sequences", "A109", "lstm")
def zero_last() -> keras.Model:
    ids = tokens()
    y = L.LSTM(4, zero_output_for_mask=True, name="lstm")(words(ids))
    return keras.Model(ids, L.Dense(1)(y))


@planted("5: a state of the wrong width builds", "A126", "lstm")
def wrong_width() -> keras.Model:
    x, h = features(), keras.Input((5,), name="start")
    return keras.Model([x, h], L.LSTM(4, name="lstm")(x, initial_state=[h, h]))


@planted("5: too few states build", "A126", "lstm")
def too_few_states() -> keras.Model:
    x, h = features(), keras.Input((4,), name="start")
    return keras.Model([x, h], L.LSTM(4, name="lstm")(x, initial_state=[h]))


@planted("6: four states into an LSTM", "A121", "decoder")
def four_states() -> keras.Model:
    x, y = features(), features("y")
    _, *states = L.Bidirectional(L.LSTM(4, return_state=True))(x)
    return keras.Model([x, y], L.LSTM(4, name="decoder")(y, initial_state=list(states)))


@planted("6: c into a GRU", "A121", "decoder")
def cell_into_gru() -> keras.Model:
    x, y = features(), features("y")
    _, h, c = L.LSTM(4, return_state=True)(x)
    return keras.Model([x, y], L.GRU(4, name="decoder")(y, initial_state=[h, c]))


@planted("6: h and c are swapped", "A122", "decoder", "likely")
def swapped() -> keras.Model:
    x, y = features(), features("y")
    _, h, c = L.LSTM(4, return_state=True)(x)
    return keras.Model([x, y], L.LSTM(4, name="decoder")(y, initial_state=[c, h]))


@planted("6: h and c are swapped, by the names of inputs", "A122", "decoder", "likely")
def swapped_inputs() -> keras.Model:
    y, h, c = features("y"), keras.Input((4,), name="state_h"), keras.Input((4,), name="state_c")
    return keras.Model([y, h, c], L.LSTM(4, name="decoder")(y, initial_state=[c, h]))


@planted("6: states of both directions in another order", "A122", "decoder", "likely")
def crossed_directions() -> keras.Model:
    x, y = features(), features("y")
    _, fh, fc, bh, bc = L.Bidirectional(L.LSTM(4, return_state=True))(x)
    decoder = L.Bidirectional(L.LSTM(4), name="decoder")
    return keras.Model([x, y], decoder(y, initial_state=[fh, bh, fc, bc]))


@planted("7: a state of a batch of 1", "A123", "gru")
def one_state_for_all() -> keras.Model:
    x = features()
    return keras.Model(x, L.GRU(4, name="gru")(x, initial_state=ops.ones((1, 4))))


@planted("8: stateful and initial_state", "A124", "lstm")
def stateful_with_state() -> keras.Model:
    x = keras.Input((6, 3), batch_size=2, name="x")
    h = keras.Input((4,), batch_size=2, name="start")
    y = L.LSTM(4, stateful=True, name="lstm")(x, initial_state=[h, h])
    return keras.Model([x, h], L.Dense(1)(y))


@planted("8: the carried state is not saved", "A125", "lstm", "possible")
def stateful() -> keras.Model:
    x = keras.Input((6, 3), batch_size=2, name="x")
    return keras.Model(x, L.LSTM(4, stateful=True, name="lstm")(x))


@planted("9: load_weights goes by order", "A182", "first", "possible")
def same_shapes() -> keras.Model:
    a, b = features("a"), features("b")
    y = L.Concatenate()([L.LSTM(4, name="first")(a), L.LSTM(4, name="second")(b)])
    return keras.Model([a, b], L.Dense(1)(y))


@planted("10: an extra key shifts inputs", "A181", "", "possible")
def mapping_of_inputs() -> keras.Model:
    a, b = features("a"), features("b")
    y = L.Concatenate()([L.LSTM(4)(a), L.GRU(4)(b)])
    return keras.Model({"a": a, "b": b}, L.Dense(1)(y))


@planted("11: use_cudnn is not saved", "A171", "lstm", "possible")
def without_cudnn() -> keras.Model:
    x = features()
    return keras.Model(x, L.LSTM(4, use_cudnn=False, name="lstm")(x))


@planted("11: use_cudnn inside Bidirectional", "A171", "both", "possible")
def without_cudnn_inside() -> keras.Model:
    x = features()
    return keras.Model(x, L.Bidirectional(L.GRU(4, use_cudnn=False), name="both")(x))


@planted("11: implementation is not saved", "A171", "lstm", "possible")
def other_implementation() -> keras.Model:
    x = features()
    return keras.Model(x, L.LSTM(4, implementation=1, name="lstm")(x))


@planted("12: mixed_float16 without loss scaling", "A142", "lstm")
def half_without_scaling() -> keras.Model:
    x = features()
    y = L.LSTM(4, dtype="mixed_float16", name="lstm")(x)
    model = keras.Model(x, L.Dense(1, dtype="float32")(y))
    model.compile("adam", "mse")
    return model


@planted("12: a wrapper's dtype does not reach its layer", "A144", "both")
def wrapper_of_half() -> keras.Model:
    x = features()
    y = L.Bidirectional(L.LSTM(4), dtype="mixed_float16", name="both")(x)
    return keras.Model(x, L.Dense(1, dtype="float32")(y))


@planted("12: RNN's dtype does not reach its cell", "A144", "rnn")
def cell_of_half() -> keras.Model:
    x = features()
    y = L.RNN(L.LSTMCell(4), dtype="mixed_float16", name="rnn")(x)
    return keras.Model(x, L.Dense(1, dtype="float32")(y))


@planted("12: TimeDistributed's dtype does not reach its layer", "A144", "each")
def steps_of_half() -> keras.Model:
    x = features()
    y = L.TimeDistributed(L.Dense(4), dtype="mixed_float16", name="each")(x)
    return keras.Model(x, L.Dense(1, dtype="float32")(L.LSTM(4)(y)))


@planted("12: a float16 head", "A141", "head")
def half_head() -> keras.Model:
    x = features()
    head = L.Dense(5, activation="softmax", dtype="mixed_float16", name="head")
    return keras.Model(x, head(L.LSTM(4)(x)))


@planted("12: ids in a float16 input", "A143", "words")
def half_ids() -> keras.Model:
    ids = keras.Input((None,), dtype="float16", name="ids")
    return keras.Model(ids, L.LSTM(4)(L.Embedding(5000, 4, name="words")(ids)))


@planted("13: Masking of NaN", "A107", "masking")
def masking_of_nan() -> keras.Model:
    x = features()
    return keras.Model(x, L.LSTM(4)(L.Masking(float("nan"), name="masking")(x)))


@planted("13: Masking in 16 bits", "A107", "masking", "possible")
def masking_in_half() -> keras.Model:
    x = features()
    y = L.LSTM(4)(L.Masking(dtype="mixed_float16", name="masking")(x))
    return keras.Model(x, L.Dense(1)(y))


@planted("14: arithmetic drops the mask", "A102", "double")
def arithmetic() -> keras.Model:
    ids = tokens()
    y = words(ids) * 2
    y._keras_history.operation.name = "double"
    return keras.Model(ids, L.Dense(1)(L.LSTM(4)(y)))


@planted("14: a slice drops the mask", "A102", "sliced")
def sliced() -> keras.Model:
    ids = tokens()
    y = words(ids)[:, :, :3]
    y._keras_history.operation.name = "sliced"
    return keras.Model(ids, L.Dense(1)(L.LSTM(4)(y)))


@planted("14: an operation before the loss", "A102", "softmax", "likely")
def softmax_operation() -> keras.Model:
    ids = tokens()
    y = L.Dense(5)(L.LSTM(4, return_sequences=True)(words(ids)))
    y = ops.softmax(y)
    y._keras_history.operation.name = "softmax"
    return keras.Model(ids, y)


@planted("14: a mean over steps", "A102", "mean", "likely")
def mean_operation() -> keras.Model:
    ids = tokens()
    y = ops.mean(words(ids), axis=1)
    y._keras_history.operation.name = "mean"
    return keras.Model(ids, L.Dense(1)(y))


@planted("14: Add of masked and unmasked", "A102", "sum")
def added_positions() -> keras.Model:
    ids, places = tokens(), tokens("places")
    y = L.Add(name="sum")([words(ids), L.Embedding(9, 4)(places)])
    return keras.Model([ids, places], L.Dense(1)(L.LSTM(4)(y)))


@planted("14: Dot", "A102", "scores", "likely")
def dot_attention() -> keras.Model:
    ids, queries = tokens(), features("queries", width=4)
    keys = words(ids)
    scores = L.Dot(axes=2, name="scores")([queries, keys])
    weights = L.Activation("softmax")(scores)
    return keras.Model([ids, queries], L.Dot(axes=(2, 1))([weights, keys]))


@planted("14: Conv1D", "A102", "conv")
def convolution() -> keras.Model:
    ids = tokens()
    y = L.Conv1D(4, 3, padding="causal", name="conv")(words(ids))
    return keras.Model(ids, L.Dense(1)(L.LSTM(4)(y)))


@planted("14: Flatten", "A102", "flatten", "likely")
def flattened() -> keras.Model:
    ids = keras.Input((6,), dtype="int32", name="ids")
    y = L.Flatten(name="flatten")(L.LSTM(4, return_sequences=True)(words(ids)))
    return keras.Model(ids, L.Dense(1)(y))


@planted("14: Reshape", "A102", "reshape")
def reshaped() -> keras.Model:
    ids = keras.Input((6,), dtype="int32", name="ids")
    y = L.Reshape((6, 4), name="reshape")(words(ids))
    return keras.Model(ids, L.Dense(1)(L.LSTM(4)(y)))


@planted("14: pooling", "A102", "pool")
def pooled() -> keras.Model:
    ids = tokens()
    y = L.MaxPooling1D(2, name="pool")(words(ids))
    return keras.Model(ids, L.Dense(1)(L.GRU(4)(y)))


@planted("14: EinsumDense", "A102", "einsum")
def einsum() -> keras.Model:
    ids = tokens()
    y = L.EinsumDense("btf,fg->btg", (None, 4), name="einsum")(words(ids))
    return keras.Model(ids, L.Dense(1)(L.GRU(4)(y)))


@planted("14: inside a nested model", "A102", "encoder/conv")
def lost_in_nested() -> keras.Model:
    x = features(width=4)
    inner = keras.Model(x, L.Conv1D(4, 2, padding="same", name="conv")(x), name="encoder")
    ids = tokens()
    return keras.Model(ids, L.Dense(1)(L.LSTM(4)(inner(words(ids)))))


@planted("14: go_backwards with a mask", "A104", "reversed")
def backwards() -> keras.Model:
    ids = tokens()
    y = L.LSTM(4, return_sequences=True, go_backwards=True, name="reversed")(words(ids))
    return keras.Model(ids, L.Dense(1)(L.LSTM(4)(y)))


@planted("attention takes masks off its inputs", "A111", "residual", "likely")
def cleared_by_attention() -> keras.Model:
    ids = tokens()
    x = words(ids)
    y = L.Add(name="residual")([x, L.MultiHeadAttention(1, 4)(x, x)])
    return keras.Model(ids, L.Dense(9)(y))


@planted("attention overwrites query_mask", "A110", "attention")
def overwritten_query_mask() -> keras.Model:
    ids, mask = tokens(), keras.Input((None,), dtype="bool", name="mask")
    x = words(ids)
    y = L.MultiHeadAttention(1, 4, name="attention")(x, x, query_mask=mask)
    return keras.Model([ids, mask], L.GlobalAveragePooling1D()(y))


@planted("15: fully padded rows on cuDNN", "A173", "lstm", "possible")
def padded_rows() -> keras.Model:
    ids = tokens()
    return keras.Model(ids, L.Dense(1)(L.LSTM(4, name="lstm")(words(ids))))


@planted("16: dropout of 1", "A145", "lstm")
def dropout_of_one() -> keras.Model:
    x = features()
    return keras.Model(x, L.Dense(1)(L.LSTM(4, dropout=1.0, name="lstm")(x)))


@planted("16: recurrent dropout above 1, inside Bidirectional", "A145", "both")
def recurrent_dropout() -> keras.Model:
    x = features()
    y = L.Bidirectional(L.GRU(4, recurrent_dropout=2.0), name="both")(x)
    return keras.Model(x, L.Dense(1)(y))


@planted("17: one initializer object used twice", "A161", "second")
def shared_initializer() -> keras.Model:
    x, first = features(), keras.initializers.GlorotUniform()
    a = L.LSTM(4, kernel_initializer=first, name="first")(x)
    b = L.LSTM(4, kernel_initializer=first, name="second")(x)
    return keras.Model(x, L.Dense(1)(L.Concatenate()([a, b])))


@planted("17: a seed in both directions", "A161", "both")
def seeded_directions() -> keras.Model:
    x = features()
    inner = L.LSTM(4, kernel_initializer=keras.initializers.GlorotUniform(seed=1))
    return keras.Model(x, L.Dense(1)(L.Bidirectional(inner, name="both")(x)))


@planted("18: the last step of a Bidirectional", "A133", "last")
def last_of_bidirectional() -> keras.Model:
    x = features()
    last = L.Bidirectional(L.LSTM(4, return_sequences=True))(x)[:, -1]
    last._keras_history.operation.name = "last"
    return keras.Model(x, L.Dense(1)(last))


@planted("19: a static vector along time", "A131", "join", "likely")
def static_on_time() -> keras.Model:
    x, static = features(steps=6), keras.Input((3,), name="static")
    joined = L.Concatenate(axis=1, name="join")([x, L.RepeatVector(6)(static)])
    return keras.Model([x, static], L.Dense(1)(L.LSTM(4)(joined)))


@planted("ops.add takes (batch, 1) for a bias", "A132", "add", "possible")
def bias_of_rows() -> keras.Model:
    x, level = keras.Input((4,), name="x"), keras.Input((1,), name="level")
    y = ops.add(x, level)
    y._keras_history.operation.name = "add"
    return keras.Model([x, level], L.Dense(1)(y))


@planted("ops.add takes (1, 1, n) for a bias", "A132", "add")
def bias_of_steps() -> keras.Model:
    x = keras.Input((4, 1), name="x")
    y = ops.add(x, ops.ones((1, 1, 4)))
    y._keras_history.operation.name = "add"
    return keras.Model(x, y)


@planted("a vector of rows added to steps", "A132", "add")
def rows_and_steps() -> keras.Model:
    x, static = features(steps=6), keras.Input((3,), name="static")
    y = ops.add(x, static)
    y._keras_history.operation.name = "add"
    return keras.Model([x, static], L.Dense(1)(L.LSTM(4)(y)))


def _tagger(loss: object, metrics: list[object]) -> keras.Model:
    ids = tokens()
    y = L.Dense(3, activation="sigmoid", name="tags")(L.LSTM(4, return_sequences=True)(words(ids)))
    model = keras.Model(ids, y)
    model.compile("adam", loss, metrics=metrics)
    return model


@planted("metrics count padding: RMSE", "A151", "tags")
def metric_rmse() -> keras.Model:
    return _tagger("mse", [keras.metrics.RootMeanSquaredError()])


@planted("metrics count padding: AUC by its name", "A151", "tags")
def metric_auc() -> keras.Model:
    return _tagger("binary_crossentropy", ["accuracy", "AUC"])


@planted("losses count padding: Dice", "A151", "tags")
def loss_dice() -> keras.Model:
    return _tagger(keras.losses.Dice(), [])


@planted("losses count padding: Tversky", "A151", "tags")
def loss_tversky() -> keras.Model:
    return _tagger(keras.losses.Tversky(), [])


@planted("CTC takes the mask for another axis", "A151", "tags")
def loss_ctc() -> keras.Model:
    return _tagger(keras.losses.CTC(), [])


@planted("sample weights do not reach metrics", "A152", "tags", "possible")
def unweighted_metrics() -> keras.Model:
    ids = tokens()
    y = L.LSTM(4, return_sequences=True)(words(ids))
    y = L.UpSampling1D(1, name="up")(y)
    model = keras.Model(ids, L.Dense(3, name="tags")(y))
    model.compile("adam", "mse", metrics=["mae"])
    return model


@planted("Pearson of one unit", "A153", "score")
def pearson_of_one() -> keras.Model:
    x = features()
    model = keras.Model(x, L.Dense(1, name="score")(L.LSTM(4)(x)))
    model.compile("adam", "mse", metrics=[keras.metrics.PearsonCorrelation()])
    return model


@planted("regularizers count padding", "A154", "lstm")
def regularized() -> keras.Model:
    ids = tokens()
    y = L.LSTM(4, return_sequences=True, activity_regularizer="l2", name="lstm")(words(ids))
    return keras.Model(ids, L.Dense(1)(y))


@planted("a mean of no steps", "A108", "mean", "possible")
def mean_of_no_steps() -> keras.Model:
    ids = tokens()
    return keras.Model(ids, L.Dense(1)(L.GlobalAveragePooling1D(name="mean")(words(ids))))


@planted("masks are not made inside TimeDistributed", "A105", "each")
def mask_inside() -> keras.Model:
    ids = keras.Input((5, 6), dtype="int32", name="ids")
    y = L.TimeDistributed(L.Embedding(9, 4, mask_zero=True), name="each")(ids)
    return keras.Model(ids, L.Dense(1)(L.LSTM(4)(L.TimeDistributed(L.LSTM(4))(y))))


@planted("a 5-D input gets a mask of rank 4", "A106", "frames")
def mask_of_frames() -> keras.Model:
    x = keras.Input((5, 4, 4, 1), name="x")
    return keras.Model(x, L.ConvLSTM2D(2, 3, name="frames")(L.Masking()(x)))


@planted("only some weights are seeded", "A162", "second", "possible")
def partly_seeded() -> keras.Model:
    x = features()
    seeded = keras.initializers.GlorotUniform(seed=1)
    rest = keras.initializers.Orthogonal(seed=2)
    y = L.LSTM(4, kernel_initializer=seeded, recurrent_initializer=rest, name="first")(x)
    return keras.Model(x, L.Dense(1, name="second")(y))
