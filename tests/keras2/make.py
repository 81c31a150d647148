"""Write files of Keras 2 with what it computes: ``python tests/keras2/make.py [FOLDER]``.

It needs TF-Keras (``pip install tf-keras``). Without a folder it writes ``files.zip`` beside it,
which the tests read.
"""

from __future__ import annotations

import os
import sys
import tempfile
import zipfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf
import tf_keras as keras

L = keras.layers
CUDNN = {
    "lstm": (tf.compat.v1.keras.layers.CuDNNLSTM, L.LSTM, {}),
    "gru": (tf.compat.v1.keras.layers.CuDNNGRU, L.GRU, {"reset_after": True}),
}


def lstm() -> keras.Model:
    x = keras.Input((None, 3), name="x")
    y, h, c = L.LSTM(4, return_sequences=True, return_state=True, name="first")(L.Masking()(x))
    y = L.LSTM(4, name="second", implementation=1)(y, initial_state=[h, c])
    return keras.Model(x, L.Dense(2, activation="softmax", name="out")(y))


def gru() -> keras.Model:
    x = keras.Input((5, 3), name="x")
    before = L.GRU(4, reset_after=False, return_sequences=True, name="before")(x)
    after = L.GRU(4, go_backwards=True, name="after")(before)
    return keras.Model(x, {"last": L.Dense(1, name="out")(after), "steps": before})


def sequential() -> keras.Model:
    return keras.Sequential(
        [
            L.Embedding(7, 3, mask_zero=True, input_length=5, name="words"),
            L.Bidirectional(L.LSTM(2, return_sequences=True), name="both"),
            L.TimeDistributed(L.Dense(2, activation="relu"), name="each"),
            L.Bidirectional(L.GRU(2, reset_after=False), merge_mode="sum", name="sum"),
            L.BatchNormalization(name="norm"),
            L.LeakyReLU(alpha=0.2, name="leaky"),
        ],
        name="sequential",
    )


def nested() -> keras.Model:
    inner_x = keras.Input((None, 2), name="inner_x")
    y, h = L.GRU(3, return_sequences=True, return_state=True, name="shared")(inner_x)
    encoder = keras.Model(inner_x, [y, h], name="encoder")
    head = keras.Sequential(
        [L.Input((3,)), L.Dense(2, name="wide"), L.Dense(1, name="one")], name="head"
    )
    a, b = keras.Input((None, 2), name="a"), keras.Input((None, 2), name="b")
    ya, ha = encoder(a)
    _, hb = encoder(b)
    last = L.SimpleRNN(3, name="last")(ya, initial_state=hb)
    joined = L.Concatenate(name="joined")([head(ha), head(hb), last])
    scaled = joined * 2.0 - tf.reduce_mean(ya, axis=1)[:, :1]
    return keras.Model([a, b], [scaled, head(last)], name="nested")


def stateful() -> keras.Model:
    return keras.Sequential(
        [
            L.LSTM(
                3, stateful=True, return_sequences=True, batch_input_shape=(2, 4, 2), name="carried"
            ),
            L.RNN([L.LSTMCell(2), L.GRUCell(3, reset_after=False)], name="stack"),
            L.Dense(1, name="out"),
        ],
        name="stateful",
    )


def images() -> keras.Model:
    x = keras.Input((3, 4, 4, 1), name="x")
    y = L.ConvLSTM2D(2, 3, padding="same", recurrent_activation="sigmoid", name="steps")(x)
    return keras.Model(x, L.Dense(1, name="out")(L.Flatten(name="flat")(y)))


def cudnn(kind: str, *, plain: bool) -> keras.Model:
    fast, slow, more = CUDNN[kind]
    x = keras.Input((None, 3), name="x")
    make = (lambda units, **own: slow(units, **more, **own)) if plain else fast
    y = make(4, return_sequences=True, name="first")(x)
    y = L.Bidirectional(make(2), name="both")(y)
    return keras.Model(x, L.Dense(1, name="out")(y))


def sentences() -> keras.Model:
    words = keras.Input((6,), dtype="int32", name="words")
    y = L.GRU(3, name="reader")(L.Embedding(9, 4, mask_zero=True, name="vectors")(words))
    sentence = keras.Model(words, L.Dense(2, name="code")(y), name="sentence")
    document = keras.Input((3, 6), dtype="int32", name="document")
    each = L.TimeDistributed(sentence, name="each")(document)
    return keras.Model(document, L.LSTM(3, name="top")(each), name="sentences")


def frames() -> keras.Model:
    frame = keras.Sequential(
        [
            L.Conv2D(2, 3, activation="relu", name="conv"),
            L.BatchNormalization(name="norm"),
            L.Flatten(name="flat"),
            L.Dense(3, name="code"),
        ],
        name="frame",
    )
    video = keras.Input((4, 5, 5, 1), name="video")
    each = L.TimeDistributed(frame, name="each")(video)
    return keras.Model(video, L.LSTM(3, name="top")(each), name="frames")


MODELS = {
    "lstm": lstm,
    "gru": gru,
    "sequential": sequential,
    "nested": nested,
    "stateful": stateful,
    "images": images,
}
ON_EACH_STEP = {"sentences": sentences, "frames": frames}
"""Models with a model inside TimeDistributed."""
NEWER = ("nested", "sequential")
"""Models that are also saved in the formats that Keras 2 has had since 2.12."""


def main(folder: Path) -> None:
    numbers = np.random.default_rng(5)
    for name, make in MODELS.items():
        model = make()
        rows = [np.array([[1, 2, 3, 0, 0], [4, 5, 6, 1, 2]], "int32")]
        if name != "sequential":
            shapes = [(2, *(size or 5 for size in each.shape[1:])) for each in model.inputs]
            rows = [numbers.normal(size=shape).astype("float32") for shape in shapes]
        model(rows if len(rows) > 1 else rows[0])
        model.reset_states()
        model.compile(keras.optimizers.legacy.Adam(learning_rate=0.01), "mse", metrics=["mae"])
        shuffle(model, numbers)
        if name == "lstm":
            rows[0][0, 3:] = 0.0  # masked
        write(folder, name, model, rows, model.predict_on_batch(rows))
    for kind in CUDNN:
        fast, slow = cudnn(kind, plain=False), cudnn(kind, plain=True)
        shuffle(fast, numbers)
        fast.save_weights(folder / f"cudnn_{kind}_weights.h5")
        slow.load_weights(folder / f"cudnn_{kind}_weights.h5")  # Keras 2's own conversion
        rows = [numbers.normal(size=(2, 5, 3)).astype("float32")]
        write(folder, f"cudnn_{kind}", fast, rows, slow.predict_on_batch(rows))
    for name, make in ON_EACH_STEP.items():
        model = make()
        shuffle(model, numbers)
        rows = numbers.normal(size=(2, *model.input_shape[1:])).astype("float32")
        if name == "sentences":
            rows = numbers.integers(0, 9, (2, 3, 6)).astype("int32")
        write(folder, name, model, [rows], model.predict_on_batch(rows))


def shuffle(model: keras.Model, numbers: np.random.Generator) -> None:
    """Give every weight numbers of its own, biases too; positive ones, as variances are."""
    weights = [numbers.uniform(0.1, 0.9, each.shape) for each in model.get_weights()]
    model.set_weights([each.astype("float32") for each in weights])


def write(folder: Path, name: str, model: keras.Model, rows: list, outputs: object) -> None:
    model.save(folder / f"{name}.h5")
    model.save_weights(folder / f"{name}_weights.h5")
    if name in NEWER:
        model.save(folder / f"{name}.keras")
    (folder / f"{name}.json").write_text(model.to_json())
    np.savez(
        folder / f"{name}.npz",
        **{f"in_{n}": each for n, each in enumerate(rows)},
        **{f"out_{n}": each for n, each in enumerate(tf.nest.flatten(outputs))},
    )


def zipped(folder: Path, target: Path) -> None:
    """Write the files of a folder as one archive, the same each time for the same files."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.writestr(zipfile.ZipInfo(path.name), path.read_bytes(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            main(Path(made))
            zipped(Path(made), Path(__file__).with_name("files.zip"))
