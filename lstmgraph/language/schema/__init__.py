"""Check a recipe's structure against the JSON Schema, and explain the errors."""
