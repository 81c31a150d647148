"""LSTMs as on a device: our LiteRT file against Keras's own, onnxruntime and torch.

One row, one thread. Each runtime computes the same numbers, which is checked. The sides run in
turn; the table has the median time of a call, by the clock and of the processor, and the size of
the file.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.options import ENVIRONMENT, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

OURS, KERAS, ONNX, TORCH = "lstmgraph, LiteRT", "Keras, LiteRT", "onnxruntime", "torch.nn.LSTM"
FEATURES = 16
CLOSE = 1e-5
RECIPE = """
recipe: 1
name: device
inputs: {{x: {{shape: [{steps}, {features}]}}}}
layers: {{y: {{type: lstm, input: x, units: {units}, depth: {layers}}}}}
outputs: {{y: y}}
"""


@dataclass(frozen=True)
class Case:
    """A stack of LSTMs that reads one row."""

    layers: int
    units: int
    steps: int


@dataclass
class Side:
    """One runtime: how it is called, the bytes of its file, and what its calls took."""

    run: Callable[[], np.ndarray]
    bytes: int | None
    clock: list[float]
    processor: list[float]


def main(arguments: Sequence[str]) -> None:
    """Measure, and print a row of Markdown for each side of each case."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks devices", description=__doc__)
    add = parser.add_argument
    add("--layers", type=int, nargs="+", metavar="N", default=[1, 2, 3])
    add("--units", type=int, nargs="+", metavar="N", default=[16, 64, 256])
    add("--steps", type=int, nargs="+", metavar="N", default=[50, 200, 500])
    add("--repeats", type=int, metavar="N", default=30, help="calls of each side")
    chosen = parser.parse_args(arguments)
    os.environ.update({**ENVIRONMENT, "OMP_NUM_THREADS": "1"})
    print("| layers | units | steps | side | clock, ms | processor, ms | file, kB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for case in product(chosen.layers, chosen.units, chosen.steps):
        for name, side in measured(Case(*case), chosen.repeats).items():
            print(f"| {' | '.join(map(str, case))} | {_row(name, side)} |", flush=True)


def measured(case: Case, repeats: int) -> dict[str, Side | str]:
    """Return the sides after so many calls of each, or why one cannot be run."""
    with tempfile.TemporaryDirectory() as folder:
        sides = _sides(case, Path(folder))
        running = [side for side in sides.values() if isinstance(side, Side)]
        for _ in range(repeats):
            for side in running:
                clock, processor = time.perf_counter(), time.process_time()
                side.run()
                side.clock.append(time.perf_counter() - clock)
                side.processor.append(time.process_time() - processor)
    return sides


def _sides(case: Case, folder: Path) -> dict[str, Side | str]:
    import numpy as np
    import tensorflow as tf

    import lstmgraph

    text = RECIPE.format(steps=case.steps, features=FEATURES, units=case.units, layers=case.layers)
    recipe = lstmgraph.load(text)
    model = recipe.build()
    x = np.random.default_rng(0).normal(size=(1, case.steps, FEATURES)).astype("float32")
    ours, theirs, onnx = (folder / name for name in ("a.tflite", "b.tflite", "c.onnx"))
    sides: dict[str, Side | str] = {}
    recipe.export(model, ours, format="litert")
    sides[OURS] = Side(_litert(ours, x), ours.stat().st_size, [], [])
    # For any number of rows, Keras's export would use operators that plain LiteRT has not.
    signature = [{"x": tf.TensorSpec(x.shape, name="x")}]
    model.export(theirs, format="litert", verbose=False, input_signature=signature)
    sides[KERAS] = Side(_litert(theirs, x), theirs.stat().st_size, [], [])
    sides[ONNX] = missing("onnx", "onnxruntime")
    if not sides[ONNX]:
        recipe.export(model, onnx, format="onnx")
        sides[ONNX] = Side(_onnx(onnx, x), onnx.stat().st_size, [], [])
    sides[TORCH] = missing("torch")
    if not sides[TORCH]:
        sides[TORCH] = Side(_torch(case, model.get_weights(), x), None, [], [])
    wanted = np.asarray(model({"x": x})["y"])
    for name, side in sides.items():
        if isinstance(side, Side) and np.abs(side.run() - wanted).max() > CLOSE:
            raise RuntimeError(f"{name} computes something else")
    return sides


def _litert(path: Path, x: np.ndarray) -> Callable[[], np.ndarray]:
    """Return a call by index, which is faster than one by the signature's names."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    given, found = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.resize_tensor_input(given["index"], x.shape)
    interpreter.allocate_tensors()

    def run() -> np.ndarray:
        interpreter.set_tensor(given["index"], x)
        interpreter.invoke()
        return interpreter.get_tensor(found["index"])

    return run


def _onnx(path: Path, x: np.ndarray) -> Callable[[], np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    return lambda: session.run(["y"], {"x": x})[0]


def _torch(case: Case, weights: list[np.ndarray], x: np.ndarray) -> Callable[[], np.ndarray]:
    import torch

    torch.set_num_threads(1)
    lstm = torch.nn.LSTM(FEATURES, case.units, num_layers=case.layers, batch_first=True)
    with torch.no_grad():
        for layer in range(case.layers):
            kernel, recurrent, bias = (torch.from_numpy(w) for w in weights[3 * layer :][:3])
            getattr(lstm, f"weight_ih_l{layer}").copy_(kernel.T)
            getattr(lstm, f"weight_hh_l{layer}").copy_(recurrent.T)
            getattr(lstm, f"bias_ih_l{layer}").copy_(bias)
            getattr(lstm, f"bias_hh_l{layer}").zero_()
    given: Any = torch.from_numpy(x)

    def run() -> np.ndarray:
        with torch.inference_mode():
            return lstm(given)[1][0][-1].numpy()

    return run


def _row(name: str, side: Side | str) -> str:
    if isinstance(side, str):
        return f"{name} | {side} | |"
    clock, processor = (
        f"{statistics.median(times) * 1e3:.3f}" for times in (side.clock, side.processor)
    )
    size = "" if side.bytes is None else f"{side.bytes / 1e3:.1f}"
    return f"{name} | {clock} | {processor} | {size}"
