"""One side of the table of training steps, as a process that trains an epoch when it is asked to.

``python -m benchmarks.side NAME`` reads a cell as JSON, then ``go`` for an epoch or ``stop`` for
the next cell, a line each. It answers each epoch with its seconds and its loss, when nothing of it
is left to do, and each cell with its peak memory.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from benchmarks.cells import CLASSES, Arrays, Cell

if TYPE_CHECKING:
    from collections.abc import Callable

OURS, KERAS = "lstmgraph", "Keras by hand"
KERAS_XLA, KERAS_JAX, TORCH = "Keras, XLA", "Keras on JAX", "torch"
SIDES = (OURS, KERAS, KERAS_XLA, KERAS_JAX, TORCH)


@dataclass
class Pipe:
    """What a side reads and writes."""

    lines: IO[str]
    answers: IO[str]
    before: float = 0.0
    """The peak memory before the last cell's first step, in MiB."""

    def goes_on(self) -> bool:
        """Wait for ``go`` or ``stop``."""
        return self.lines.readline().strip() == "go"

    def answer(self, **values: Any) -> None:
        """Write one line."""
        print(json.dumps(values), file=self.answers, flush=True)


def train_ours(cell: Cell, arrays: Arrays, pipe: Pipe) -> None:
    """Train as a user does, checkpoints included; they are written outside of what is timed."""
    import lstmgraph

    recipe = lstmgraph.load(cell.recipe(), overrides={"data.split.validation": 0})
    inputs = {"sequence": arrays.sequence}
    if cell.masked:
        inputs["lengths"] = arrays.lengths
    with tempfile.TemporaryDirectory() as folder:
        recipe.train(
            (inputs, {"label": arrays.labels}),
            folder=folder,
            epochs=10_000,
            callbacks=[_gate(cell, pipe)],
        )


def train_keras(cell: Cell, arrays: Arrays, pipe: Pipe, *, xla: bool = False) -> None:
    """Train the model as one writes it in Keras."""
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input((cell.steps, cell.features))])
    if cell.masked:
        model.add(layers.Masking())
    recurrent = {"lstm": layers.LSTM, "gru": layers.GRU}[cell.kind]
    fit_for_xla = {"use_cudnn": False} if xla else {}  # else Keras switches XLA off
    for index in range(cell.depth):
        is_last = index == cell.depth - 1
        model.add(recurrent(cell.units, return_sequences=not is_last, **fit_for_xla))
    model.add(layers.Dense(CLASSES, activation="softmax"))
    how = {"jit_compile": True} if xla else {}
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", **how)
    model.fit(
        *(arrays.sequence, arrays.labels),
        batch_size=cell.batch,
        epochs=10_000,
        shuffle=False,
        callbacks=[_gate(cell, pipe)],
        verbose=0,
    )


def train_keras_xla(cell: Cell, arrays: Arrays, pipe: Pipe) -> None:
    """Train the same with ``jit_compile=True``."""
    train_keras(cell, arrays, pipe, xla=True)


def _gate(cell: Cell, pipe: Pipe) -> Any:
    """Return a callback that lets an epoch begin when the pipe says so."""
    import keras

    class Gate(keras.callbacks.Callback):
        answer: dict[str, float] | None = None
        is_over = False

        def on_train_begin(self, logs: Any = None) -> None:
            self.model.set_weights(cell.weights())
            freeze_imports()
            pipe.before = peak_mib()

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if self.answer is not None:  # only now, when callbacks after this one have ended too
                pipe.answer(**self.answer)
            self.is_over = self.model.stop_training = not pipe.goes_on()
            gc.collect()
            self.start, self.before = time.perf_counter(), time.process_time()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.answer = {
                "seconds": time.perf_counter() - self.start,
                "processor": time.process_time() - self.before,
                "loss": float((logs or {})["loss"]),
            }

    return Gate()


def train_torch(cell: Cell, arrays: Arrays, pipe: Pipe) -> None:
    """Train ``torch.nn.LSTM`` or ``GRU``; masked ones read packed sequences."""
    import torch

    from benchmarks.by_torch import Stack

    model = Stack(cell)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)
    loss_of = torch.nn.CrossEntropyLoss()
    tensors = (arrays.sequence, arrays.lengths.astype("int64"), arrays.labels.astype("int64"))
    batches = list(
        zip(*(torch.from_numpy(each).split(cell.batch) for each in tensors), strict=True)
    )
    model.train()
    freeze_imports()
    pipe.before = peak_mib()
    while pipe.goes_on():
        gc.collect()
        start, total = time.perf_counter(), 0.0
        for sequence, lengths, labels in batches:
            optimizer.zero_grad()
            loss = loss_of(model(sequence, lengths), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
        seconds = time.perf_counter() - start
        pipe.answer(seconds=seconds, loss=total / len(batches))


RUNS: dict[str, Callable[[Cell, Arrays, Pipe], None]] = {
    OURS: train_ours,
    KERAS: train_keras,
    KERAS_XLA: train_keras_xla,
    KERAS_JAX: train_keras,
    TORCH: train_torch,
}


def serve(name: str, pipe: Pipe) -> None:
    """Train one cell after another."""
    for line in iter(pipe.lines.readline, ""):
        asked = json.loads(line)
        cell = Cell(**asked["cell"])
        RUNS[name](cell, cell.arrays(asked["batches"]), pipe)
        if name != TORCH:
            import keras

            keras.backend.clear_session()
        gc.collect()
        pipe.answer(peak=peak_mib(), before=pipe.before)


def freeze_imports() -> None:
    """Keep the millions of objects of what was imported from being looked at before each epoch."""
    if not gc.get_freeze_count():
        gc.freeze()


def peak_mib() -> float:
    """Return the peak memory of this process so far, in MiB."""
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes, or KiB
    return float(peak / 2**20 if sys.platform == "darwin" else peak / 2**10)


def main() -> None:
    """Answer on what was standard output; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.argv[1], Pipe(sys.stdin, answers))


if __name__ == "__main__":
    main()
