"""Embeddings that are called in reverse, from vectors back to ids: in Keras by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import reference as ref
from handwritten import Case, Tensors
from keras import layers, ops

if TYPE_CHECKING:
    from building import Arrays

TRANSLATOR = """
inputs:
  source: {shape: [time], dtype: int32}
  target: {shape: [steps], dtype: int32}
layers:
  words: {type: reversible_embedding, input: source, input_dim: 12, output_dim: 4, mask_zero: true, logit_soft_cap: 3}
  reader: {type: gru, input: words, units: 4}
  written: {call: words, input: target}
  writer: {type: gru, input: written, units: 4, initial_state: reader, return_sequences: true}
  scaled: {type: layer_normalization, input: writer}
  logits: {call: words, input: scaled, reverse: true}
  word: {type: softmax, input: logits}
outputs: {word: word, logits: logits}
"""  # noqa: E501 - as a recipe has it


def translator_with_one_matrix_for_both_languages_and_the_softmax(t: Tensors) -> Tensors:
    words = layers.ReversibleEmbedding(12, 4, mask_zero=True, logit_soft_cap=3.0, name="words")
    options = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True}
    source, target = ops.not_equal(t["source"], 0), ops.not_equal(t["target"], 0)
    reader = layers.GRU(4, name="reader")(words(t["source"]), mask=source)
    writer = layers.GRU(4, name="writer", **options)
    written, _ = writer(words(t["target"]), mask=target, initial_state=reader)
    scaled = layers.LayerNormalization(name="scaled")(written)
    # Padded steps are zeros, as behind a recurrent layer.
    logits = words(scaled, reverse=True) * ops.cast(target, "float32")[..., None]
    word = layers.Softmax()(logits, mask=target[..., None])  # zeros in padded steps
    return {"word": word, "logits": logits}


def numpy_translator(weights, data) -> Arrays:
    (table,) = weights["words"]
    read = ref.gru(table[data["source"]], weights["reader"], data["source"] != 0)
    mask = data["target"] != 0
    written = ref.gru(table[data["target"]], weights["writer"], mask, read.state).sequence
    gamma, beta = weights["scaled"]
    mean, variance = written.mean(-1, keepdims=True), written.var(-1, keepdims=True)
    scaled = (written - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    logits = 3 * np.tanh(scaled @ table.T / 3) * mask[..., None]
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    chances *= mask[..., None]
    return {"word": chances, "logits": logits}


UNTIED = """
inputs: {source: {shape: [time], dtype: int32}}
layers:
  words: {type: reversible_embedding, input: source, input_dim: 12, output_dim: 4, tie_weights: false}
  mean: {type: global_average_pooling1d, input: words}
  logits: {call: words, input: words, reverse: true}
  whole: {call: words, input: mean, reverse: true}
outputs: {y: logits, whole: whole}
"""  # noqa: E501 - as a recipe has it


def a_second_matrix(t: Tensors) -> Tensors:
    words = layers.ReversibleEmbedding(12, 4, tie_weights=False, name="words")
    vectors = words(t["source"])
    mean = layers.GlobalAveragePooling1D()(vectors)
    return {"y": words(vectors, reverse=True), "whole": words(mean, reverse=True)}


def numpy_untied(weights, data) -> Arrays:
    table, back = weights["words"]
    vectors = table[data["source"]]
    return {"y": vectors @ back, "whole": vectors.mean(1) @ back}


ADAPTED = UNTIED.replace("tie_weights: false", "lora_rank: 2")


def lora_both_ways(t: Tensors) -> Tensors:
    words = layers.ReversibleEmbedding(12, 4, lora_rank=2, name="words")
    vectors = words(t["source"])
    mean = layers.GlobalAveragePooling1D()(vectors)
    return {"y": words(vectors, reverse=True), "whole": words(mean, reverse=True)}


def numpy_adapted(weights, data) -> Arrays:
    first, a, b = weights["words"]
    return numpy_untied({"words": (first + a @ b, (first + a @ b).T)}, data)


TIED = {
    "translator_with_one_matrix_for_both_languages_and_the_softmax": Case(
        TRANSLATOR, translator_with_one_matrix_for_both_languages_and_the_softmax, numpy_translator
    ),
    "a_second_matrix": Case(UNTIED, a_second_matrix, numpy_untied),
}
TIED_WITH_LORA = {"lora_both_ways": Case(ADAPTED, lora_both_ways, numpy_adapted)}
