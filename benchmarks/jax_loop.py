"""Compare Keras's scan of an LSTM on JAX with one that has its own gradient.

Run it as ``KERAS_BACKEND=jax python -m benchmarks.jax_loop``.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

ROUNDS = 9


def lstm_loop() -> Any:
    """Return a loop of (steps, batch, 4 units) with its own gradient."""
    import jax
    from jax import lax, nn
    from jax import numpy as jnp

    def run(projected: Any, kernel: Any, h: Any, c: Any) -> Any:
        def step(state: Any, z: Any) -> Any:
            h, c = state
            i, f, g, o = jnp.split(z + h @ kernel, 4, axis=-1)
            i, f, g, o = nn.sigmoid(i), nn.sigmoid(f), jnp.tanh(g), nn.sigmoid(o)
            after = f * c + i * g
            t = jnp.tanh(after)
            return (o * t, after), (o * t, (h, c, i, f, g, o, t))

        (h, c), (outputs, kept) = lax.scan(step, (h, c), projected)
        return (outputs, h, c), (kernel, kept)

    def gradient(saved: Any, given: Any) -> Any:
        kernel, kept = saved
        given_outputs, dh, dc = given

        def step(state: Any, at: Any) -> Any:
            dh, dc = state
            dy, (_, c, i, f, g, o, t) = at
            dh += dy
            dc += dh * o * (1 - t * t)
            di, df, dg = dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g)
            dz = jnp.concatenate([di, df, dg, dh * t * o * (1 - o)], axis=-1)
            return (dz @ kernel.T, dc * f), dz

        (dh, dc), dz = lax.scan(step, (dh, dc), (given_outputs, kept), reverse=True)
        return dz, jnp.einsum("tbu,tbv->uv", kept[0], dz), dh, dc

    loop = jax.custom_vjp(lambda *arguments: run(*arguments)[0])
    loop.defvjp(run, gradient)
    return loop


def model(units: int, steps: int, features: int, *, own: bool) -> Any:
    """Return a compiled model of one LSTM, on Keras's loop or on our own."""
    import keras
    from jax import numpy as jnp

    keras.utils.set_random_seed(0)
    layer = keras.layers.LSTM(units)
    if own:
        loop = lstm_loop()

        def inner_loop(sequences: Any, initial_state: Any, **_: Any) -> Any:
            cell = layer.cell
            projected = jnp.swapaxes(sequences, 0, 1) @ cell.kernel.value + cell.bias.value
            outputs, h, c = loop(projected, cell.recurrent_kernel.value, *initial_state)
            return h, jnp.swapaxes(outputs, 0, 1), [h, c]

        layer.inner_loop = inner_loop
    made = keras.Sequential([keras.Input((steps, features)), layer, keras.layers.Dense(1)])
    made.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")
    return made


def main() -> None:
    """Print the medians of a training step in ms, alternating, and the largest difference."""
    import numpy as np

    for units, steps, features in ((32, 60, 4), (128, 100, 32)):
        for batch in (1, 32, 256):
            random = np.random.default_rng(0)
            x = random.normal(size=(batch, steps, features)).astype("float32")
            y = random.normal(size=(batch, 1)).astype("float32")
            models = [model(units, steps, features, own=own) for own in (False, True)]
            for _ in range(3):
                for each in models:
                    each.train_on_batch(x, y)
            pairs = zip(*(each.get_weights() for each in models), strict=True)
            gap = max(float(np.abs(a - b).max()) for a, b in pairs)
            inner = max(1, int(0.15 / (_seconds(models[0], x, y, 1))))
            times: list[list[float]] = [[], []]
            for _ in range(ROUNDS):
                for own, each in enumerate(models):
                    times[own].append(_seconds(each, x, y, inner))
            plain, own_time = (1000 * statistics.median(each) for each in times)
            ratio = own_time / plain
            row = f"| {units}, {steps} | {batch} | {plain:.2f} | {own_time:.2f} | {ratio:.2f} |"
            print(f"{row} {gap:.0e} |", flush=True)


def _seconds(made: Any, x: Any, y: Any, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        made.train_on_batch(x, y)
    return (time.perf_counter() - start) / count


if __name__ == "__main__":
    main()
