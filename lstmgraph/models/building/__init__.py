"""Lowering of a graph to Keras models, compiled as the recipe says."""

from lstmgraph.models.building.model import build_model, build_models, uncompiled_model
from lstmgraph.models.building.training import with_predict

__all__ = ["build_model", "build_models", "uncompiled_model", "with_predict"]
