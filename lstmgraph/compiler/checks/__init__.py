"""Check whole sections of a recipe: runtime, training, data, search."""
