"""Models of series, sounds and pictures: forecasters, autoencoders, classifiers."""

from __future__ import annotations

import keras
from keras import layers, ops

Input, Model, Sequential = keras.Input, keras.Model, keras.Sequential


def weather() -> Model:
    """keras.io's forecast of the weather: one LSTM and one number."""
    inputs = Input((12, 5), name="weather")
    model = Model(inputs, layers.Dense(1)(layers.LSTM(6)(inputs)))
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.001), loss="mse")
    return model


def stacked() -> Model:
    """Three LSTMs with dropout between steps, which are one stack."""
    model = Sequential(
        [
            Input((10, 3)),
            layers.LSTM(6, return_sequences=True),
            layers.LSTM(6, return_sequences=True),
            layers.LSTM(4),
            layers.Dense(2),
        ]
    )
    model.compile("adam", keras.losses.Huber(delta=2.0))
    return model


def autoencoder() -> Model:
    """A sequence through one vector and back, padded steps masked by their value."""
    steps = Input((8, 3), name="steps")
    code = layers.LSTM(5, name="encoder")(layers.Masking(mask_value=-1.0)(steps))
    x = layers.RepeatVector(8)(code)
    x = layers.LSTM(5, return_sequences=True, name="decoder")(x)
    return Model(steps, layers.TimeDistributed(layers.Dense(3), name="rebuilt")(x))


def variational() -> Model:
    """A variational autoencoder without a Lambda: noise of a fixed deviation."""
    steps = Input((6, 3), name="steps")
    x = layers.GRU(6)(steps)
    mean = layers.Dense(3, activity_regularizer="l2", name="mean")(x)
    code = layers.GaussianNoise(1.0)(mean)
    x = layers.GRU(6, return_sequences=True)(layers.RepeatVector(6)(code))
    return Model(steps, layers.Dense(3)(x))


def lstnet() -> Model:
    """Lai's LSTNet: a convolution, two recurrent readers, and an autoregressive part."""
    history = Input((12, 4), name="history")
    conv = layers.Conv1D(6, 3, activation="relu")(history)
    conv = layers.Dropout(0.2)(conv)
    reader = layers.GRU(5)(conv)
    skipping = layers.AveragePooling1D(2)(conv)
    skipping = layers.GRU(3)(skipping)
    both = layers.Dense(4)(layers.Concatenate()([reader, skipping]))
    linear = layers.Cropping1D((8, 0))(history)
    linear = layers.Permute((2, 1))(linear)
    linear = layers.Reshape((4,))(layers.Dense(1)(linear))
    return Model(history, layers.Add()([both, linear]))


def deepar_like() -> Model:
    """Salinas's DeepAR: the parameters of a distribution for every step."""
    history = Input((None, 4), name="history")
    x = layers.LSTM(6, return_sequences=True)(history)
    x = layers.LSTM(6, return_sequences=True)(x)
    mean = layers.Dense(1, name="mean")(x)
    deviation = layers.Dense(1, activation="softplus", name="deviation")(x)
    return Model(history, [mean, deviation])


def gated() -> Model:
    """Gates as in the Temporal Fusion Transformer: residual, gated, normalized."""
    history = Input((7, 4), name="history")
    store = Input((3,), name="store")
    context = layers.Dense(6, activation="elu")(store)
    x = layers.LSTM(6, return_sequences=True)(history, initial_state=[context, context])
    gate = layers.Dense(6, activation="sigmoid")(x)
    value = layers.Dense(6)(x)
    skipped = layers.Dense(6)(history)
    gated_sum = layers.Add()([skipped, layers.Multiply()([gate, value])])
    return Model([history, store], layers.Dense(3)(layers.LayerNormalization()(gated_sum)))


def table_and_sequence() -> Model:
    """Static features beside a sequence, with a category."""
    history = Input((None, 3), name="history")
    store = Input((4,), name="store")
    kind = Input((1,), dtype="int32", name="kind")
    x = layers.GRU(6)(history)
    k = layers.Flatten()(layers.Embedding(5, 2)(kind))
    joined = layers.Concatenate()([x, store, k])
    joined = layers.BatchNormalization()(joined)
    return Model({"history": history, "store": store, "kind": kind}, layers.Dense(1)(joined))


def static_on_every_step() -> Model:
    """A static vector repeated beside every step by RepeatVector and Concatenate."""
    known = Input((6, 3), name="known")
    store = Input((4,), name="store")
    repeated = layers.RepeatVector(6)(store)
    x = layers.LSTM(5, return_sequences=True)(layers.Concatenate()([known, repeated]))
    return Model([known, store], layers.Dense(1)(x))


def recommender() -> Model:
    """GRU4Rec: the next item of a session."""
    items = Input((None,), dtype="int32", name="items")
    x = layers.Embedding(30, 8, mask_zero=True)(items)
    x = layers.GRU(8, dropout=0.1)(x)
    model = Model(items, layers.Dense(30, activation="softmax")(x))
    metrics = [keras.metrics.SparseTopKCategoricalAccuracy(k=10, name="recall")]
    model.compile("adagrad", "sparse_categorical_crossentropy", metrics=metrics)
    return model


def speakers() -> Model:
    """Speakers by their voice, frames masked by their value."""
    frames = Input((None, 5), name="frames")
    x = layers.Masking(name="masking")(frames)
    x = layers.LSTM(6, return_sequences=True, zero_output_for_mask=True)(x)
    x = layers.LSTM(6)(x)
    return Model(frames, layers.Dense(4, activation="softmax", name="speaker")(x))


def pooled_speakers() -> Model:
    """The mean of what is read of the steps that count."""
    frames = Input((None, 5), name="frames")
    x = layers.Bidirectional(layers.GRU(4, return_sequences=True))(layers.Masking()(frames))
    return Model(frames, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def sound_to_text() -> Model:
    """As DeepSpeech 2 begins: convolutions of a spectrogram, then bidirectional GRUs."""
    sound = Input((16, 8, 1), name="sound")
    x = layers.Conv2D(3, (3, 3), strides=(2, 2), padding="same", use_bias=False)(sound)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Reshape((8, 12))(x)
    for _ in range(2):
        x = layers.Bidirectional(layers.GRU(5, return_sequences=True))(x)
        x = layers.Dropout(0.5)(x)
    return Model(sound, layers.Dense(7, activation="softmax")(x))


def captcha() -> Model:
    """keras.io's reader of captchas, without its CTC layer: a CNN, then LSTMs over columns."""
    image = Input((16, 8, 1), name="image")
    x = layers.Conv2D(3, 3, activation="relu", kernel_initializer="he_normal", padding="same")(
        image
    )
    x = layers.MaxPooling2D((2, 2))(x)
    x = layers.Reshape((8, 12))(x)
    x = layers.Dense(6, activation="relu")(x)
    x = layers.Bidirectional(layers.LSTM(5, return_sequences=True, dropout=0.25))(x)
    return Model(image, layers.Dense(6, activation="softmax")(x))


def captioner() -> Model:
    """Show and Tell: a picture's vector is the first word that the LSTM reads."""
    picture = Input((10,), name="picture")
    words = Input((6,), dtype="int32", name="words")
    first = layers.Reshape((1, 5))(layers.Dense(5)(picture))
    x = layers.Concatenate(axis=1)([first, layers.Embedding(20, 5)(words)])
    return Model([picture, words], layers.Dense(20)(layers.LSTM(6, return_sequences=True)(x)))


def merged_captioner() -> Model:
    """The other captioner: words and picture are read apart, and added."""
    picture = Input((10,), name="picture")
    words = Input((6,), dtype="int32", name="words")
    seen = layers.Dense(6, activation="relu")(layers.Dropout(0.5)(picture))
    said = layers.LSTM(6)(layers.Dropout(0.5)(layers.Embedding(20, 5, mask_zero=True)(words)))
    x = layers.Dense(6, activation="relu")(layers.add([seen, said]))
    return Model([picture, words], layers.Dense(20, activation="softmax")(x))


def video() -> Model:
    """A CNN on each frame, and an LSTM over the frames."""
    frames = Input((4, 6, 6, 1), name="frames")
    x = layers.TimeDistributed(layers.Conv2D(2, 3, activation="relu"))(frames)
    x = layers.TimeDistributed(layers.MaxPooling2D())(x)
    x = layers.TimeDistributed(layers.Flatten())(x)
    return Model(frames, layers.Dense(3, activation="softmax")(layers.LSTM(5)(x)))


def next_frame() -> Model:
    """keras.io's next frame of a video by ConvLSTM2D."""
    frames = Input((None, 6, 6, 1), name="frames")
    x = frames
    for size in (3, 1):
        x = layers.ConvLSTM2D(2, size, padding="same", return_sequences=True, activation="relu")(x)
        x = layers.BatchNormalization()(x)
    return Model(frames, layers.Conv3D(1, 3, activation="sigmoid", padding="same")(x))


def cells() -> Model:
    """Cells of two kinds in one RNN."""
    steps = Input((None, 3), name="steps")
    cells_ = [layers.LSTMCell(5), layers.GRUCell(4)]
    return Model(steps, layers.Dense(2)(layers.RNN(cells_)(steps)))


def one_cell() -> Model:
    """A cell in an RNN, unrolled."""
    steps = Input((4, 3), name="steps")
    rnn = layers.RNN(layers.LSTMCell(5), return_sequences=True, unroll=True)
    return Model(steps, layers.Dense(2)(rnn(steps)))


def one_step() -> Model:
    """One step of a vocoder as WaveRNN's: a state in, a state out, two heads."""
    sample = Input((1, 2), name="sample")
    state = Input((6,), name="state")
    _, new = layers.GRU(6, return_state=True, reset_after=True)(sample, initial_state=state)
    coarse = layers.Dense(8, activation="softmax")(layers.Dense(5, activation="relu")(new))
    fine = layers.Dense(8, activation="softmax")(layers.Dense(5, activation="relu")(new))
    return Model([sample, state], [coarse, fine, new])


def mixture() -> Model:
    """The heads of a mixture density network: weights, means and deviations."""
    steps = Input((None, 3), name="steps")
    x = layers.SimpleRNN(6)(steps)
    weights = layers.Dense(3, activation="softmax", name="weights")(x)
    means = layers.Dense(3, name="means")(x)
    deviations = layers.Dense(3, activation="exponential", name="deviations")(x)
    return Model(steps, layers.Concatenate(name="mixture")([weights, means, deviations]))


def tree_of_models() -> Model:
    """Models in models: an encoder of channels in a reader of sensors in a model of a machine."""
    signal = Input((6, 2), name="signal")
    channel = Model(signal, layers.LSTM(4)(layers.Dense(3)(signal)), name="channel")
    one, two = Input((6, 2), name="one"), Input((6, 2), name="two")
    both = layers.Concatenate()([channel(one), channel(two)])
    sensors = Model([one, two], layers.Dense(4, activation="relu")(both), name="sensors")
    left, right = Input((6, 2), name="left"), Input((6, 2), name="right")
    return Model([left, right], layers.Dense(1)(sensors([left, right])))


def bidirectional_sum() -> Model:
    """Two directions, summed, backwards layers of their own."""
    steps = Input((None, 3), name="steps")
    x = layers.Bidirectional(
        layers.GRU(4, return_sequences=True),
        backward_layer=layers.GRU(4, return_sequences=True, go_backwards=True),
        merge_mode="sum",
    )(steps)
    backwards = layers.LSTM(3, go_backwards=True)(x)
    return Model(steps, backwards)


def half_precision() -> Model:
    """A stack in 16 bits, with a head in float32."""
    steps = Input((5, 3), name="steps")
    x = layers.LSTM(4, dtype="mixed_bfloat16")(steps)
    return Model(steps, layers.Dense(2, dtype="float32")(x))


# What a recipe cannot say.


def ragged_sum() -> Model:
    """A cumulated sum of what an LSTM reads: no layer of Keras gives it."""
    steps = Input((5, 3), name="steps")
    return Model(
        steps, layers.Dense(1)(ops.cumsum(layers.LSTM(4, return_sequences=True)(steps), 1))
    )


def two_backward_sizes() -> Model:
    """A bidirectional layer whose two directions have other activations."""
    steps = Input((5, 3), name="steps")
    wrapped = layers.Bidirectional(
        layers.LSTM(4), backward_layer=layers.LSTM(4, go_backwards=True, activation="relu")
    )
    return Model(steps, wrapped(steps))


def apart() -> Model:
    """Two directions as two outputs."""
    steps = Input((5, 3), name="steps")
    one, two = layers.Bidirectional(layers.GRU(3), merge_mode=None)(steps)
    return Model(steps, layers.Subtract()([one, two]))


def either_mask() -> Model:
    """Two masks joined by OR, as Concatenate does."""
    left, right = (Input((None,), dtype="int32", name=name) for name in ("left", "right"))
    both = [layers.Embedding(9, 3, mask_zero=True)(each) for each in (left, right)]
    return Model([left, right], layers.LSTM(4)(layers.Concatenate()(both)))


def model_on_each_step() -> Model:
    """A model of several layers on every step."""
    step = Input((3,), name="step")
    inner = Model(step, layers.Dense(2)(layers.Dense(4, activation="relu")(step)), name="inner")
    steps = Input((5, 3), name="steps")
    return Model(steps, layers.LSTM(3)(layers.TimeDistributed(inner)(steps)))
