"""How fast this machine multiplies matrices, and so how fast a row of the table could be at all.

The floor of a row is its floating-point operations (`benchmarks.grid.Case.forward_flops`) over the
machine's rate of float32 matrix products in the runtime that the row runs on. It is a floor for
large batches: at batch 1 the products are of a matrix and a vector, and reading the matrix from
memory takes longer than multiplying it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.options import THREADS

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnxruntime

SIZES = (256, 512, 1024)
RUNS = 10


@dataclass(frozen=True)
class Floor:
    """What a row takes if it does nothing but multiply matrices, at the machine's best rate."""

    flops: int
    runtime: str
    flops_per_second: float

    @property
    def seconds(self) -> float:
        """The time that nothing built on this runtime goes below."""
        return self.flops / self.flops_per_second


def floor_of(flops: int, runtime: str) -> Floor:
    """The floor of `flops` operations in ``tensorflow`` or ``onnxruntime``."""
    return Floor(flops, runtime, _flops_per_second(runtime))


@cache
def _flops_per_second(runtime: str) -> float:
    """The best rate over `SIZES`: 2n^3 operations in the quickest of `RUNS` (n, n) products."""
    return max(_rate(PRODUCTS[runtime], size) for size in SIZES)


def _rate(product: Callable[[int], Callable[[], object]], size: int) -> float:
    run = product(size)
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds)


def _matrix(size: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(size, size)).astype("float32")


def _tensorflow_product(size: int) -> Callable[[], object]:
    import tensorflow as tf

    matrix = tf.constant(_matrix(size))
    return lambda: tf.matmul(matrix, matrix).numpy()


def _onnxruntime_product(size: int) -> Callable[[], object]:
    from onnx import TensorProto, helper

    shapes = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [size, size]) for name in "xyz"
    ]
    node = helper.make_node("MatMul", ["x", "y"], ["z"])
    graph = helper.make_graph([node], "product", shapes[:2], shapes[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    session = onnx_session(model.SerializeToString())
    feed = {"x": _matrix(size), "y": _matrix(size)}
    return lambda: session.run(None, feed)


PRODUCTS: dict[str, Callable[[int], Callable[[], object]]] = {
    "tensorflow": _tensorflow_product,
    "onnxruntime": _onnxruntime_product,
}


def onnx_session(model: bytes) -> onnxruntime.InferenceSession:
    """A session on the CPU with `THREADS` threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
