"""Models of texts: classifiers, taggers, language models, translators."""

from __future__ import annotations

import keras
from keras import layers, ops

Input, Model, Sequential = keras.Input, keras.Model, keras.Sequential


def imdb_bidirectional() -> Model:
    """Two bidirectional LSTMs over words, as in keras.io's example of IMDB."""
    words = Input((None,), dtype="int32")
    x = layers.Embedding(50, 6)(words)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    x = layers.Bidirectional(layers.LSTM(4))(x)
    model = Model(words, layers.Dense(1, activation="sigmoid")(x))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def character_rnn() -> Model:
    """The next character of a text, as in keras.io's example of text generation."""
    model = Sequential(
        [
            Input((10, 12)),
            layers.LSTM(8),
            layers.Dense(12, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.RMSprop(learning_rate=0.01)
    model.compile(loss="categorical_crossentropy", optimizer=optimizer)
    return model


def stateful_characters() -> Model:
    """Characters of several texts side by side, with states kept from batch to batch."""
    model = Sequential(
        [
            Input(batch_shape=(3, 5), dtype="int32"),
            layers.Embedding(20, 6),
            layers.GRU(8, return_sequences=True, stateful=True),
            layers.Dense(20),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    return model


def tagger() -> Model:
    """A tag for each word, by a bidirectional LSTM over masked ids."""
    model = Sequential(
        [
            Input((None,), dtype="int32"),
            layers.Embedding(30, 6, mask_zero=True),
            layers.Bidirectional(layers.LSTM(5, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(4, activation="softmax")),
        ]
    )
    model.compile("rmsprop", "sparse_categorical_crossentropy")
    return model


def tagger_with_characters() -> Model:
    """Ma and Hovy's tagger without its CRF: words beside a vector of their characters."""
    words = Input((6,), dtype="int32", name="words")
    letters = Input((6, 5), dtype="int32", name="letters")
    spelling = layers.TimeDistributed(layers.Embedding(20, 4))(letters)
    spelling = layers.TimeDistributed(layers.Conv1D(3, 3, padding="same"))(spelling)
    spelling = layers.TimeDistributed(layers.GlobalMaxPooling1D())(spelling)
    x = layers.Concatenate()([layers.Embedding(30, 5)(words), spelling])
    x = layers.SpatialDropout1D(0.3)(x)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True, recurrent_dropout=0.2))(x)
    return Model([words, letters], layers.Dense(5, activation="softmax")(x))


def hierarchical_attention() -> Model:
    """Yang's reader of documents: attention over words, then over sentences."""
    words = Input((7,), dtype="int32")
    x = layers.Embedding(30, 6)(words)
    x = layers.Bidirectional(layers.GRU(4, return_sequences=True))(x)
    scores = layers.Softmax(axis=1)(layers.Dense(1)(layers.Dense(5, activation="tanh")(x)))
    sentence = layers.Flatten()(layers.Dot(axes=1)([scores, x]))
    reader = Model(words, sentence, name="sentence_reader")
    document = Input((3, 7), dtype="int32", name="document")
    y = layers.TimeDistributed(reader)(document)
    y = layers.Bidirectional(layers.GRU(4))(y)
    return Model(document, layers.Dense(3, activation="softmax")(y))


def attention_pooling() -> Model:
    """One vector of a sequence, weighted by attention that a dense layer computes."""
    sequence = Input((8, 3), name="sequence")
    x = layers.LSTM(5, return_sequences=True)(sequence)
    weights = layers.Softmax(axis=1, name="weights")(layers.Dense(1)(x))
    pooled = layers.Reshape((5,))(layers.Dot(axes=1)([weights, x]))
    return Model(sequence, {"label": layers.Dense(2)(pooled), "attention": weights})


def siamese() -> Model:
    """Mueller and Thyagarajan's sentences: one LSTM for both, and their distance."""
    left = Input((None,), dtype="int32", name="left")
    right = Input((None,), dtype="int32", name="right")
    words, reader = layers.Embedding(40, 5, mask_zero=True), layers.LSTM(6, name="reader")
    first, second = reader(words(left)), reader(words(right))
    apart = layers.Subtract()([first, second])
    return Model([left, right], layers.Dense(1, activation="sigmoid")(apart))


def siamese_of_models() -> Model:
    """The same with a tower that is a model of its own."""
    sequence = Input((6, 4), name="sequence")
    x = layers.GRU(5, return_sequences=True)(sequence)
    tower = Model(sequence, layers.Dense(3)(layers.GRU(4)(x)), name="tower")
    left, right = Input((6, 4), name="left"), Input((6, 4), name="right")
    likeness = layers.Dot(axes=1, normalize=True)([tower(left), tower(right)])
    return Model([left, right], likeness)


def answer_selection() -> Model:
    """A question and an answer: co-attention by Keras's attention, pooled."""
    question = Input((None,), dtype="int32", name="question")
    answer = Input((None,), dtype="int32", name="answer")
    words = layers.Embedding(30, 6, mask_zero=True)
    reader = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="reader")
    asked, said = reader(words(question)), reader(words(answer))
    looked = layers.Attention(name="looked")([asked, said])
    both = [layers.GlobalAveragePooling1D()(each) for each in (asked, looked)]
    return Model([question, answer], layers.Dense(1)(layers.Concatenate()(both)))


def elmo_like() -> Model:
    """Two directions that never meet before the last layer, weighted as in ELMo."""
    words = Input((None,), dtype="int32", name="words")
    x = layers.Embedding(30, 4)(words)
    one = layers.LSTM(4, return_sequences=True)(x)
    two = layers.LSTM(4, return_sequences=True)(layers.Add()([x, one]))
    return Model(words, layers.Average()([x, one, two]))


def text_cnn_lstm() -> Model:
    """Convolution, pooling, then an LSTM: keras.io's old example of IMDB."""
    model = Sequential(
        [
            Input((12,), dtype="int32"),
            layers.Embedding(40, 6),
            layers.Dropout(0.25),
            layers.Conv1D(5, 3, activation="relu"),
            layers.MaxPooling1D(pool_size=2),
            layers.LSTM(4),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


def addition() -> Model:
    """Sums of numbers as texts: keras.io's example, which repeats the vector of the question."""
    model = Sequential()
    model.add(Input((7, 12)))
    model.add(layers.LSTM(9))
    model.add(layers.RepeatVector(4))
    model.add(layers.LSTM(9, return_sequences=True))
    model.add(layers.Dense(12, activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


def translator() -> Model:
    """Character-level translation: keras.io's example of a sequence to a sequence, in training."""
    source = Input((None, 7), name="source")
    _, h, c = layers.LSTM(8, return_state=True, name="encoder")(source)
    target = Input((None, 6), name="target")
    decoder = layers.LSTM(8, return_sequences=True, return_state=True, name="decoder")
    steps, _, _ = decoder(target, initial_state=[h, c])
    model = Model([source, target], layers.Dense(6, activation="softmax", name="next")(steps))
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    return model


def translator_decoder() -> Model:
    """Its decoder in use: states are inputs and outputs."""
    target = Input((None, 6), name="target")
    h, c = Input((8,), name="h"), Input((8,), name="c")
    decoder = layers.LSTM(8, return_sequences=True, return_state=True, name="decoder")
    steps, next_h, next_c = decoder(target, initial_state=[h, c])
    return Model([target, h, c], [layers.Dense(6, activation="softmax")(steps), next_h, next_c])


def translator_both_ways() -> Model:
    """A bidirectional encoder, whose states are joined for the decoder."""
    source = Input((None,), dtype="int32", name="source")
    target = Input((None,), dtype="int32", name="target")
    read = layers.Embedding(20, 5)(source)
    encoder = layers.Bidirectional(layers.LSTM(4, return_state=True), name="encoder")
    _, forward_h, forward_c, backward_h, backward_c = encoder(read)
    h = layers.Concatenate()([forward_h, backward_h])
    c = layers.Concatenate()([forward_c, backward_c])
    written = layers.Embedding(22, 5)(target)
    steps = layers.LSTM(8, return_sequences=True, name="decoder")(written, initial_state=[h, c])
    return Model([source, target], layers.Dense(22)(steps))


def luong() -> Model:
    """Luong's attention over all steps at once, in teacher forcing."""
    source = Input((None,), dtype="int32", name="source")
    target = Input((None,), dtype="int32", name="target")
    memory, h, c = layers.LSTM(6, return_sequences=True, return_state=True)(
        layers.Embedding(20, 5)(source)
    )
    steps = layers.LSTM(6, return_sequences=True)(
        layers.Embedding(20, 5)(target), initial_state=[h, c]
    )
    looked = layers.Attention(use_scale=True)([steps, memory])
    mixed = layers.Dense(6, activation="tanh")(layers.Concatenate()([steps, looked]))
    return Model([source, target], layers.Dense(20, activation="softmax")(mixed))


def bahdanau() -> Model:
    """Additive attention, with its weights as a second output."""
    source = Input((5, 3), name="source")
    target = Input((4, 2), name="target")
    memory, state = layers.GRU(6, return_sequences=True, return_state=True)(source)
    steps = layers.GRU(6, return_sequences=True)(target, initial_state=state)
    looked, weights = layers.AdditiveAttention(name="attention")(
        [steps, memory], return_attention_scores=True
    )
    return Model([source, target], [layers.Dense(2)(layers.Add()([steps, looked])), weights])


def masked_translator() -> Model:
    """A translator over padded ids: Keras drops the decoder's mask, as it has an initial state."""
    source = Input((None,), dtype="int32", name="source")
    target = Input((None,), dtype="int32", name="target")
    _, h, c = layers.LSTM(6, return_state=True)(layers.Embedding(20, 5, mask_zero=True)(source))
    written = layers.Embedding(20, 5, mask_zero=True)(target)
    steps = layers.LSTM(6, return_sequences=True)(written, initial_state=[h, c])
    return Model([source, target], layers.Dense(20, activation="softmax")(steps))


def transformer_then_lstm() -> Model:
    """Self-attention with a residual sum and a normalization, then an LSTM."""
    sequence = Input((9, 8), name="sequence")
    looked = layers.MultiHeadAttention(num_heads=2, key_dim=3)(sequence, sequence)
    x = layers.LayerNormalization()(layers.Add()([sequence, looked]))
    return Model(sequence, layers.Dense(2)(layers.LSTM(5)(x)))


def two_labels() -> Model:
    """One reader, two labels with losses of their own."""
    words = Input((None,), dtype="int32", name="words")
    x = layers.GRU(6)(layers.Embedding(25, 5, mask_zero=True)(words))
    topic = layers.Dense(4, activation="softmax", name="topic")(x)
    mood = layers.Dense(1, activation="sigmoid", name="mood")(x)
    model = Model(words, {"topic": topic, "mood": mood})
    model.compile(
        keras.optimizers.Adam(0.002),
        loss={"topic": "sparse_categorical_crossentropy", "mood": "binary_crossentropy"},
        loss_weights={"topic": 1.0, "mood": 0.5},
        metrics={"topic": ["accuracy"], "mood": [keras.metrics.AUC(name="auc")]},
    )
    return model


def tied_language_model() -> Model:
    """Logits by the table of the embedding, as a shared reversible layer."""
    words = Input((None,), dtype="int32", name="words")
    table = layers.ReversibleEmbedding(20, 6, name="table")
    x = layers.LSTM(6, return_sequences=True)(table(words))
    return Model(words, table(x, reverse=True))


def written_arithmetic() -> Model:
    """Operations of keras.ops between layers, which have layers too."""
    sequence = Input((6, 4), name="sequence")
    x = layers.LSTM(4, return_sequences=True)(sequence)
    x = ops.tanh(x + sequence) * 0.5
    return Model(sequence, layers.Dense(1)(x[:, -1]))
