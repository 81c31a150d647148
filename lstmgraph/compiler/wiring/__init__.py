"""Resolve references between layers, and expand layers to nodes of a graph."""
