"""ONNX without Keras or TensorFlow: recurrent layers become ONNX's own recurrent operators."""

from lstmgraph.export.onnx.model import onnx_model
from lstmgraph.export.onnx.obstacles import onnx_obstacles

__all__ = ["onnx_model", "onnx_obstacles"]
