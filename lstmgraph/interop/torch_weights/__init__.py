"""Reads PyTorch's weights, and gives them to the layers of a recipe."""
