"""Comparison of the models of two recipes, without TensorFlow."""

from lstmgraph.explain.diff.compare import compare
from lstmgraph.explain.diff.result import Comparison

__all__ = ["Comparison", "compare"]
