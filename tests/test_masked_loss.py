"""The loss counts the steps that the mask counts."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from building import FIRST_STEPS, LENGTHS, batch_for, build, outputs_of, randomise
from keras import ops

LOSS_RECIPES = {
    "lengths": """
    inputs: {frames: {shape: [time, 3]}, lengths: {shape: [], dtype: int32}}
    layers:
      reader: {type: lstm, input: frames, units: 4, mask: {lengths: lengths}}
      y: {type: dense, input: reader.sequence, units: 2}
    outputs: {y: y}
    training: {loss: mse, optimizer: {type: sgd, learning_rate: 0.1}}
    """,
    "initial state": """
    inputs: {frames: {shape: [time, 3]}, lengths: {shape: [], dtype: int32}}
    layers:
      reader:
        type: lstm
        input: frames
        units: [4, 4]
        mask: {lengths: lengths}
        padded_output: hold
        initial_state: input
      y: {type: dense, input: reader.sequence, units: 2}
    outputs: {y: y}
    training: {loss: {y: mse}, optimizer: {type: sgd, learning_rate: 0.1}}
    """,
    "joined inputs": """
    inputs: {x: {shape: [time, 3]}, static: {shape: [2]}}
    layers:
      reader:
        {type: gru, input: [x, static], units: 3, bidirectional: true, mask: {value: 0}}
      y: {type: time_distributed, input: reader.sequence, layer: {type: dense, units: 2}}
    outputs: {y: y}
    training: {loss: mse, optimizer: {type: sgd, learning_rate: 0.1}}
    """,
    "the sequence itself": """
    inputs: {ids: {shape: [time], dtype: int32}}
    layers:
      embedding: {type: embedding, input: ids, input_dim: 10, output_dim: 3, mask_zero: true}
      y: {type: lstm, input: embedding, units: 2, initial_state: input}
    outputs: {y: y.sequence}
    training: {loss: mse, optimizer: {type: sgd, learning_rate: 0.1}}
    """,
}


def target_for(model: keras.Model) -> np.ndarray:
    features = model.output["y"].shape[-1]
    shape = (*FIRST_STEPS.shape, features)
    return np.random.default_rng(3).normal(size=shape).astype("float32")


def masked_mse(found: np.ndarray, target: np.ndarray) -> float:
    """The mean over the steps that count."""
    error = ((found - target) ** 2).mean(axis=-1)
    return error[FIRST_STEPS].sum() / LENGTHS.sum()


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("name", LOSS_RECIPES)
def test_training_loss_counts_unmasked_steps_only(name: str) -> None:
    model = build(LOSS_RECIPES[name])
    randomise(model)
    data, target = batch_for(model), target_for(model)
    wanted = masked_mse(outputs_of(model, data)["y"], target)
    assert model.train_on_batch(data, {"y": target}) == pytest.approx(wanted, rel=1e-5)


ATTENTION = "{type: multi_head_attention, input: {query: reader.sequence, value: reader.sequence}"
BETWEEN_MASK_AND_LOSS: dict[str, dict[str, str]] = {
    "dense": {"y": "{type: dense, input: reader.sequence, units: 2}"},
    "dropout": {"y": "{type: dropout, input: reader.sequence, rate: 0.5}"},
    "spatial_dropout1d": {"y": "{type: spatial_dropout1d, input: reader.sequence, rate: 0.5}"},
    "gaussian_noise": {"y": "{type: gaussian_noise, input: reader.sequence, stddev: 0.5}"},
    "layer_normalization": {"y": "{type: layer_normalization, input: reader.sequence}"},
    "batch_normalization": {"y": "{type: batch_normalization, input: reader.sequence}"},
    "activation": {"y": "{type: activation, input: reader.sequence, activation: softmax}"},
    "prelu": {"y": "{type: prelu, input: reader.sequence, shared_axes: [1]}"},
    "add": {"y": "{type: add, input: [reader.sequence, reader.sequence]}"},
    "average": {"y": "{type: average, input: [reader.sequence, reader.sequence]}"},
    "multiply": {"y": "{type: multiply, input: [reader.sequence, reader.sequence]}"},
    "maximum": {"y": "{type: maximum, input: [reader.sequence, reader.sequence]}"},
    "concatenate": {"y": "{type: concatenate, input: [reader.sequence, reader.sequence]}"},
    "attention": {"y": "{type: attention, input: [reader.sequence, reader.sequence]}"},
    "gru": {"y": "{type: gru, input: reader.sequence, units: 2, return_sequences: true}"},
    "lstm whose state is read too": {
        "both": "{type: lstm, input: reader.sequence, units: 1, bidirectional: true}",
        "state": "{type: dense, input: both.state.forward.h, units: 2}",
        "y": "{type: dense, input: both.sequence, units: 2}",
    },
    "multi_head_attention": {"y": f"{ATTENTION}, num_heads: 1, key_dim: 2}}"},
    "what attention reads too": {
        "state": f"{ATTENTION}, num_heads: 1, key_dim: 2}}",
        "y": "{type: dense, input: reader.sequence, units: 2}",
    },
    "attention with a residual": {
        "attended": f"{ATTENTION}, num_heads: 1, key_dim: 2}}",
        "y": "{type: add, input: [reader.sequence, attended]}",
    },
}


@pytest.mark.parametrize("name", BETWEEN_MASK_AND_LOSS)
def test_mask_reaches_the_loss_through(name: str) -> None:
    """Keras's MultiHeadAttention even takes the masks off the tensors that it reads."""
    between = BETWEEN_MASK_AND_LOSS[name]
    lines = [f"  {layer}: {text}" for layer, text in between.items()]
    model = build(
        "inputs: {x: {shape: [time, 3]}}\n"
        "layers:\n"
        "  reader: {type: lstm, input: x, units: 2, mask: {value: 0}, initial_state: input}\n"
        + "\n".join(lines)
        + f"\noutputs: {{{', '.join(f'{out}: {out}' for out in between if out in ('y', 'state'))}}}"
    )
    randomise(model)
    found, target = model(batch_for(model))["y"], target_for(model)
    wanted = masked_mse(ops.convert_to_numpy(found), target)
    loss = keras.losses.MeanSquaredError()(target, found)
    assert float(loss) == pytest.approx(wanted, rel=1e-5)


def test_loss_after_mask_none_counts_every_step() -> None:
    model = build(
        """
        inputs: {x: {shape: [time, 3]}}
        layers:
          reader: {type: lstm, input: x, units: 4, mask: {value: 0}}
          y: {type: dense, input: reader.sequence, units: 2, mask: none}
        outputs: {y: y}
        training: {loss: mse}
        """
    )
    randomise(model)
    data, target = batch_for(model), target_for(model)
    wanted = ((outputs_of(model, data)["y"] - target) ** 2).mean()
    assert model.test_on_batch(data, {"y": target}) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.slow
def test_outputs_without_a_loss_need_no_targets() -> None:
    model = build(
        """
        inputs: {x: {shape: [time, 3]}}
        layers:
          reader: {type: lstm, input: x, units: 4, mask: {value: 0}}
          y: {type: dense, input: reader.sequence, units: 2}
        outputs: {y: y, state: reader.state}
        training: {loss: {y: mse}}
        """
    )
    randomise(model)
    data, target = batch_for(model), target_for(model)
    wanted = masked_mse(outputs_of(model, data)["y"], target)
    assert model.train_on_batch(data, {"y": target}) == pytest.approx(wanted, rel=1e-5)
