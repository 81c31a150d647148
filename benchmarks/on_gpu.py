"""A training step and a prediction by kernel, dtype policy and mask, on a GPU: medians in ms.

Run `python -m benchmarks.on_gpu` where TensorFlow sees a GPU; it prints the table of docs/gpu.md.
Two LSTM or GRU layers and a dense one, 100 steps of 32 features, Adam. `cudnn`: cuDNN; `xla`: the
loop of Keras, the step compiled by XLA; `loop`: the loop of Keras as it is.
"""

from __future__ import annotations

import statistics
import time
from itertools import product
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS, FEATURES = 100, 32
SIZES = ((32, 32), (128, 32), (128, 256), (512, 32))
"""Units and batches."""
POLICIES = ("float32", "mixed_float16", "mixed_bfloat16")
KERNELS = ("cudnn", "xla", "loop")


def main(repeats: int = 20) -> None:
    """Print a row for each size, policy and mask, with the times of each kernel."""
    print("| units, batch | policy | mask |", *(f" {kernel} |" for kernel in KERNELS))
    for size, policy, masked in product(SIZES, POLICIES, (False, True)):
        times = [_measured(size, policy, kernel, masked, repeats) for kernel in KERNELS]
        print(
            f"| {size[0]}, {size[1]} | {policy} | {'lengths' if masked else ''} |",
            *times,
            flush=True,
        )


def _measured(size: tuple[int, int], policy: str, kernel: str, masked: bool, repeats: int) -> str:
    units, batch = size
    keras.utils.clear_session()
    frames, mask = keras.Input((STEPS, FEATURES)), keras.Input((STEPS,), dtype="bool")
    own: dict[str, Any] = {"use_cudnn": kernel == "cudnn", "dtype": policy}
    hidden = keras.layers.LSTM(units, return_sequences=True, **own)(
        frames, mask=mask if masked else None
    )
    hidden = keras.layers.LSTM(units, **own)(hidden, mask=mask if masked else None)
    output = keras.layers.Dense(1, dtype="float32")(hidden)
    model = keras.Model([frames, mask] if masked else frames, output)
    model.compile(keras.optimizers.Adam(), "mse", jit_compile=kernel == "xla")
    random = np.random.default_rng(0)
    x = random.normal(size=(batch, STEPS, FEATURES)).astype("float32")
    counted = np.arange(STEPS) < random.integers(1, STEPS + 1, size=(batch, 1))
    inputs = [keras.ops.convert_to_tensor(each) for each in (x, counted)[: 1 + masked]]
    given, wanted = inputs if masked else inputs[0], keras.ops.convert_to_tensor(x[:, :1, 0])
    training = _median(lambda: model.train_on_batch(given, wanted), repeats)
    prediction = _median(lambda: model.predict_on_batch(given), repeats)
    return f" {training:.1f} / {prediction:.1f} |"


def _median(run: Callable[[], object], repeats: int) -> float:
    for _ in range(2):
        run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


if __name__ == "__main__":
    main()
