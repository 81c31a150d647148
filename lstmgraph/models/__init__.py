"""Keras models of a graph: built, stepped, generated from, saved and loaded."""
