"""Estimates of the memory that a model needs for a batch, without TensorFlow."""

from lstmgraph.explain.memory.estimate import Memory, Needs, estimate
from lstmgraph.explain.memory.sizes import BatchSize, SizeError

__all__ = ["BatchSize", "Memory", "Needs", "SizeError", "estimate"]
