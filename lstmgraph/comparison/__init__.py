"""What two recipes' models have in common and where they differ; without TensorFlow."""

from lstmgraph.comparison.compare import compare
from lstmgraph.comparison.result import Comparison

__all__ = ["Comparison", "compare"]
