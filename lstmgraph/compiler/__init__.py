"""Compile a recipe to a graph with the shapes, masks and states of every call, and check it."""
