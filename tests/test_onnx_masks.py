"""Masks outside of recurrent layers, and activations, as ONNX: the outputs are those of Keras."""

from __future__ import annotations

import numpy as np
import pytest
from building import MASK, STEPS, batch_for, load, randomise
from onnx_running import assert_runs_as_keras, operators, run
from onnx_running import exported as exported_model

SEQUENCES = """
inputs:
  x: {shape: [time, 4]}
  words: {shape: [time], dtype: int32}
  mask: {shape: [time], dtype: bool}
  lengths: {shape: [], dtype: int32}
"""

LAYERS = {
    "attention": """
  tested: {type: attention, input: [known, found], use_scale: true}""",
    "attention by concat": """
  tested: {type: attention, input: [known, found, plain], score_mode: concat, use_scale: true}""",
    "additive attention": """
  tested: {type: additive_attention, input: [known, found]}""",
    "heads": """
  tested: {type: multi_head_attention, input: {query: known, value: found}, num_heads: 2,
           key_dim: 3}""",
    "heads with a key": """
  tested: {type: multi_head_attention, input: {query: plain, value: known, key: found},
           num_heads: 2, key_dim: 3, use_gate: true}""",
    "heads with dropout": """
  tested: {type: multi_head_attention, input: {query: known, value: found}, num_heads: 2,
           key_dim: 3, dropout: 0.1}""",
    "heads in a window": """
  tested: {type: multi_head_attention, input: {query: known, value: plain}, num_heads: 2,
           key_dim: 3, sliding_window: 2}""",
    "shared heads": """
  tested: {type: group_query_attention, input: {query: plain, value: found}, head_dim: 3,
           num_query_heads: 4, num_key_value_heads: 2, sliding_window: 3}""",
    "mean of steps": """
  tested: {type: global_average_pooling1d, input: known, keepdims: true}""",
    "mask given": """
  tested: {type: global_average_pooling1d, input: plain, mask: {input: mask}}""",
    "lengthened": """
  joined: {type: concatenate, axis: 1, input: [plain, known]}
  tested: {type: lstm, input: joined, units: 3}""",
    "two masks in a row": """
  joined: {type: concatenate, axis: 1, input: [found, known]}
  tested: {type: global_average_pooling1d, input: joined}""",
    "masked again": """
  tested: {type: masking, input: known}""",
    "each step": """
  tested: {type: time_distributed, input: known, layer: {type: dense, units: 2}}""",
    "each step normal": """
  tested: {type: time_distributed, input: known, layer: {type: layer_normalization}}""",
    "shares of features": """
  tested: {type: softmax, input: known}""",
    "shares of time": """
  tested: {type: softmax, input: known, axis: 1}""",
    "shares inside": """
  tested: {type: time_distributed, input: known, layer: {type: softmax}}""",
    "largest": """
  tested: {type: global_max_pooling1d, input: known}""",
    "convolved": """
  first: {type: conv1d, input: plain, filters: 3, kernel_size: 2, strides: 2,
          mask: {lengths: lengths}}
  second: {type: conv1d, input: first, filters: 3, kernel_size: 2, padding: same}
  third: {type: max_pooling1d, input: second, pool_size: 2, strides: 1}
  largest: {type: global_max_pooling1d, input: third}
  read: {type: lstm, input: third, units: 2, bidirectional: true}
  tested: {type: concatenate, input: [largest, read]}""",
    "pooled and spread": """
  wide: {type: zero_padding1d, input: plain, padding: [1, 2], mask: {lengths: lengths}}
  half: {type: average_pooling1d, input: wide, pool_size: 2}
  more: {type: conv1d_transpose, input: half, filters: 3, kernel_size: 3, strides: 2}
  less: {type: cropping1d, input: more}
  two: {type: reshape, input: less, target_shape: [-1, 1]}
  tested: {type: gru, input: two, units: 2, return_sequences: true}""",
}


@pytest.mark.parametrize("name", LAYERS)
def test_masks_are_kerass(name: str) -> None:
    """`known` is masked by its ids, `found` by its values: rows have steps without either."""
    recipe = load(f"""{SEQUENCES}
layers:
  known: {{type: embedding, input: words, input_dim: 10, output_dim: 4, mask_zero: true}}
  found: {{type: masking, input: x, mask_value: 0.0}}
  plain: {{type: dense, input: x, units: 4}}{LAYERS[name]}
  also: {{type: lstm, input: found, units: 2, mask: {{input: mask}}}}
outputs: {{tested: tested, also: also, plain: plain, known: known}}
""")
    model = recipe.build()
    randomise(model)
    inputs = batch_for(model)
    inputs["words"] = inputs["words"] * MASK[:, ::-1]
    assert_runs_as_keras(recipe, model, inputs)


def test_softmax_of_what_counts() -> None:
    recipe = load("""
    inputs: {scores: {shape: [time]}, mask: {shape: [time], dtype: bool}}
    layers: {shares: {type: softmax, input: scores, mask: {input: mask}}}
    outputs: {shares: shares}
    """)
    model = recipe.build()
    assert_runs_as_keras(recipe, model, batch_for(model))


@pytest.mark.parametrize(
    "written",
    ["", "return_sequences: true", "return_sequences: true, zero_output_for_mask: true",
     "zero_output_for_mask: true", "go_backwards: true"],
)  # fmt: skip
def test_convolutional_lstm(written: str) -> None:
    recipe = load(f"""
    inputs: {{film: {{shape: [time, 5, 2]}}, mask: {{shape: [time], dtype: bool}}}}
    layers:
      motion: {{type: conv_lstm1d, input: film, filters: 3, kernel_size: 2, strides: 2,
               mask: {{input: mask}}, {written}}}
    outputs: {{motion: motion}}
    """)
    model = recipe.build()
    randomise(model)
    assert operators(assert_runs_as_keras(recipe, model, batch_for(model))).count("Scan") == 1


@pytest.mark.slow
def test_steps_keep_their_order_where_they_are_moved() -> None:
    """Long rows: TopK keeps the order of equal values."""
    recipe = load("""
    inputs: {x: {shape: [time, 4]}, mask: {shape: [time], dtype: bool}}
    layers: {reader: {type: lstm, input: x, units: 3, mask: {input: mask}}}
    outputs: {sequence: reader.sequence}
    """)
    model = recipe.build()
    randomise(model)
    random = np.random.default_rng(0)
    inputs = {
        "x": random.normal(size=(3, 300, 4)).astype("float32"),
        "mask": random.integers(0, 2, (3, 300)).astype(bool),
    }
    assert_runs_as_keras(recipe, model, inputs)


def test_a_mask_by_value_knows_the_values_dtype() -> None:
    """0.1 of float16 is not 0.1 of float32, and is masked all the same."""
    recipe = load("""
    inputs: {x: {shape: [time, 2], dtype: float16}}
    layers: {reader: {type: simple_rnn, input: x, units: 2, mask: {value: 0.1}}}
    outputs: {last: reader}
    """)
    model = recipe.build()
    randomise(model)
    x = np.full((1, STEPS, 2), 0.1, "float16")
    x[:, :2] = 0.5
    found = run(exported_model(recipe, model), {"x": x})
    cut = run(exported_model(recipe, model), {"x": x[:, :2]})
    np.testing.assert_array_equal(found["last"], cut["last"])


NAMES = [
    "celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish",
    "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6",
    "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus",
    "sparse_sigmoid", "squareplus", "swish", "tanh", "tanh_shrink",
]  # fmt: skip


@pytest.mark.parametrize("policy", ["float32", "float64"])
def test_every_activation(policy: str) -> None:
    names = [name for name in NAMES if (policy, name) != ("float64", "gelu")]
    recipe = load(f"""
    inputs: {{x: {{shape: [40], dtype: {policy}}}}}
    layers: {{{", ".join(f"a{n}: {{type: activation, input: x, activation: {n}}}" for n in names)}}}
    outputs: {{{", ".join(f"{n}: a{n}" for n in names)}}}
    runtime: {{dtype_policy: {policy}}}
    """)
    x = np.concatenate([np.linspace(-8, 8, 33), [-0.5, 0.5, -1, 1, 0, 3, 6]])
    inputs = {"x": np.stack([x, x / 7]).astype(policy)}
    assert_runs_as_keras(recipe, recipe.build(), inputs, 1e-5 if policy == "float32" else 1e-7)
