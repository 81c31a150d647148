"""What a recipe makes, as tables, pictures and comparisons."""
