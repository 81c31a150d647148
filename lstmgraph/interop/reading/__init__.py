"""Reads existing Keras models as data: files, configurations and live models."""

from lstmgraph.interop.reading.read import read_model

__all__ = ["read_model"]
