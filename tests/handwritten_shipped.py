"""The recipes that come with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handwritten import Tensors, first_steps, repeated
from keras import layers, ops

if TYPE_CHECKING:
    import keras


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
    "character-writer": character_writer,
    "encoder-decoder": encoder_decoder,
    "next-frame": next_frame,
    "number-words": number_words,
    "placeholder-states": placeholder_states,
    "sentence-matcher": sentence_matcher,
    "speaker-classifier": speaker_classifier,
    "speaker-classifier-search": speaker_classifier_search,
    "store-forecaster": store_forecaster,
    "stream-anomalies": stream_anomalies,
}
