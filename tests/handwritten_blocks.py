"""Blocks and loops: in Keras by hand, the same layer objects called again in a Python loop."""

from __future__ import annotations

from functools import partial

import numpy as np
import reference as ref
from building import MASK, Arrays
from handwritten import Case, Tensors, first_steps
from keras import layers, ops

TOWER = """
blocks:
  tower:
    inputs: [text, counted, start]
    layers:
      spread: {type: dense, input: text, units: 5, activation: tanh}
      reader: {type: lstm, input: spread, units: 4, mask: {input: counted}, initial_state: start}
      learnt: {type: gru, input: reader.sequence, units: 3, initial_state: learned}
      both: {type: concatenate, input: [reader, learnt]}
      code: {type: dense, input: both, units: 2}
      again: {call: code, input: both}
    outputs: {code: code, state: reader.state, again: again}
inputs:
  x: {shape: [time, 3]}
  answer: {shape: [time, 3]}
  mask: {shape: [time], dtype: bool}
  other: {shape: [time], dtype: bool}
layers:
  before: {type: gru, input: x, units: 3}
  wide: {type: dense, input: before, units: 4}
  start: {type: lstm, input: x, units: 4}
  asked: {call: tower, input: {text: x, counted: mask, start: start}}
  answered: {call: tower, input: {text: answer, counted: other, start: asked.state}}
  likeness: {type: dot, input: [asked.code, answered.code], axes: 1}
outputs:
  likeness: likeness
  state: answered.state
  again: answered.again
  wide: wide
  h: asked.state.h
"""


def tower_called_twice(t: Tensors) -> Tensors:
    spread = layers.Dense(5, activation="tanh", name="tower_spread")
    options = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True}
    reader = layers.LSTM(4, name="tower_reader", **options)
    learned = layers.Embedding(1, 3, name="tower_learnt_h")
    learnt = layers.GRU(3, name="tower_learnt", return_state=True)
    code = layers.Dense(2, name="tower_code")

    def tower(text, mask, start):
        sequence, h, c = reader(spread(text), mask=mask, initial_state=start)
        first = learned(ops.zeros_like(text[:, 0, 0], dtype="int32"))
        _, last = learnt(sequence, mask=mask, initial_state=first)
        both = ops.concatenate([h, last], axis=-1)
        return code(both), [h, c], code(both)

    wide = layers.Dense(4, name="wide")(layers.GRU(3, name="before")(t["x"]))
    _, *start = layers.LSTM(4, name="start", return_state=True)(t["x"])
    asked, state, _ = tower(t["x"], t["mask"], start)
    answered, last, again = tower(t["answer"], t["other"], state)
    return {
        "likeness": layers.Dot(axes=1)([asked, answered]),
        "state_h": last[0],
        "state_c": last[1],
        "again": again,
        "wide": wide,
        "h": state[0],
    }


NESTED = """
blocks:
  outer:
    inputs: [x]
    layers:
      below: {type: dense, input: x, units: 3}
      inside: {call: inner, input: below}
      above: {call: inner, input: inside}
      shared: {call: outside, input: above}
    outputs: {y: shared, codes: above}
  inner:
    inputs: [sequence]
    layers:
      reader: {type: gru, input: sequence, units: 3, bidirectional: true, merge_mode: ave}
      y: {type: layer_normalization, input: reader.sequence}
    outputs: {y: y}
inputs:
  x: {shape: [time, 3]}
  frames: {shape: [5, 3]}
layers:
  outside: {type: dense, input: x, units: 2}
  once: {call: outer, input: x}
  twice: {call: outer, input: {x: frames}}
  alone: {call: inner, input: frames}
outputs: {outside: outside, once: once.y, twice: twice.y, codes: twice.codes, alone: alone}
"""


def blocks_that_call_blocks(t: Tensors) -> Tensors:
    gru = partial(layers.GRU, 3, return_sequences=True)
    reader = layers.Bidirectional(gru(), merge_mode="ave", name="inner_reader")
    norm = layers.LayerNormalization(name="inner_y")
    below = layers.Dense(3, name="outer_below")
    outside = layers.Dense(2, name="outside")

    def inner(x):
        return norm(reader(x))

    def outer(x):
        codes = inner(inner(below(x)))
        return outside(codes), codes

    found = {"outside": outside(t["x"]), "once": outer(t["x"])[0], "alone": inner(t["frames"])}
    found["twice"], found["codes"] = outer(t["frames"])
    return found


def forecast_recipe(steps: int) -> str:
    return f"""
blocks:
  step:
    inputs: [value, state, store, known]
    layers:
      cell: {{type: lstm, input: [value, known, store], units: 4, initial_state: state}}
      y: {{type: dense, input: cell.sequence, units: 2}}
      spread: {{type: dense, input: cell, units: 3}}
    outputs: {{y: y, state: cell.state, spread: spread, h: cell.state.h}}
inputs:
  x: {{shape: [time, 3]}}
  mask: {{shape: [time], dtype: bool}}
  latest: {{shape: [1, 2]}}
  known: {{shape: [{steps}, 1]}}
  store: {{shape: [2]}}
layers:
  encoder: {{type: lstm, input: x, units: 4, mask: {{input: mask}}}}
  forecast:
    loop: step
    steps: {steps}
    input: {{store: store}}
    each: {{known: known}}
    feedback: {{value: {{first: latest, then: y}}, state: {{first: encoder, then: state}}}}
outputs:
  y: forecast.y
  state: forecast.last.state
  spread: forecast.spread
  last: forecast.last.spread
  h: forecast.state.h
"""


def forecast_by_hand(steps: int, t: Tensors) -> Tensors:
    encoder = layers.LSTM(4, return_state=True, name="encoder")
    cell = layers.LSTM(4, return_sequences=True, return_state=True, name="step_cell")
    dense, spread = layers.Dense(2, name="step_y"), layers.Dense(3, name="step_spread")
    _, *state = encoder(t["x"], mask=t["mask"])
    value, ys, spreads, hs = t["latest"], [], [], []
    for step in range(steps):
        joined = [value, t["known"][:, step : step + 1], t["store"][:, None]]
        sequence, *state = cell(ops.concatenate(joined, axis=-1), initial_state=state)
        value = dense(sequence)
        ys.append(value)
        spreads.append(spread(state[0]))
        hs.append(state[0])
    return {
        "y": ops.concatenate(ys, axis=1),
        "state_h": state[0],
        "state_c": state[1],
        "spread": ops.stack(spreads, axis=1),
        "last": spreads[-1],
        "h": ops.stack(hs, axis=1),
    }


def forecast_in_numpy(steps: int, weights, data) -> Arrays:
    state = ref.lstm(data["x"], weights["encoder"], MASK).state
    value, ys, spreads, hs = data["latest"], [], [], []
    for step in range(steps):
        joined = [value, data["known"][:, step : step + 1], data["store"][:, None]]
        run = ref.lstm(np.concatenate(joined, axis=-1), weights["step_cell"], state=state)
        state, value = run.state, ref.dense(run.sequence, weights["step_y"])
        ys.append(value)
        spreads.append(ref.dense(run.last, weights["step_spread"]))
        hs.append(state[0])
    return {
        "y": np.concatenate(ys, axis=1),
        "state_h": state[0],
        "state_c": state[1],
        "spread": np.stack(spreads, axis=1),
        "last": spreads[-1],
        "h": np.stack(hs, axis=1),
    }


INPUT_FEEDING = """
blocks:
  step:
    inputs: [word, memory, state, context]
    layers:
      cell: {type: gru, input: [word, context], units: 4, initial_state: state}
      attended: {type: additive_attention, input: [cell.sequence, memory]}
      both: {type: concatenate, input: [cell.sequence, attended]}
      y: {type: dense, input: both, units: 5, activation: tanh}
    outputs: {y: y, state: cell.state}
inputs:
  x: {shape: [time, 3]}
  lengths: {shape: [], dtype: int32}
  words: {shape: [6], dtype: int32}
layers:
  encoder: {type: gru, input: x, units: 4, mask: {lengths: lengths}}
  embedded: {type: embedding, input: words, input_dim: 10, output_dim: 2}
  decoder:
    loop: step
    steps: 6
    input: {memory: encoder.sequence}
    each: {word: embedded}
    feedback: {state: {first: encoder, then: state}, context: {first: {zeros: [1, 5]}, then: y}}
  probabilities: {type: dense, input: decoder.y, units: 9, activation: softmax}
outputs: {probabilities: probabilities, h: decoder.last.state}
"""


def attention_in_the_loop(t: Tensors) -> Tensors:
    options = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True}
    mask = first_steps(t["lengths"])
    memory, state = layers.GRU(4, name="encoder", **options)(t["x"], mask=mask)
    words = layers.Embedding(10, 2, name="embedded")(t["words"])
    cell = layers.GRU(4, name="step_cell", return_sequences=True, return_state=True)
    attention = layers.AdditiveAttention(name="step_attended")
    dense = layers.Dense(5, activation="tanh", name="step_y")
    context, ys = ops.zeros_like(ops.repeat(words[:, :1, :1], 5, axis=-1)), []
    for step in range(6):
        joined = ops.concatenate([words[:, step : step + 1], context], axis=-1)
        sequence, state = cell(joined, initial_state=state)
        attended = attention([sequence, memory], mask=[None, mask])
        context = dense(ops.concatenate([sequence, attended], axis=-1))
        ys.append(context)
    head = layers.Dense(9, activation="softmax", name="probabilities")
    return {"probabilities": head(ops.concatenate(ys, axis=1)), "h_h": state}


MASKED = """
blocks:
  step:
    inputs: [frame, state]
    layers:
      cell: {type: gru, input: frame, units: 4, initial_state: state}
    outputs: {y: cell.sequence, state: cell.state}
inputs:
  frames: {shape: [6, 3]}
  lengths: {shape: [], dtype: int32}
layers:
  masked: {type: conv1d, input: frames, filters: 3, kernel_size: 1, mask: {lengths: lengths}}
  read:
    loop: step
    steps: 6
    each: {frame: masked}
    feedback: {state: {first: zeros, then: state}}
  after: {type: simple_rnn, input: read.y, units: 2}
outputs: {y: read.y, h: read.last.state, after: after}
"""


def masked_steps(t: Tensors) -> Tensors:
    """A loop over masked steps is the layer over the whole masked sequence."""
    mask = first_steps(t["lengths"])
    cell = layers.GRU(
        4, name="step_cell", return_sequences=True, return_state=True, zero_output_for_mask=True
    )
    frames = layers.Conv1D(3, 1, name="masked")(t["frames"] * ops.cast(mask, "float32")[..., None])
    sequence, state = cell(frames, mask=mask)
    after = layers.SimpleRNN(2, name="after", return_state=True)(sequence, mask=mask)[1]
    return {"y": sequence, "h_h": state, "after": after}


HIERARCHY = """
blocks:
  sentence:
    inputs: [ids, start]
    layers:
      word: {type: embedding, input: ids, input_dim: 10, output_dim: 3, mask_zero: true}
      reader: {type: gru, input: word, units: 4, initial_state: learned}
      above: {type: gru, input: reader.sequence, units: 3, depth: 2, residual: true}
      code: {type: dense, input: above.sequence, units: 2}
      attended: {type: attention, input: [code, code]}
      read: {type: gru, input: attended, units: 2, mask: none, initial_state: {h: start}}
    outputs: {code: read, words: above.sequence, state: above.state.h}
inputs:
  documents: {shape: [sentences, words], dtype: int32}
  title: {shape: [words], dtype: int32}
  store: {shape: [2]}
  stores: {shape: [sentences, 2]}
layers:
  sentences:
    type: time_distributed
    input: {ids: documents, start: stores}
    layer: {call: sentence}
  heading: {call: sentence, input: {ids: title, start: store}}
  document: {type: gru, input: sentences.code, units: 3, mask: none}
outputs:
  document: document
  heading: heading.code
  words: sentences.words
  state: sentences.state
"""


def blocks_on_every_sentence(t: Tensors) -> Tensors:
    """The block on (batch * sentences, words), by hand, and back."""
    options = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True}
    word = layers.Embedding(10, 3, mask_zero=True, name="sentence_word")
    learned = layers.Embedding(1, 4, name="sentence_reader_h")
    reader = layers.GRU(4, name="sentence_reader", **options)
    above = [layers.GRU(3, name=f"sentence_above_{number}", **options) for number in (1, 2)]
    code = layers.Dense(2, name="sentence_code")
    attention = layers.Attention(name="sentence_attended")
    read = layers.GRU(2, name="sentence_read", return_sequences=True, return_state=True)

    def sentence(ids, start):
        mask = ids != 0
        first = learned(ops.zeros_like(ids[:, 0]))
        sequence, _ = reader(word(ids), mask=mask, initial_state=first)
        below, _ = above[0](sequence, mask=mask)
        top, state = above[1](below, mask=mask)
        words = below + top
        codes = code(words)
        _, last = read(attention([codes, codes], mask=[mask, mask]), initial_state=start)
        return last, words, state

    ids, stores = ops.reshape(t["documents"], (-1, 6)), ops.reshape(t["stores"], (-1, 2))
    last, words, state = sentence(ids, stores)
    read_document = layers.GRU(3, name="document")
    return {
        "document": read_document(ops.reshape(last, (-1, 6, 2))),
        "heading": sentence(t["title"], t["store"])[0],
        "words": ops.reshape(words, (-1, 6, 6, 3)),
        "state": ops.reshape(state, (-1, 6, 3)),
    }


BLOCKS = {
    "blocks_on_every_sentence": Case(HIERARCHY, blocks_on_every_sentence),
    "tower_called_twice": Case(TOWER, tower_called_twice),
    "blocks_that_call_blocks": Case(NESTED, blocks_that_call_blocks),
}
LOOPS = {
    **{
        f"forecast_of_{steps}_steps": Case(
            forecast_recipe(steps),
            partial(forecast_by_hand, steps),
            partial(forecast_in_numpy, steps),
        )
        for steps in (1, 5, 24)
    },
    "attention_in_the_loop": Case(INPUT_FEEDING, attention_in_the_loop),
    "masked_steps": Case(MASKED, masked_steps),
}
