"""The recipes that come with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handwritten import Tensors, first_steps, repeated
from keras import layers, ops

if TYPE_CHECKING:
    import keras


class Folded(layers.Layer):
    """Folds the segments into the batch: (batch, segments, ...) -> (batch * segments, ...)."""

    def call(self, steps):
        return ops.reshape(steps, (-1, *ops.shape(steps)[2:]))

    def compute_output_shape(self, shape):
        return (None, *shape[2:])


class Unfolded(layers.Layer):
    """Gives the vectors of folded segments the axes of a tensor before it was folded."""

    def call(self, vectors, like):
        return ops.reshape(vectors, (*ops.shape(like)[:2], vectors.shape[-1]))

    def compute_output_shape(self, vectors_shape, like_shape):
        return (*like_shape[:2], vectors_shape[-1])


def character_tagger(t: Tensors) -> Tensors:
    letters = layers.Embedding(64, 16, name="character")(t["characters"])
    mask = ops.not_equal(t["characters"], 0)
    reader = layers.Bidirectional(layers.LSTM(24), name="spelling")
    read = reader(Folded()(letters), mask=Folded()(mask))
    word = layers.Embedding(2000, 32, name="word")(t["words"])
    both = ops.concatenate([word, Unfolded()(read, letters)], axis=-1)
    lstm = layers.LSTM(48, return_sequences=True, zero_output_for_mask=True)
    sentence = layers.Bidirectional(lstm, name="sentence")(both, mask=ops.any(mask, axis=-1))
    return {"tag": layers.Dense(12, activation="softmax", name="tag")(sentence)}


def document_classifier(t: Tensors) -> Tensors:
    words = layers.Embedding(2000, 32, name="word")(t["words"])
    mask = ops.not_equal(t["words"], 0)
    sentence = layers.Bidirectional(layers.GRU(32), name="sentence")
    sentences = Unfolded()(sentence(Folded()(words), mask=Folded()(mask)), words)
    document = layers.GRU(48, name="document")(sentences, mask=ops.any(mask, axis=-1))
    return {"topic": layers.Dense(5, activation="softmax", name="topic")(document)}


def session_churn(t: Tensors) -> Tensors:
    events = t["events"]
    number = ops.cumsum(ops.ones_like(events[..., 0], dtype="int32"), axis=-1)
    mask = number <= ops.expand_dims(t["counts"], -1)
    session = layers.GRU(24, name="session")(Folded()(events), mask=Folded()(mask))
    both = ops.concatenate([Unfolded()(session, events), t["days"]], axis=-1)
    customer = layers.GRU(32, name="customer")(both, mask=ops.any(mask, axis=-1))
    return {"leaves": layers.Dense(1, activation="sigmoid", name="leaves")(customer)}


def character_writer(t: Tensors) -> Tensors:
    characters = layers.Embedding(128, 24, name="character")(t["characters"])
    written = layers.LSTM(128, return_sequences=True, name="writer")(characters)
    return {"next": layers.Dense(128, name="next")(written)}


def encoder_decoder(t: Tensors) -> Tensors:
    source_mask, target_mask = ops.not_equal(t["source"], 0), ops.not_equal(t["target"], 0)
    source = layers.Embedding(1000, 64, name="source_embedding")(t["source"])
    target = layers.Embedding(1000, 64, name="target_embedding")(t["target"])
    encoder = layers.Bidirectional(layers.LSTM(64, return_state=True), name="encoder")
    _, fh, fc, bh, bc = encoder(source, mask=source_mask)
    states = [ops.concatenate([fh, bh], axis=-1), ops.concatenate([fc, bc], axis=-1)]
    decoder = layers.LSTM(128, return_sequences=True, zero_output_for_mask=True, name="decoder")
    written = decoder(target, mask=target_mask, initial_state=states)
    return {"token": layers.Dense(1000, activation="softmax", name="token")(written)}


def feedback_forecaster(t: Tensors) -> Tensors:
    _, state = layers.GRU(32, return_state=True, name="encoder")(t["history"])
    cell = layers.GRU(32, return_sequences=True, return_state=True, name="week_cell")
    dense = layers.Dense(1, name="week_next")
    value, forecasts = t["latest"], []
    for _ in range(24):
        sequence, state = cell(value, initial_state=state)
        value = dense(sequence)
        forecasts.append(value)
    return {"next": layers.Concatenate(axis=1)(forecasts)}


def next_frame(t: Tensors) -> Tensors:
    voice = layers.Embedding(9, 8, name="voice")(t["speaker"])
    dense = [layers.Dense(64, activation="tanh", name=f"reader_{slot}") for slot in "hc"]
    states = [layer(voice) for layer in dense]
    # Of a row without a frame that counts, the state is what it was at first; the output is zero.
    reader = layers.LSTM(64, return_state=True, name="reader")
    _, last, _ = reader(t["frames"], mask=first_steps(t["lengths"]), initial_state=states)
    return {"next_frame": layers.Dense(12, name="next_frame")(last)}


def number_words(t: Tensors) -> Tensors:
    word_mask, digit_mask = ops.not_equal(t["words"], 0), ops.not_equal(t["digits"], 0)
    words = layers.Embedding(40, 32, name="word")(t["words"])
    digits = layers.Embedding(13, 16, name="digit")(t["digits"])
    lstm = layers.LSTM(48, return_sequences=True, return_state=True)
    encoder = layers.Bidirectional(lstm, name="encoder")
    read, fh, fc, bh, bc = encoder(words, mask=word_mask)
    states = [ops.concatenate([fh, bh], axis=-1), ops.concatenate([fc, bc], axis=-1)]
    decoder = layers.LSTM(96, return_sequences=True, zero_output_for_mask=True, name="decoder")
    written = decoder(digits, mask=digit_mask, initial_state=states)
    attended = layers.Attention(name="read")([written, read], mask=[digit_mask, word_mask])
    both = ops.concatenate([written, attended], axis=-1)
    return {"next": layers.Dense(13, activation="softmax", name="next")(both)}


def placeholder_states(t: Tensors) -> Tensors:
    reader = layers.LSTM(32, return_sequences=True, return_state=True, name="reader")
    y, h, c = reader(t["chunk"], initial_state=[t["h"], t["c"]])
    return {"signal": layers.Dense(2, name="signal")(y), "state_h": h, "state_c": c}


def speaker_classifier(t: Tensors) -> Tensors:
    voice = layers.LSTM(100, name="voice")
    last = voice(t["frames"], mask=first_steps(t["lengths"]))
    return {"speaker": layers.Dense(9, activation="softmax", name="speaker")(last)}


def number_words_attention(t: Tensors) -> Tensors:
    options = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True}
    counted, written = t["words"] != 0, t["digits"] != 0
    word = layers.Embedding(40, 32, mask_zero=True, name="word")(t["words"])
    digit = layers.Embedding(13, 16, name="digit")(t["digits"])
    encoder = layers.Bidirectional(layers.LSTM(48, **options), name="encoder")
    memory, h, c, backward_h, backward_c = encoder(word, mask=counted)
    keys = layers.Dense(96, name="keys")(memory)
    h, c = layers.Concatenate()([h, backward_h]), layers.Concatenate()([c, backward_c])
    query = layers.Dense(96, use_bias=False, name="write_query")
    attention = layers.AdditiveAttention(name="write_read")
    cell = layers.LSTM(96, name="write_cell", **options)
    following = layers.Dense(13, activation="softmax", name="write_next")
    found, weights = [], []
    for step in range(6):
        asked = query(layers.Reshape((1, 96))(h))
        read, scores = attention(
            [asked, memory, keys], mask=[None, counted], return_attention_scores=True
        )
        joined = ops.concatenate([digit[:, step : step + 1], read], axis=-1)
        now = written[:, step : step + 1]
        sequence, h, c = cell(joined, mask=now, initial_state=[h, c])
        found.append(following(sequence))
        weights.append(ops.where(ops.any(counted, axis=1)[:, None, None], scores, 0))
    next_ = ops.concatenate(found, axis=1) * ops.cast(written, "float32")[..., None]
    return {"next": next_, "weights": ops.concatenate(weights, axis=1)}


def sentence_matcher(t: Tensors) -> Tensors:
    word, meaning = layers.Embedding(64, 16, name="word"), layers.GRU(48, name="meaning")
    one, other = (meaning(word(t[name]), mask=t[name] != 0) for name in ("first", "second"))
    difference = layers.Subtract()([one, other])
    distance = layers.Multiply()([difference, difference])
    return {"same": layers.Dense(1, activation="sigmoid", name="same")(distance)}


def speaker_classifier_search(t: Tensors) -> Tensors:
    """With the defaults of its space."""
    voice = layers.LSTM(64, name="voice")
    last = voice(t["frames"], mask=first_steps(t["lengths"]))
    return {"speaker": layers.Dense(9, activation="softmax", name="speaker")(last)}


def store_forecaster(t: Tensors) -> Tensors:
    mask = first_steps(t["lengths"])

    def states_from_store(name: str, units: int) -> list[keras.KerasTensor]:
        dense = [layers.Dense(units, activation="tanh", name=f"{name}_{slot}") for slot in "hc"]
        return [layer(t["store"]) for layer in dense]

    lower = layers.LSTM(128, return_sequences=True, zero_output_for_mask=True, name="encoder_1")
    y = lower(t["history"], mask=mask, initial_state=states_from_store("encoder_1", 128))
    upper = layers.LSTM(64, return_state=True, name="encoder_2")
    _, h, c = upper(y, mask=mask, initial_state=states_from_store("encoder_2", 64))
    known = layers.Concatenate()([t["known"], repeated(t["store"], 24)])
    decoder = layers.LSTM(64, return_sequences=True, name="decoder")
    return {"forecast": layers.Dense(1, name="forecast")(decoder(known, initial_state=[h, c]))}


def stream_anomalies(t: Tensors) -> Tensors:
    listener = layers.GRU(48, return_sequences=True, zero_output_for_mask=True, name="listener")
    heard = listener(t["frames"], mask=first_steps(t["lengths"]))
    return {"expected": layers.Dense(12, name="expected")(heard)}


SHIPPED_BY_HAND = {
    "character-tagger": character_tagger,
    "character-writer": character_writer,
    "document-classifier": document_classifier,
    "encoder-decoder": encoder_decoder,
    "feedback-forecaster": feedback_forecaster,
    "next-frame": next_frame,
    "number-words": number_words,
    "number-words-attention": number_words_attention,
    "placeholder-states": placeholder_states,
    "sentence-matcher": sentence_matcher,
    "session-churn": session_churn,
    "speaker-classifier": speaker_classifier,
    "speaker-classifier-search": speaker_classifier_search,
    "store-forecaster": store_forecaster,
    "stream-anomalies": stream_anomalies,
}
