"""Models that run on each step of a sequence: on frames, sentences, answers and sessions."""

from __future__ import annotations

import keras
from keras import layers

Input, Model, Sequential = keras.Input, keras.Model, keras.Sequential


def sentence_reader(*, steps: int | None = 6) -> Model:
    """A vector of one sentence of padded words."""
    words = Input((steps,), dtype="int32", name="words")
    x = layers.Embedding(20, 5, mask_zero=True, name="vectors")(words)
    x = layers.Bidirectional(layers.LSTM(3), name="reader")(x)
    return Model(words, layers.Dense(4, activation="tanh", name="code")(x), name="sentence")


def actions() -> Model:
    """Actions in videos: a CNN on each frame, then an LSTM, as keras.io's example has it."""
    frame = Sequential(
        [
            Input((8, 8, 1)),
            layers.Conv2D(3, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(5),
        ],
        name="frame",
    )
    video = Sequential([Input((4, 8, 8, 1)), layers.TimeDistributed(frame), layers.LSTM(3)])
    video.compile("adam", "mse")
    return video


def documents() -> Model:
    """Sentences of padded words, as many as there are: the mask inside is lost outside."""
    document = Input((None, None), dtype="int32", name="document")
    sentences = layers.TimeDistributed(sentence_reader(steps=None), name="sentences")(document)
    text = layers.GRU(4, name="text")(sentences)
    return Model(document, layers.Dense(2, name="label")(text))


def ranked_answers() -> Model:
    """A question and several answers, which one model reads."""
    read = sentence_reader()
    question = Input((6,), dtype="int32", name="question")
    answers = Input((3, 6), dtype="int32", name="answers")
    codes = layers.TimeDistributed(read, name="codes")(answers)
    return Model([question, answers], layers.Dot([2, 1], name="scores")([codes, read(question)]))


def paragraphs() -> Model:
    """Three levels: words in sentences in paragraphs."""
    paragraph = Input((3, 6), dtype="int32", name="paragraph")
    x = layers.TimeDistributed(sentence_reader(), name="sentences")(paragraph)
    inner = Model(paragraph, layers.GRU(4, name="paragraph_reader")(x), name="paragraph_model")
    document = Input((2, 3, 6), dtype="int32", name="document")
    y = layers.TimeDistributed(inner, name="paragraphs")(document)
    return Model(document, layers.LSTM(3, name="top")(y))


def sessions_of_two() -> Model:
    """Two histories of sessions, read by the same layers; the encoder of a session has states."""
    session = Input((5, 3), name="session")
    steps, h, c = layers.LSTM(4, return_sequences=True, return_state=True, name="first")(
        layers.Masking(name="events")(session)
    )
    last = layers.LSTM(4, name="second")(steps, initial_state=[h, c])
    each = layers.TimeDistributed(Model(session, last, name="one_session"), name="each")
    ours, theirs = Input((4, 5, 3), name="ours"), Input((2, 5, 3), name="theirs")
    history = layers.GRU(4, name="history")
    apart = layers.Subtract(name="apart")([history(each(ours)), history(each(theirs))])
    return Model([ours, theirs], layers.Dense(1)(apart))
