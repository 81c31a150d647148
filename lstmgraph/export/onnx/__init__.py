"""Lowering of a graph to ONNX without Keras or TensorFlow, with ONNX's recurrent operators."""

from lstmgraph.export.onnx.model import onnx_model
from lstmgraph.export.onnx.obstacles import onnx_obstacles

__all__ = ["onnx_model", "onnx_obstacles"]
