"""Attention layers whose scores are read: in Keras by hand, and in NumPy."""

from __future__ import annotations

import numpy as np
from building import FIRST_STEPS, STEPS, Arrays
from handwritten import Case, Tensors, average, unpadded
from keras import layers, ops

SCORES = """
inputs:
  x: {shape: [time, 4]}
  target: {shape: [steps], dtype: int32}
  frames: {shape: [5, 4]}
layers:
  value: {type: masking, input: x}
  query: {type: embedding, input: target, input_dim: 10, output_dim: 4, mask_zero: true}
  dotted: {type: attention, input: [query, value], score_mode: concat, use_scale: true}
  causal: {type: attention, input: [query, x], use_causal_mask: true, dropout: 0.5}
  summed: {type: additive_attention, input: [query, value], dropout: 0.1}
  heads:
    type: multi_head_attention
    input: {query: query, value: value}
    num_heads: 2
    key_dim: 3
    use_gate: true
  of_frames: {call: heads, input: {query: query, value: frames}}
  plain: {call: heads, input: {query: frames, value: x}}
  groups:
    type: group_query_attention
    input: {query: query, value: value, key: x}
    head_dim: 3
    num_query_heads: 4
    num_key_value_heads: 2
  mixed: {type: dense, input: of_frames.scores, units: 2}
  framed: {call: summed, input: [query, frames]}
  mean: {type: global_average_pooling1d, input: framed.scores}
outputs:
  dotted: dotted
  dotted_scores: dotted.scores
  causal: causal
  causal_scores: causal.scores
  summed_scores: summed.scores
  heads: heads
  heads_scores: heads.scores
  plain: plain
  groups: groups
  groups_scores: groups.scores
  mixed: mixed
  mean: mean
"""


def attention_with_scores(t: Tensors) -> Tensors:
    asked, counts = t["target"] != 0, unpadded(t["x"])
    value = layers.Masking()(t["x"])
    query = layers.Embedding(10, 4, name="query", mask_zero=True)(t["target"])
    scored = {"return_attention_scores": True}

    def counted(scores):
        """Zeros where the query's step, or the value's, is padded: Keras has numbers there."""
        return ops.where(asked[:, :, None] & counts[:, None], scores, 0)

    def with_masks():  # MultiHeadAttention takes them off the tensors that it is given
        return layers.Rescaling(1.0)(query), layers.Rescaling(1.0)(value)

    one = layers.Attention(score_mode="concat", use_scale=True, name="dotted")
    dotted, dotted_scores = one([query, value], mask=[asked, counts], **scored)
    two = layers.Attention(dropout=0.5)
    causal, causal_scores = two([query, t["x"]], mask=[asked, None], use_causal_mask=True, **scored)
    three = layers.AdditiveAttention(dropout=0.1, name="summed")
    _, summed_scores = three([query, value], mask=[asked, counts], **scored)
    _, framed_scores = three([query, t["frames"]], mask=[asked, None], **scored)
    four = layers.MultiHeadAttention(2, 3, use_gate=True, name="heads")
    heads, heads_scores = four(*with_masks(), **scored)
    _, of_frames = four(with_masks()[0], t["frames"], **scored)
    places = ops.broadcast_to(ops.arange(5), (1, 1, 1, 5))  # Keras declares another shape
    five = layers.GroupQueryAttention(3, 4, 2, name="groups")
    masks = {"query_mask": asked, "value_mask": counts}
    groups, groups_scores = five(query, ops.copy(value), t["x"], **masks, **scored)
    return {
        "dotted": dotted,
        "dotted_scores": counted(dotted_scores),
        "causal": causal,
        "causal_scores": ops.where(asked[:, :, None], causal_scores, 0),
        "summed_scores": counted(summed_scores),
        "heads": heads,
        "heads_scores": heads_scores,
        "plain": four(t["frames"], t["x"], **scored)[0],
        "groups": groups,
        "groups_scores": groups_scores,
        "mean": average(framed_scores, asked),
        "mixed": layers.Dense(2, name="mixed")(ops.take_along_axis(of_frames, places, axis=-1)),
    }


def numpy_scores(weights, data) -> Arrays:
    asked, counts = data["target"] != 0, FIRST_STEPS
    x, query = data["x"], weights["query"][0][data["target"]]
    every = np.ones((len(x), STEPS), bool)

    def pairs(a, b):
        return a[:, :, None] + b[:, None]

    def shares(scores, of_value, *, causal=False):
        """The softmax over the steps that count, and zeros elsewhere."""
        mask = of_value[:, None] & asked[:, :, None]
        if causal:
            mask = mask & np.tri(*scores.shape[-2:], dtype=bool)
        mask = mask if scores.ndim == 3 else mask[:, None]
        powers = np.where(mask, np.exp(scores - scores.max()), 0)
        return powers / np.maximum(powers.sum(-1, keepdims=True), 1e-300)

    def of_heads(own, value, of_value, key=None, repeats=1):
        ways = zip(
            (query, x if key is None else key), (own[0], own[2]), (own[1], own[3]), strict=True
        )
        q, k = (np.einsum("btd,dhk->bhtk", a, kernel) + bias[:, None] for a, kernel, bias in ways)
        k = k.repeat(repeats, axis=1)
        return shares(np.einsum("bhqd,bhkd->bhqk", q, k) / np.sqrt(q.shape[-1]), of_value)

    def summed(value):
        return (weights["summed"][0] * np.tanh(pairs(query, value))).sum(-1)

    scale, concat = weights["dotted"]
    counted = np.maximum(asked.sum(1, keepdims=True), 1)
    heads = of_heads(weights["heads"], x, counts)
    frames = data["frames"]
    kernel, bias = weights["mixed"]
    return {
        "dotted_scores": shares(concat * np.tanh(scale * pairs(query, x)).sum(-1), counts),
        "causal_scores": shares(np.einsum("bqd,bkd->bqk", query, x), every, causal=True),
        "summed_scores": shares(summed(x), counts),
        "mean": shares(summed(data["frames"]), every[:, :5]).sum(1) / counted,
        "heads_scores": heads,
        "groups_scores": of_heads(weights["groups"], x, counts, repeats=2),
        "mixed": of_heads(weights["heads"], frames, every[:, :5], frames) @ kernel + bias,
    }


SCORED = Case(SCORES, attention_with_scores, numpy_scores)
