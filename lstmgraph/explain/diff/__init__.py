"""What two recipes' models have in common and where they differ; without TensorFlow."""

from lstmgraph.explain.diff.compare import compare
from lstmgraph.explain.diff.result import Comparison

__all__ = ["Comparison", "compare"]
