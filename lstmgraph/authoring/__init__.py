"""What helps to write recipes: layout, first recipes, the schema that editors read."""
