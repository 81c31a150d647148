"""The recipe language: text with positions, the schema, the typed declaration, search spaces."""
