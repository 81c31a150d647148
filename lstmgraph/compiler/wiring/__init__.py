"""Layers as nodes of a graph, one for each call, with references resolved."""
