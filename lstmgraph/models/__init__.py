"""Keras models of a recipe's graph: building, stepping, generation, saving and loading."""
