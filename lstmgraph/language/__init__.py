"""The recipe language: text with positions, schema, typed declaration, search space."""
