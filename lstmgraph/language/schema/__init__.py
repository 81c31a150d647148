"""The structure of a recipe: the JSON Schema, and what its errors mean."""
